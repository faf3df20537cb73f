"""Inspection results, with the lots that were inspected.

An inspection names its batch, or only a document and an item: then its lots are those of the item
that the document moved, as far as the stock ledger knows them; an inspection before the document is
submitted is told again when they are known. Of a document that makes lots from lots, what came out
was inspected, not what went in.

A cancelled inspection decides nothing any more; its amended copy is an inspection of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.translators.erpnext.site import Site, optional
from connectors.translators.erpnext.tables import (
    CANCELLED,
    DRAFT,
    ENTRY,
    INSPECTION,
    LEDGER,
    RELATIONS,
    STOCK_VOUCHERS,
    SUBMITTED,
    VERDICTS,
)
from connectors.translators.reading import BadRow, Record
from streams.model.facts import InspectionResult, InspectionVerdict
from streams.model.translation import UNSTAMPED, CoalescedRow, Draft, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULT = "lotgate.quality.inspection_result"


def inspection_drafts(site: Site, key: str, row: CoalescedRow) -> Iterator[Draft | Rejected]:
    """The result of an inspection, once it has one, and again when more of its lots are known."""
    found = site.keyed(INSPECTION, key)
    if found is None:
        # A draft may be deleted; what was submitted cannot be, and its result stands.
        return
    verdict = _verdict(found)
    if verdict is InspectionVerdict.PENDING and not site.rows.said(RESULT, (key,)):
        return
    lots: set[str] = set()
    for batch, by in _batches(site, found):
        try:
            lots.add(site.lot_named(batch, by, "batch_no"))
        except BadRow as error:
            yield error.rejected(site.origin)
    kind, document = optional(found, "reference_type"), optional(found, "reference_name")
    fact = InspectionResult(
        UNSTAMPED,
        inspection_id=found.text("name"),
        number=found.text("name"),
        lots=tuple(sorted(lots)),
        verdict=verdict,
        origin=",".join(part for part in (kind, document) if part),
        control=optional(found, "quality_inspection_template"),
    )
    yield Draft(
        fact,
        event_type=RESULT,
        subject_id=fact.inspection_id,
        identity=(key,),
        completed_by=row,
        matters=(verdict, fact.origin, *fact.lots),
        actor=site.actor(found.cells, "inspected_by"),
    )
    if verdict is InspectionVerdict.REJECTED and not lots and kind not in STOCK_VOUCHERS:
        raise BadRow(
            found,
            "batch_no",
            f"inspection {fact.number} was rejected, but names no batch, and its document moves "
            "no stock",
            code="inspection_without_batch",
            advice="hold the lots by a nonconformity, or enter the batch in an amended inspection",
        )


def _verdict(found: Record) -> InspectionVerdict:
    docstatus = found.text("docstatus")
    if docstatus in {DRAFT, CANCELLED}:
        return InspectionVerdict.PENDING
    status = found.text("status")
    if docstatus != SUBMITTED or status not in VERDICTS:
        column = "status" if docstatus == SUBMITTED else "docstatus"
        known = ", ".join(VERDICTS) if docstatus == SUBMITTED else "0, 1, 2"
        raise BadRow(
            found,
            column,
            f"{found.text(column)!r} is not known here; known are {known}",
            code="unknown_state",
            advice="map the state in a newer translator, then save the row again",
        )
    return VERDICTS[status]


def _batches(site: Site, found: Record) -> list[tuple[str, Record]]:
    """Names of the inspected batches, each with the row that names it."""
    named = optional(found, "batch_no")
    if named:
        return [(named, found)]
    kind, document = optional(found, "reference_type"), optional(found, "reference_name")
    item = optional(found, "item_code")
    makes = False
    if kind == "Stock Entry":
        entry = site.named(ENTRY, document)
        makes = entry is not None and entry.text("purpose") in RELATIONS
    return [
        (batch, moved)
        for moved in site.where(LEDGER, "voucher_no", document)
        if moved.text("voucher_type") == kind
        and not moved.flag("is_cancelled")
        and (not item or moved.text("item_code") == item)
        and not (makes and moved.text("actual_qty").startswith("-"))
        for batch in site.batches_of(moved)
    ]
