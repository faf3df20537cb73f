"""What is read of Tryton's tables (trytond 8.2), and the names of its states and models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.model.translation import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

WHO = ("create_uid", "write_uid")

TABLES: Mapping[str, Table] = {
    "stock_lot": Table(("id", "number", "product", "active", *WHO), ("product",)),
    "product_product": Table(("id", "code", "template", *WHO)),
    "product_template": Table(("id", "name", "default_uom")),
    "product_uom": Table(("id", "symbol")),
    "stock_move": Table(
        (
            "id",
            "lot",
            "product",
            "quantity",
            "internal_quantity",
            "from_location",
            "to_location",
            "shipment",
            "production_input",
            "production_output",
            "state",
            *WHO,
        ),
        ("lot", "shipment", "production_input", "production_output"),
    ),
    "stock_shipment_in": Table(("id", "number")),
    "stock_shipment_out": Table(("id", "number")),
    "stock_shipment_internal": Table(("id", "number", "reference")),
    "production": Table(("id", "number")),
    "quality_inspection": Table(
        (
            "id",
            "number",
            "control",
            "origin",
            "state",
            "processed_at",
            "processed_by",
            "passed_by",
            "failed_by",
            *WHO,
        ),
        ("origin",),
    ),
    "quality_control": Table(("id", "name", "product")),
    "stock_location": Table(
        (
            "id",
            "name",
            "code",
            "type",
            "parent",
            "input_location",
            "output_location",
            "storage_location",
        )
    ),
    "res_user": Table(("id", "login", "name")),
    "company_employee": Table(("id", "party")),
    "party_party": Table(("id", "name")),
}
"""Tables and columns to publish. `res_user` holds password hashes: publish only these columns."""

OWN_PREFIXES = ("HOLD:", "RELEASE:")
"""References of the transfers by which a hold is placed and given back: no plant business."""

PRODUCTION = "production"
INTERNAL = "stock.shipment.internal"


def split_reference(text: str) -> tuple[str, str] | None:
    """Split Tryton's `model,id`; None if it names no record."""
    model, comma, key = text.partition(",")
    return (model, key) if comma and model and key not in {"", "-1"} else None
