"""Quality inspections as an inspector books them, on the document that a lot came with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localstack import scenario
from localstack.errors import PlantRefused

if TYPE_CHECKING:
    from localstack.plant.client import Session

FROM_SUPPLIER, FROM_PRODUCTION = "supplier", "production"


def inspect(erp: Session, control: scenario.Control, origin: str, *, passes: bool) -> int:
    """Create an inspection of a document and process it; return its id."""
    points = {point.name: point.passing if passes else point.failing for point in control.points}
    inspection = erp.create(
        "quality.inspection",
        company=erp.context["company"],
        control=erp.one("quality.control", [["name", "=", control.name]]),
        origin=origin,
        points=points,
    )
    erp.press("quality.inspection", "process", inspection, "passed" if passes else "failed")
    return inspection


def fail_inspection(erp: Session, number: str, product_code: str | None = None) -> str:
    """Fail a new inspection of the document that a lot came with; return the inspection's number.

    Raises:
        PlantRefused: No lot, or several, have that number; or nothing brought the lot in yet.
    """
    lot, code = _lot(erp, number, product_code)
    origin = _document(erp, lot, number)
    inspection = inspect(erp, _control(code), origin, passes=False)
    return str(erp.read("quality.inspection", inspection, "number")["number"])


def _lot(erp: Session, number: str, product_code: str | None) -> tuple[int, str]:
    domain = [["number", "=", number]]
    if product_code is not None:
        domain.append(["product.code", "=", product_code])
    found = erp.search("stock.lot", domain, "product.code")
    if not found:
        raise PlantRefused(
            f"The ERP has no lot {number}; nothing was inspected. "
            "`lotgate demo lots` lists what there is"
        )
    codes = sorted(record["product."]["code"] for record in found)
    if len(codes) > 1:
        raise PlantRefused(
            f"{len(codes)} lots have the number {number}, of products {', '.join(codes)}; "
            "nothing was inspected. Name the product too"
        )
    return int(found[0]["id"]), codes[0]


def _document(erp: Session, lot: int, number: str) -> str:
    """Return the receipt or the production that brought a lot into being."""
    domain = [["lot", "=", lot], ["from_location.type", "in", [FROM_SUPPLIER, FROM_PRODUCTION]]]
    fields = ("shipment", "production_output", "state")
    for move in erp.search("stock.move", domain, *fields):
        if move["production_output"]:
            return f"production,{move['production_output']}"
        if str(move["shipment"] or "").startswith("stock.shipment.in,"):
            return str(move["shipment"])
    raise PlantRefused(
        f"Lot {number} came by neither a supplier receipt nor a production, and the ERP inspects "
        "documents, not lots; nothing was inspected"
    )


def _control(product_code: str) -> scenario.Control:
    return next(
        (control for control in scenario.CONTROLS if control.judged_product == product_code),
        scenario.INCOMING,
    )
