"""What a transaction concerns, whichever of its rows changed and in whatever order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from connectors.translators.erpnext.tables import (
    BATCH,
    BUNDLED,
    DETAIL,
    ENTRY,
    INSPECTION,
    LEDGER,
    NONCONFORMANCE,
)
from connectors.translators.reading import Record, written
from streams.model.ids import escaped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.translators.erpnext.site import Site
    from streams.model.rows import Cell
    from streams.model.translation import CoalescedRow


class Voucher(NamedTuple):
    """A document that moves stock: its type and its name."""

    kind: str
    number: str


@dataclass(slots=True)
class Touched:
    """Everything that may have something new to say, each with the last change that concerns it.

    Attributes:
        batches: By key.
        vouchers: Documents whose ledger entries changed.
        orders: Work orders, or single stock entries without one; see `order_of`.
        inspections: By key.
        nonconformances: By key.
        deleted: Names of batches that are gone, by the time of their creation.
    """

    batches: dict[str, CoalescedRow] = field(default_factory=dict)
    vouchers: dict[Voucher, CoalescedRow] = field(default_factory=dict)
    orders: dict[str, CoalescedRow] = field(default_factory=dict)
    inspections: dict[str, CoalescedRow] = field(default_factory=dict)
    nonconformances: dict[str, CoalescedRow] = field(default_factory=dict)
    deleted: dict[str, str] = field(default_factory=dict)


def touch(site: Site, touched: Touched, row: CoalescedRow) -> None:
    """Note what a row concerns."""
    if row.table == BATCH:
        touched.batches[row.key] = row
        if row.after is None and row.before is not None:
            touched.deleted[written(row.before.get("creation"))] = written(row.before.get("name"))
    elif row.table == INSPECTION:
        touched.inspections[row.key] = row
    elif row.table == NONCONFORMANCE:
        touched.nonconformances[row.key] = row
    else:
        for image in (row.before, row.after):
            if image is not None:
                _touch_stock(site, touched, row, image)


def renames(site: Site, touched: Touched) -> dict[str, str]:
    """Former names of the batches that were renamed, by the new name: a rename keeps `creation`."""
    found: dict[str, str] = {}
    for key, row in touched.batches.items():
        batch = site.keyed(BATCH, key) if row.table == BATCH else None
        former = touched.deleted.get(written(batch.cells.get("creation"))) if batch else None
        if batch is not None and former and former != batch.text("name"):
            found[batch.text("name")] = former
    return found


def order_of(entry: Record) -> str:
    """What groups stock entries: their work order, or the entry itself."""
    order = entry.text("work_order")
    return f"order {order}" if order else f"entry {entry.text('name')}"


def _touch_stock(
    site: Site, touched: Touched, row: CoalescedRow, image: Mapping[str, Cell]
) -> None:
    record = Record(row.table, row.key, image)
    if row.table == LEDGER:
        _touch_ledger(site, touched, row, record)
    elif row.table == ENTRY:
        touched.orders[order_of(record)] = row
    elif row.table == DETAIL:
        _touch_entry(site, touched, row, record.text("parent"))
    elif row.table == BUNDLED:
        bundle = record.text("parent")
        for entry in site.where(LEDGER, "serial_and_batch_bundle", bundle):
            _touch_ledger(site, touched, row, entry)
        for detail in site.where(DETAIL, "serial_and_batch_bundle", bundle):
            _touch_entry(site, touched, row, detail.text("parent"))
        if record.text("batch_no"):
            touched.batches.setdefault(escaped(record.text("batch_no")), row)


def _touch_ledger(site: Site, touched: Touched, row: CoalescedRow, entry: Record) -> None:
    voucher = Voucher(entry.text("voucher_type"), entry.text("voucher_no"))
    touched.vouchers[voucher] = row
    for batch in site.batches_of(entry):
        touched.batches.setdefault(escaped(batch), row)
    if row.op != "r":
        for inspection in site.where(INSPECTION, "reference_name", voucher.number):
            touched.inspections.setdefault(inspection.key, row)


def _touch_entry(site: Site, touched: Touched, row: CoalescedRow, name: str) -> None:
    entry = site.named(ENTRY, name)
    if entry is not None:
        touched.orders.setdefault(order_of(entry), row)
