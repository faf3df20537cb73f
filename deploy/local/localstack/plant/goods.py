"""Goods through the plant as its people book them: received, turned into others, shipped."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from localstack import scenario
from localstack.plant.inspections import inspect

if TYPE_CHECKING:
    from localstack.plant.client import Session

IN, OUT, MAKE = "stock.shipment.in", "stock.shipment.out", "production"


def today() -> datetime.date:
    """Return the plant's day."""
    return datetime.datetime.now(datetime.UTC).date()


def product_id(erp: Session, code: str) -> int:
    """Return a product by its code."""
    return erp.one("product.product", [["code", "=", code]])


def lot_id(erp: Session, number: str, product: int) -> int:
    """Return a lot by number and product, creating it when it is new."""
    found = erp.search("stock.lot", [["number", "=", number], ["product", "=", product]])
    return int(found[0]["id"]) if found else erp.create("stock.lot", number=number, product=product)


def location(erp: Session, code: str) -> int:
    """Return a place by its code."""
    return erp.one("stock.location", [["code", "=", code]])


def receive(erp: Session, receipt: scenario.Receipt) -> int:
    """Buy, receive, inspect and store a lot; return the receipt document's id."""
    supplier = erp.one("party.party", [["code", "=", receipt.supplier]])
    line = _purchase_line(erp, receipt, supplier)
    moves = erp.search("stock.move", [["origin", "=", f"purchase.line,{line}"]])
    lot = lot_id(erp, receipt.lot, product_id(erp, receipt.product))
    shipment = erp.create(
        IN,
        supplier=supplier,
        warehouse=location(erp, "WH"),
        warehouse_input=location(erp, "IN"),
        warehouse_storage=location(erp, "STO"),
        company=erp.context["company"],
        effective_date=today(),
        reference=f"NOTE-{receipt.lot}",
        incoming_moves=[["add", [move["id"] for move in moves]]],
    )
    for move in moves:
        erp.write("stock.move", move["id"], lot=lot)
    inspect(erp, scenario.INCOMING, f"{IN},{shipment}", passes=True)
    erp.press(IN, "receive", shipment, "received")
    erp.press(IN, "do", shipment, "done")
    return shipment


def produce(erp: Session, order: scenario.Production) -> int:
    """Make a lot from another; return the production's id."""
    production = _order(erp, order)
    erp.press(MAKE, "wait", production, "waiting")
    erp.press(MAKE, "assign_try", production, "assigned")
    for control in scenario.CONTROLS:
        due = control.operation == "production:run"
        if due and control.trigger_product == order.consumed_product:
            inspect(erp, control, f"{MAKE},{production}", passes=True)
    erp.press(MAKE, "run", production, "running")
    lot = lot_id(erp, order.lot, product_id(erp, order.product))
    for output in erp.read(MAKE, production, "outputs")["outputs"]:
        erp.write("stock.move", output, lot=lot)
    erp.press(MAKE, "do", production, "done")
    return production


def _order(erp: Session, order: scenario.Production) -> int:
    """Create the production order with what goes in and what comes out."""
    product = product_id(erp, order.product)
    used = product_id(erp, order.consumed_product)
    storage, shop = location(erp, "STO"), location(erp, "PROD")
    company = {"company": erp.context["company"]}
    given = company | {
        "product": used,
        "unit": _unit(erp, used),
        "quantity": order.consumed_quantity,
        "from_location": storage,
        "to_location": shop,
        "lot": lot_id(erp, order.consumed_lot, used),
    }
    made = company | {
        "product": product,
        "unit": _unit(erp, product),
        "quantity": order.quantity,
        "from_location": shop,
        "to_location": storage,
        "unit_price": Decimal(5),
        "currency": _currency(erp),
    }
    boms = erp.search("product.product-production.bom", [["product", "=", product]], "bom")
    return erp.create(
        MAKE,
        product=product,
        bom=boms[0]["bom"],
        unit=_unit(erp, product),
        quantity=order.quantity,
        warehouse=location(erp, "WH"),
        location=shop,
        planned_date=today(),
        planned_start_date=today(),
        inputs=[["create", [given]]],
        outputs=[["create", [made]]],
        **company,
    )


def deliver(erp: Session, delivery: scenario.Delivery) -> int:
    """Ship a lot to a customer as far as the scenario says; return the shipment's id."""
    customer = erp.one("party.party", [["code", "=", delivery.customer]])
    address = erp.search("party.address", [["party", "=", customer]])[0]["id"]
    product = product_id(erp, delivery.product)
    move: dict[str, Any] = {
        "company": erp.context["company"],
        "currency": _currency(erp),
        "product": product,
        "unit": _unit(erp, product),
        "quantity": delivery.quantity,
        "from_location": location(erp, "OUT"),
        "to_location": location(erp, "CUS"),
        "lot": lot_id(erp, delivery.lot, product),
        "unit_price": Decimal(20),
    }
    shipment = erp.create(
        OUT,
        customer=customer,
        delivery_address=address,
        warehouse=location(erp, "WH"),
        warehouse_storage=location(erp, "STO"),
        warehouse_output=location(erp, "OUT"),
        company=erp.context["company"],
        reference=delivery.reference,
        effective_date=today(),
        outgoing_moves=[["create", [move]]],
    )
    erp.press(OUT, "wait", shipment, "waiting")
    erp.press(OUT, "assign_try", shipment, "assigned")
    if delivery.reached == scenario.Reached.ASSIGNED:
        return shipment
    inspect(erp, scenario.RELEASE, f"{OUT},{shipment}", passes=True)
    erp.press(OUT, "pick", shipment, "picked")
    if delivery.reached == scenario.Reached.PICKED:
        return shipment
    erp.press(OUT, "pack", shipment, "packed")
    erp.press(OUT, "do", shipment, "done")
    return shipment


def _purchase_line(erp: Session, receipt: scenario.Receipt, supplier: int) -> int:
    product = product_id(erp, receipt.product)
    line = {
        "type": "line",
        "product": product,
        "unit": _unit(erp, product),
        "quantity": receipt.quantity,
        "unit_price": Decimal(3),
    }
    purchase = erp.create(
        "purchase.purchase",
        party=supplier,
        invoice_address=erp.search("party.address", [["party", "=", supplier]])[0]["id"],
        company=erp.context["company"],
        currency=_currency(erp),
        warehouse=location(erp, "WH"),
        invoice_method="manual",
        purchase_date=today(),
        reference=f"PO-{receipt.lot}",
        lines=[["create", [line]]],
    )
    erp.press("purchase.purchase", "quote", purchase, "quotation")
    erp.press("purchase.purchase", "confirm", purchase, "processing")
    lines = erp.read("purchase.purchase", purchase, "lines")["lines"]
    return int(lines[0])


def _unit(erp: Session, product: int) -> int:
    return int(erp.read("product.product", product, "default_uom")["default_uom"])


def _currency(erp: Session) -> int:
    return erp.one("currency.currency", [["code", "=", "EUR"]])
