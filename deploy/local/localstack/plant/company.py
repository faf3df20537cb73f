"""The plant's ground: company, people with their rights, places, parties, products, controls."""

from __future__ import annotations

import datetime
import secrets
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from localstack import scenario

if TYPE_CHECKING:
    from localstack.plant.client import Session

TODAY = datetime.timedelta(0)
QUARANTINE = "QUA"
GROUPS = {
    "shipper": ("Stock", "Production"),
    "holdbot": ("Stock", "Quality", "Production", "Stock Cancellation"),
}
"""The colleague who may ship, and the connector, which may also touch the quarantine place."""

GUARDED = ("stock.move", "stock.shipment.internal")


def build_company(erp: Session) -> None:
    """Create the company and make the session's user an employee of it."""
    first = {"date": datetime.date(2020, 1, 1), "rate": Decimal(1)}
    euro = erp.create(
        "currency.currency", name="Euro", code="EUR", symbol="€", rates=[["create", [first]]]
    )
    company = erp.create(
        "company.company", party=_party(erp, "PLANT", "Device plant"), currency=euro
    )
    employee = erp.create(
        "company.employee", party=_party(erp, "ADMIN", "Plant administrator"), company=company
    )
    erp.write(
        "res.user",
        erp.user_id,
        companies=[["add", [company]]],
        company=company,
        employees=[["add", [employee]]],
        employee=employee,
    )
    erp.context = {"company": company, "employee": employee}


def build_people(erp: Session) -> dict[str, tuple[str, str]]:
    """Create the users; return password and REST key by login."""
    company = erp.context["company"]
    made = {}
    for login, groups in GROUPS.items():
        person = _party(erp, login.upper(), login.capitalize())
        employee = erp.create("company.employee", party=person, company=company)
        password = secrets.token_urlsafe(18)
        user = erp.create(
            "res.user",
            name=login.capitalize(),
            login=login,
            password=password,
            companies=[["add", [company]]],
            company=company,
            employees=[["add", [employee]]],
            employee=employee,
            groups=[["add", [erp.one("res.group", [["name", "=", name]]) for name in groups]]],
        )
        key = secrets.token_hex(32)
        erp.create("res.user.application", user=user, application="rest", key=key)
        made[login] = (password, key)
    return made


def build_places(erp: Session) -> None:
    """Create the quarantine place outside the warehouse, and let only Quality take goods out."""
    erp.create("stock.location", name="Quarantine", code=QUARANTINE, type="storage")
    quality = erp.one("res.group", [["name", "=", "Quality"]])
    rights = {"perm_read": False, "perm_write": True, "perm_create": True, "perm_delete": True}
    outside = '[["from_location.code", "!=", "QUA"]]'
    for model in GUARDED:
        erp.create(
            "ir.rule.group",
            name="Goods leave quarantine by Quality only",
            model=model,
            global_p=False,
            default_p=True,
            rules=[["create", [{"domain": outside}]]],
            **rights,
        )
        erp.create(
            "ir.rule.group",
            name="Quality may take goods out of quarantine",
            model=model,
            global_p=False,
            default_p=False,
            groups=[["add", [quality]]],
            rules=[["create", [{"domain": "[]"}]]],
            **rights,
        )


def build_parties(erp: Session) -> None:
    """Create suppliers and customers."""
    for code, name in (scenario.SUPPLIERS | scenario.CUSTOMERS).items():
        _party(erp, code, name)


def build_products(erp: Session) -> None:
    """Create the three products, which never move without a lot, and how one becomes the next."""
    kilogram = erp.one("product.uom", [["symbol", "=", "kg"]])
    unit = erp.one("product.uom", [["symbol", "=", "u"]])
    resin = _product(erp, scenario.RESIN, "Resin", "Raw material", kilogram, purchasable=True)
    housing = _product(erp, scenario.HOUSING, "Housing", "Intermediate", unit, producible=True)
    device = _product(erp, scenario.DEVICE, "Device", "Finished", unit, producible=True)
    _bom(erp, "Housing", (resin, kilogram, 2), (housing, unit))
    _bom(erp, "Device", (housing, unit, 1), (device, unit))


def build_controls(erp: Session) -> None:
    """Create the quality controls."""
    for control in scenario.CONTROLS:
        product = erp.one("product.product", [["code", "=", control.trigger_product]])
        erp.create(
            "quality.control",
            name=control.name,
            operations=[control.operation],
            frequency=1.0,
            company=erp.context["company"],
            product=product,
            points=[["create", [_point(point) for point in control.points]]],
        )


def _point(point: scenario.Point) -> dict[str, Any]:
    kind = "boolean" if point.limits is None else "float"
    values = {"name": point.name, "string": point.label, "type_": kind}
    if point.limits is None:
        return values
    lower, upper = point.limits
    return values | {"tolerance_lower": lower, "tolerance_upper": upper, "digits": 2}


def _party(erp: Session, code: str, name: str) -> int:
    address = [["create", [{"street_unstructured": f"{name} street 1", "city": "Plant town"}]]]
    return erp.create("party.party", code=code, name=name, addresses=address)


def _product(erp: Session, code: str, name: str, category: str, unit: int, **kinds: bool) -> int:
    group = erp.create("product.category", name=category)
    template = erp.create(
        "product.template",
        name=name,
        code=code,
        type="goods",
        list_price=Decimal(10),
        default_uom=unit,
        categories=[["add", [group]]],
        lot_required=["supplier", "customer", "storage", "production"],
        **({"purchase_uom": unit} if kinds.get("purchasable") else {}),
        **kinds,
    )
    products = erp.read("product.template", template, "products")["products"]
    if products:
        return int(products[0])
    return erp.create("product.product", template=template)


def _bom(erp: Session, name: str, used: tuple[int, int, float], made: tuple[int, int]) -> None:
    product, unit, quantity = used
    inputs = [["create", [{"product": product, "unit": unit, "quantity": quantity}]]]
    outputs = [["create", [{"product": made[0], "unit": made[1], "quantity": 1}]]]
    bom = erp.create("production.bom", name=name, inputs=inputs, outputs=outputs)
    erp.create("product.product-production.bom", product=made[0], bom=bom)
