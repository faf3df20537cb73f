"""What is read of ERPNext's tables (version 14 and later), and the words of its documents.

A document's key is its `name`, a text that people can change (a rename). `docstatus` is 0 for a
draft, 1 once it is submitted, 2 once it is cancelled. A cancelled document that is amended becomes
a new document, which names the old one in `amended_from`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.model.facts import InspectionVerdict, NonconformityState, Severity
from streams.model.translation import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

BATCH: Final = "tabBatch"
ITEM: Final = "tabItem"
LEDGER: Final = "tabStock Ledger Entry"
BUNDLED: Final = "tabSerial and Batch Entry"
ENTRY: Final = "tabStock Entry"
DETAIL: Final = "tabStock Entry Detail"
INSPECTION: Final = "tabQuality Inspection"
NONCONFORMANCE: Final = "tabNon Conformance"
USER: Final = "tabUser"

WHO: Final = ("owner", "modified_by")

TABLES: Final[Mapping[str, Table]] = {
    ITEM: Table(("name", "stock_uom")),
    BATCH: Table(
        ("name", "batch_id", "item", "parent_batch", "stock_uom", "disabled", "creation", *WHO),
    ),
    LEDGER: Table(
        (
            "name",
            "item_code",
            "warehouse",
            "voucher_type",
            "voucher_no",
            "actual_qty",
            "stock_uom",
            "batch_no",
            "serial_and_batch_bundle",
            "posting_date",
            "posting_time",
            "creation",
            "is_cancelled",
            *WHO,
        ),
        ("voucher_no", "batch_no", "serial_and_batch_bundle"),
    ),
    BUNDLED: Table(("name", "parent", "batch_no", "qty"), ("parent", "batch_no")),
    ENTRY: Table(("name", "purpose", "work_order", "docstatus", *WHO), ("work_order",)),
    DETAIL: Table(
        (
            "name",
            "parent",
            "batch_no",
            "serial_and_batch_bundle",
            "s_warehouse",
            "t_warehouse",
        ),
        ("parent", "serial_and_batch_bundle"),
    ),
    INSPECTION: Table(
        (
            "name",
            "reference_type",
            "reference_name",
            "item_code",
            "batch_no",
            "status",
            "docstatus",
            "quality_inspection_template",
            "inspected_by",
            "amended_from",
            *WHO,
        ),
        ("reference_name",),
    ),
    NONCONFORMANCE: Table(
        ("name", "subject", "status", "details", "custom_batch_no", "custom_severity", *WHO)
    ),
    USER: Table(("name", "full_name")),
}
"""Tables and columns to publish. `tabUser` holds keys of the API: publish only these columns."""

DRAFT, SUBMITTED, CANCELLED = "0", "1", "2"

VERDICTS: Final[Mapping[str, InspectionVerdict]] = {
    "Accepted": InspectionVerdict.ACCEPTED,
    "Rejected": InspectionVerdict.REJECTED,
    "Cancelled": InspectionVerdict.PENDING,
}
"""Of a submitted inspection, by `status`."""

STATES: Final[Mapping[str, NonconformityState]] = {
    "Open": NonconformityState.OPEN,
    "Resolved": NonconformityState.CLOSED,
    "Cancelled": NonconformityState.CANCELLED,
}

SEVERITIES: Final[Mapping[str, Severity]] = {
    "critical": Severity.CRITICAL,
    "major": Severity.MAJOR,
    "minor": Severity.MINOR,
    "unfounded": Severity.UNFOUNDED,
}

RELATIONS: Final[Mapping[str, str]] = {
    "Manufacture": "consumed",
    "Material Consumption for Manufacture": "consumed",
    "Disassemble": "consumed",
    "Repack": "repack",
}
"""Purposes of a stock entry that make lots from lots, with the relation."""

STOCK_VOUCHERS: Final = frozenset(
    {"Purchase Receipt", "Purchase Invoice", "Delivery Note", "Sales Invoice", "Stock Entry"}
)
"""Inspected documents whose lots the stock ledger tells once they are submitted."""
