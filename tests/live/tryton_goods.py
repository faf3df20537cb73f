"""Goods for tests of the hold sink: lots and deliveries, booked as a colleague books them."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import psycopg

from connectors.sinks.tryton import TrytonConfig, TrytonSink
from connectors.sinks.tryton.rest.wire import packed
from streams.model.envelope import Envelope, Source
from streams.model.hold import CauseRef, HoldAction, HoldCommand

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

IN, OUT = "stock.shipment.in", "stock.shipment.out"
RESIN, HOUSING = "RM-RESIN", "IM-HOUSING"
WHEN = datetime(2026, 3, 2, 8, tzinfo=UTC)

_numbers = itertools.count(time.time_ns())


@dataclass(frozen=True)
class Ground:
    """Where a test's ERP is.

    Attributes:
        url: Its address with the database.
        holder: Key file of the user that places holds.
        shipper: Key file of the colleague who ships.
        dsn: Its database, for looking into its tables.
    """

    url: str
    holder: Path
    shipper: Path
    dsn: str

    def sink(
        self, transport: httpx.AsyncBaseTransport | None = None, **settings: Any
    ) -> TrytonSink:
        """A sink on this ERP."""
        return TrytonSink(TrytonConfig(self.url, self.holder, **settings), transport)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the ERP's own tables."""
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(query, values).fetchall()

    def transfers(self, hold_id: str) -> list[tuple[str, str, int]]:
        """Reference, state and number of moves of every document of a hold."""
        return self.rows(
            "select d.reference, d.state, count(m.id) from stock_shipment_internal d "
            "join stock_move m on m.shipment = 'stock.shipment.internal,' || d.id "
            "where d.reference = %s or d.reference like %s "
            "group by d.id, d.reference, d.state order by d.id",
            f"HOLD:{hold_id}",
            f"RELEASE:{hold_id}/%",
        )

    def balance(self, number: str) -> dict[str, Decimal]:
        """Stock of a lot per storage location that is not empty."""
        found = self.rows(
            "select p.code, sum(booked) from stock_lot l "
            "join stock_move m on m.lot = l.id and m.state = 'done' "
            "cross join lateral (values (m.to_location, m.internal_quantity), "
            "(m.from_location, -m.internal_quantity)) side (place, booked) "
            "join stock_location p on p.id = side.place "
            "where l.number = %s and p.type = 'storage' group by p.code having sum(booked) <> 0",
            number,
        )
        return {code: Decimal(str(quantity)).normalize() for code, quantity in found}


class Colleague:
    """Someone with a login, working through the ERP's REST API."""

    def __init__(self, ground: Ground, key_file: Path) -> None:
        self._http = httpx.Client(
            base_url=f"{ground.url}/rest/model/",
            timeout=60,
            headers={
                "Authorization": f"Bearer {key_file.read_text().strip()}",
                "X-Tryton-Context": packed({"company": 1}),
                "Content-Type": "application/json",
                "Accept": "application/json",
            },
        )
        self._known: dict[str, int] = {}

    def close(self) -> None:
        self._http.close()

    def find(self, model: str, domain: list[Any], *fields: str) -> list[dict[str, Any]]:
        query: list[tuple[str, Any]] = [("d", packed(domain)), *(("f", each) for each in fields)]
        found: list[dict[str, Any]] = self._http.get(model, params=query).raise_for_status().json()
        return found

    def one(self, model: str, *domain: Any) -> int:
        """The id of the one record that fits; asked for once."""
        question = f"{model} {domain}"
        if question not in self._known:
            (found,) = self.find(model, list(domain), "id")
            self._known[question] = int(found["id"])
        return self._known[question]

    def create(self, model: str, values: Mapping[str, Any]) -> int:
        answer = self._http.post(model, content=json.dumps(values))
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])

    def press(self, model: str, record: int, *buttons: str) -> str:
        """Press buttons and give the state that follows; a refusal is given as its text."""
        state = ""
        for button in buttons:
            answer = self._http.post(
                f"{model}/{record}/{button}", params=[("f", "state")], content="{}"
            )
            if answer.status_code != 200:
                return answer.text
            state = str(answer.json()["state"])
        return state

    def place(self, code: str) -> int:
        return self.one("stock.location", ["code", "=", code])

    def lot(self, quantity: float = 0, material: str = RESIN) -> str:
        """A new lot, with stock if a quantity is given; its number."""
        number = f"T-{next(_numbers)}"
        product = self.one("product.product", ["code", "=", material])
        self.create("stock.lot", {"number": number, "product": product})
        if quantity:
            self.book(number, quantity, "", "STO")
        return number

    def book(self, number: str, quantity: float, source: str, target: str) -> None:
        """Move goods: from the lost-and-found place if none is named, else by a transfer."""
        start = self.place(source) if source else self._lost()
        way = {"from_location": start, "to_location": self.place(target)}
        line = self._line(number, quantity) | way
        if source:
            model = "stock.shipment.internal"
            record = self.create(model, {**way, "moves": [["create", [line]]]})
            buttons = ["wait", "assign_try", "do"]
        else:
            model, buttons = "stock.move", ["do"]
            record = self.create(model, line)
        said = self.press(model, record, *buttons)
        assert said == "done", said

    def consume(self, number: str, quantity: float) -> int:
        """A production that has taken goods of a lot and made nothing yet."""
        way = {"from_location": self.place("STO"), "to_location": self.place("PROD")}
        line = self._line(number, quantity) | way
        values = {
            "warehouse": self.place("WH"),
            "location": self.place("PROD"),
            "inputs": [["create", [line]]],
        }
        record = self.create("production", values)
        said = self.press("production", record, "wait", "assign_try", "run")
        assert said == "running", said
        return record

    def receipt(self, number: str, quantity: float) -> int:
        """A receipt from a supplier that was announced and has not come."""
        # Without an origin the ERP asks for a person's confirmation on receipt.
        origin = self.find("stock.move", [["state", "=", "done"]], "id")[0]["id"]
        line = self._line(number, quantity) | {
            "from_location": self.place("SUP"),
            "to_location": self.place("IN"),
            "origin": f"stock.move,{origin}",
            "unit_price": {"__class__": "Decimal", "decimal": "3"},
            "currency": self.one("currency.currency", ["code", "=", "EUR"]),
        }
        return self.create(
            IN,
            {
                "supplier": self.one("party.party", ["code", "=", "SUP-1"]),
                "warehouse": self.place("WH"),
                "warehouse_input": self.place("IN"),
                "warehouse_storage": self.place("STO"),
                "incoming_moves": [["create", [line]]],
            },
        )

    def delivery(self, number: str, quantity: float, *buttons: str) -> int:
        """A delivery to a customer, brought on by buttons after it waits."""
        customer = self.one("party.party", ["code", "=", "CUS-1"])
        line = self._line(number, quantity) | {
            "from_location": self.place("OUT"),
            "to_location": self.place("CUS"),
            "unit_price": {"__class__": "Decimal", "decimal": "3"},
            "currency": self.one("currency.currency", ["code", "=", "EUR"]),
        }
        address = self.find("party.address", [["party", "=", customer]], "id")[0]["id"]
        document = self.create(
            OUT,
            {
                "customer": customer,
                "delivery_address": address,
                "warehouse": self.place("WH"),
                "warehouse_storage": self.place("STO"),
                "warehouse_output": self.place("OUT"),
                "outgoing_moves": [["create", [line]]],
            },
        )
        self.press(OUT, document, "wait", *buttons)
        return document

    def state(self, model: str, record: int) -> str:
        return str(self.find(model, [["id", "=", record]], "state")[0]["state"])

    def _lost(self) -> int:
        return self.one("stock.location", ["type", "=", "lost_found"])

    def _line(self, number: str, quantity: float) -> dict[str, Any]:
        (lot,) = self.find("stock.lot", [["number", "=", number]], "product.default_uom.id")
        product = lot["product"]
        return {
            "product": product["id"],
            "unit": product["default_uom"]["id"],
            "lot": lot["id"],
            "quantity": quantity,
            "company": 1,
        }


def command(
    number: str,
    *,
    action: HoldAction = HoldAction.HOLD,
    version: int = 1,
    material: str = RESIN,
    hold: str = "",
) -> HoldCommand:
    """A command for a lot; hold and command ids follow from its number and version."""
    lot = f"S1/{material}/{number}"
    source = Source("erp", "plant", "public", "quality_inspection", 7, 4711, 2, "u")
    envelope = Envelope(
        f"event-{number}-{version}",
        "lotgate.inventory.hold_command",
        lot,
        version,
        "S1",
        WHEN,
        WHEN,
        WHEN,
        source,
        correlation_id="root",
    )
    signature = "present, not verified" if action == HoldAction.RELEASE else ""
    return HoldCommand(
        envelope,
        f"command-{number}-{version}",
        hold or f"hold-{number}",
        action,
        lot,
        material,
        number,
        "erp",
        version,
        CauseRef("inspection:erp:1", 1, open=True, direct=True, signature=signature),
        reason="An inspection failed.",
    )
