"""A colleague who may ship: works in the ERP through its own REST API, with a shipper's key."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

import httpx
from localstack.plant import goods

if TYPE_CHECKING:
    from demo.run import Demo

BUTTONS = ("wait", "assign_try", "pick", "pack", "do")


class Shipper:
    """Ships one unit of a lot to a customer, as far as the ERP lets a shipper go.

    Args:
        demo: The job whose ERP it is; its administrator only looks up ids.
    """

    def __init__(self, demo: Demo) -> None:
        where = demo.stack.addresses()
        self._admin = demo.plant().session
        context = json.dumps({"company": self._admin.context["company"]}).encode()
        self._http = httpx.Client(
            base_url=f"{where.erp_url.rstrip('/')}/{where.erp_database}/rest/model",
            headers={
                "Authorization": f"Bearer {where.shipper_key_file.read_text().strip()}",
                "X-Tryton-Context": base64.urlsafe_b64encode(context).decode(),
            },
            timeout=60,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._admin.close()

    def ships(self, number: str, product_code: str) -> bool:
        """Whether a shipment of the lot leaves storage: any state past `waiting` counts."""
        shipment = self._shipment(number, product_code)
        state = "draft"
        for button in BUTTONS:
            answer = self._http.post(f"/stock.shipment.out/{shipment}/{button}", json=None)
            found = self._http.get(f"/stock.shipment.out/{shipment}", params={"f": "state"})
            found.raise_for_status()
            state = str(found.json()["state"])
            if answer.status_code >= 400 or (button != "wait" and state == "waiting"):
                break
        self._forced(shipment)
        return state in {"assigned", "picked", "packed", "shipped", "done"}

    def _forced(self, shipment: int) -> None:
        """A shipper has no right to force what the stock does not have."""
        answer = self._http.post(f"/stock.shipment.out/{shipment}/assign_force", json=None)
        assert answer.status_code >= 400, answer.text

    def _shipment(self, number: str, product_code: str) -> int:
        erp = self._admin
        product = goods.product_id(erp, product_code)
        customer = erp.one("party.party", [["code", "=", "CUS-1"]])
        move: dict[str, Any] = {
            "company": erp.context["company"],
            "currency": erp.one("currency.currency", [["code", "=", "EUR"]]),
            "product": product,
            "unit": erp.read("product.product", product, "default_uom")["default_uom"],
            "quantity": 1,
            "from_location": goods.location(erp, "OUT"),
            "to_location": goods.location(erp, "CUS"),
            "lot": goods.lot_id(erp, number, product),
            "unit_price": {"__class__": "Decimal", "decimal": str(Decimal(20))},
        }
        answer = self._http.post(
            "/stock.shipment.out",
            json={
                "customer": customer,
                "delivery_address": erp.search("party.address", [["party", "=", customer]])[0][
                    "id"
                ],
                "warehouse": goods.location(erp, "WH"),
                "warehouse_storage": goods.location(erp, "STO"),
                "warehouse_output": goods.location(erp, "OUT"),
                "company": erp.context["company"],
                "outgoing_moves": [["create", [move]]],
            },
        )
        assert answer.status_code < 400, answer.text
        return int(answer.json()["id"])
