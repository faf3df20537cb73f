"""When stock of a batch arrives where it could be used, and where it lies.

Every movement is in the stock ledger, whatever document made it. What a document brought of a batch
is the sum of its entries that are not cancelled: a transfer sums to nothing, a receipt or a
production to what came in. Whenever that sum rises, stock came into use: by a receipt, and also by
a delivery that was cancelled.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.translators.erpnext.site import Site, optional
from connectors.translators.erpnext.tables import BUNDLED, LEDGER
from connectors.translators.reading import Record, written
from streams.model.ids import escaped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.translators.erpnext.touched import Voucher
    from streams.model.translation import CoalescedRow


def brought(site: Site, voucher: Voucher) -> dict[str, Decimal]:
    """What a document brought of each batch, by the batch's name.

    Raises:
        BadRow: A quantity is none.
    """
    sums: dict[str, Decimal] = {}
    for entry in site.where(LEDGER, "voucher_no", voucher.number):
        if entry.text("voucher_type") != voucher.kind or entry.flag("is_cancelled"):
            continue
        for batch, quantity in site.moved(entry).items():
            sums[batch] = sums.get(batch, Decimal(0)) + quantity
    return sums


def risen(
    site: Site, voucher: Voucher, row: CoalescedRow, former: Mapping[str, str]
) -> dict[str, Decimal]:
    """How much more of each batch a document brings than when it was last seen.

    Args:
        site: The source.
        voucher: The document.
        row: The change that concerns it; a snapshot row is noted and brings nothing.
        former: Former names of batches that were renamed: what they brought is not new.
    """
    name = f"voucher {escaped(voucher.kind)}/{escaped(voucher.number)}"
    before = {batch: Decimal(written(text)) for batch, text in site.rows.kept(name).items()}
    now = brought(site, voucher)
    for new, old in former.items():
        if new in now and old in before:
            before[new] = before.pop(old)
    site.rows.keep(name, {batch: format(now[batch], "f") for batch in sorted(now)})
    if row.op == "r":
        return {}
    changes = {
        batch: now.get(batch, Decimal(0)) - before.get(batch, Decimal(0))
        for batch in now.keys() | before.keys()
    }
    return {batch: quantity for batch, quantity in sorted(changes.items()) if quantity > 0}


def place_of(site: Site, batch: str) -> str:
    """The warehouse into which stock of a batch was last put; empty if that is not known."""
    entries = [*_latest(site, "batch_no", batch), *_bundled(site, batch)]
    incoming = [
        entry
        for entry in entries
        if not entry.flag("is_cancelled") and not written(entry.cell("actual_qty")).startswith("-")
    ]
    if not incoming:
        return ""
    return max(incoming, key=_posted).text("warehouse")


def _bundled(site: Site, batch: str) -> list[Record]:
    keys = site.rows.latest_where(BUNDLED, "batch_no", batch)
    parts = [site.keyed(BUNDLED, key) for key in keys]
    bundles = dict.fromkeys(part.text("parent") for part in parts if part is not None)
    return [e for bundle in bundles for e in _latest(site, "serial_and_batch_bundle", bundle)]


def _latest(site: Site, column: str, value: str) -> list[Record]:
    keys = site.rows.latest_where(LEDGER, column, value) if value else ()
    return [entry for key in keys if (entry := site.keyed(LEDGER, key)) is not None]


def _posted(entry: Record) -> tuple[str, ...]:
    time = optional(entry, "posting_time")
    # The time of day has no leading zero in some releases.
    padded = time if time[1:2].isdigit() else f"0{time}"
    return (optional(entry, "posting_date"), padded, optional(entry, "creation"), entry.key)
