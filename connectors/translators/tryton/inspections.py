"""Inspection results, joined with the lots of the inspected document.

An inspection names no lot, only a document. Its lots are those of the document's moves that are not
cancelled.

A shipment's control may be for one product; then only lots of that product were inspected. A
production's inspection judges what it made, not what went in: Tryton picks controls of a run by the
products that go in, so the control's product says nothing here, and holding the inputs would hold
everything else that was made from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.translators.reading import BadRow, Record
from connectors.translators.tryton.tables import PRODUCTION, split_reference
from streams.model.facts import InspectionResult, InspectionVerdict
from streams.model.translation import UNSTAMPED, CoalescedRow, Draft, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.translators.tryton.plant import Plant

INSPECTION = "lotgate.quality.inspection_result"

VERDICTS = {
    "pending": InspectionVerdict.PENDING,
    "passed": InspectionVerdict.ACCEPTED,
    "failed": InspectionVerdict.REJECTED,
}


def inspection_drafts(plant: Plant, key: str, row: CoalescedRow) -> Iterator[Draft | Rejected]:
    """The result of an inspection, once it has one, and again when more of its lots are known."""
    found = plant.find("quality_inspection", key)
    if found is None:
        return
    verdict = _verdict(found)
    if verdict is InspectionVerdict.PENDING and not plant.rows.said(INSPECTION, (key,)):
        return
    lots: set[str] = set()
    for lot in _lots(plant, found):
        try:
            lots.add(plant.name_of(lot).lot)
        except BadRow as error:
            yield error.rejected(plant.origin)
    control = plant.find("quality_control", found.cell("control"))
    fact = InspectionResult(
        UNSTAMPED,
        inspection_id=key,
        number=found.text("number"),
        lots=tuple(sorted(lots)),
        verdict=verdict,
        origin=found.text("origin"),
        control="" if control is None else control.text("name"),
    )
    image = CoalescedRow(row.schema, found.table, key, row.op, row.ordinal, None, found.cells)
    employees = ("failed_by", "passed_by", "processed_by")
    yield Draft(
        fact,
        event_type=INSPECTION,
        subject_id=key,
        identity=(key,),
        completed_by=row,
        matters=(verdict, fact.origin, *fact.lots),
        actor=plant.actor(image, employees),
        occurred_at=found.time_if_readable("processed_at"),
    )
    if verdict is InspectionVerdict.REJECTED and split_reference(fact.origin) is None:
        raise BadRow(
            found,
            "origin",
            f"inspection {fact.number} failed, but is of no document, so it names no lot",
            code="inspection_without_document",
            advice="hold the lots by a nonconformity, or inspect the document they came with",
        )


def _verdict(found: Record) -> InspectionVerdict:
    state = found.text("state")
    if state not in VERDICTS:
        raise BadRow(
            found,
            "state",
            f"{state!r} is no state of an inspection that is known here",
            code="unknown_state",
            advice="map the state in a newer translator, then save the row again",
        )
    return VERDICTS[state]


def _lots(plant: Plant, found: Record) -> list[Record]:
    """Rows of the inspected lots."""
    origin = found.text("origin")
    document = split_reference(origin)
    if document is None:
        return []
    if document[0] == PRODUCTION:
        return _moved(plant, "production_output", document[1])
    lots = _moved(plant, "shipment", origin)
    return _of_product(plant, found, lots) or lots


def _moved(plant: Plant, column: str, document: str) -> list[Record]:
    lots: dict[str, Record] = {}
    for key in plant.rows.keys_where("stock_move", column, document):
        move = plant.find("stock_move", key)
        if move is None or move.text("state") == "cancelled":
            continue
        lot = plant.find("stock_lot", move.cell("lot"))
        if lot is not None:
            lots[lot.key] = lot
    return list(lots.values())


def _of_product(plant: Plant, found: Record, lots: list[Record]) -> list[Record]:
    """Lots of the control's product; none if it is for no product, or the document has none."""
    control = plant.find("quality_control", found.cell("control"))
    product = None if control is None else control.cell("product")
    return [] if product is None else [lot for lot in lots if lot.cell("product") == product]
