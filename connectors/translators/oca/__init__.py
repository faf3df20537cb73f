"""A QMS shaped after OCA's management system as a source: nonconformities.

The record, its lots and its signature are three tables; whichever of them changes, the whole record
is told again at a higher version. A deleted record counts as cancelled without a signature: nothing
that it held is released by its removal.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from connectors.translators.oca.signatures import note_reopening, note_signature, signature_of
from connectors.translators.oca.tables import (
    ENDED,
    LOT,
    RECORD,
    SEVERITIES,
    SEVERITY,
    SIGNATURE,
    STAGE,
    STATES,
    TABLES,
)
from connectors.translators.reading import BadRow, Record, attempt, written
from streams.model.canonical.affected import AffectedLot
from streams.model.envelope import Actor
from streams.model.facts import Nonconformity, NonconformityState, Severity
from streams.model.ids import lot_id
from streams.model.translation import UNSTAMPED, Draft

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.model.rows import SourceTransaction
    from streams.model.translation import Coalesced, CoalescedRow, Rejected, Rows

__all__ = ["TABLES", "OcaTranslator"]

NONCONFORMITY = "lotgate.quality.nonconformity"
DESCRIPTION_LIMIT = 4_000
"""Characters of a record's text that travel with it; a pasted report must not stop a hold."""


class OcaTranslator:
    """See `streams.model.translation.Translator`."""

    name = "oca"
    version = "1"
    tables = TABLES

    def translate(self, transaction: Coalesced, rows: Rows) -> Iterator[Draft | Rejected]:
        """One fact per nonconformity that the transaction concerns."""
        origin = transaction.origin
        touched: dict[str, CoalescedRow] = {}
        changed: set[tuple[str, str]] = set()
        for row in transaction.rows:
            changed.add((row.table, row.key))
            for key in _records(rows, origin, row):
                touched[key] = row
        for key, row in touched.items():
            for item in attempt(origin, partial(_drafts, origin, rows, key, row)):
                if isinstance(item, Draft) or _is_news(item, changed):
                    yield item


def _is_news(item: Rejected, changed: set[tuple[str, str]]) -> bool:
    """Whether to tell a bad row: a record each time, a lot or signature when itself changed."""
    return item.table == RECORD or (item.table, item.key) in changed


def _records(rows: Rows, origin: SourceTransaction, row: CoalescedRow) -> list[str]:
    """Keys of the nonconformities that a row concerns."""
    if row.table == RECORD:
        note_reopening(rows, origin, row)
        return [row.key]
    if row.table not in {LOT, SIGNATURE}:
        return []
    if row.table == SIGNATURE:
        note_signature(rows, origin, row)
    images = [image for image in (row.before, row.after) if image is not None]
    return list(dict.fromkeys(written(image.get("nonconformity_id")) for image in images))


def _drafts(
    origin: SourceTransaction, rows: Rows, key: str, row: CoalescedRow
) -> Iterator[Draft | Rejected]:
    record = _record(rows, key, row)
    state = NonconformityState.CANCELLED if _is_deleted(row) else _state(rows, record)
    lots, unnamed = _lots(origin, rows, key)
    signature, unsigned = signature_of(rows, origin, key, state)
    if _is_deleted(row):
        signature = None
    fact = Nonconformity(
        UNSTAMPED,
        nc_id=key,
        ref=record.text("ref"),
        severity=_severity(rows, record),
        state=state,
        lots=lots,
        signed=signature is not None,
        signature=signature,
        description=record.text("description")[:DESCRIPTION_LIMIT],
        affected=tuple(map(AffectedLot, lots)),
    )
    signed = "" if signature is None else signature.signature_id
    yield Draft(
        fact,
        event_type=NONCONFORMITY,
        subject_id=key,
        identity=(key,),
        completed_by=row,
        matters=(fact.ref, fact.severity, fact.state, signed, fact.description, *lots),
        actor=_actor(rows, row, record),
        occurred_at=record.time_if_readable("closing_date") if state in ENDED else None,
        signature_ids=(signed,) if signed else (),
    )
    yield from unnamed
    yield from unsigned


def _is_deleted(row: CoalescedRow) -> bool:
    return row.table == RECORD and row.after is None


def _record(rows: Rows, key: str, row: CoalescedRow) -> Record:
    if _is_deleted(row):
        return Record(RECORD, key, row.image)
    image = rows.image(RECORD, key)
    if image is None:
        raise BadRow(
            Record(row.table, row.key, row.image),
            "nonconformity_id",
            f"nonconformity {key} is not known",
            code="reference_unknown",
            advice=f"check that {RECORD} is in the source's publication, then save the row again",
        )
    return Record(RECORD, key, image)


def _state(rows: Rows, record: Record) -> NonconformityState:
    stage = rows.image(STAGE, record.cell("stage_id"))
    name = "" if stage is None else written(stage.get("state"))
    if name not in STATES:
        known = ", ".join(STATES)
        raise BadRow(
            record,
            "stage_id",
            f"stage {record.text('stage_id')} has the state {name!r}; known are {known}",
            code="unknown_stage",
            advice="map the stage to one of these states in the QMS (or publish its table), "
            "then save the record again",
        )
    return STATES[name]


def _severity(rows: Rows, record: Record) -> Severity:
    found = rows.image(SEVERITY, record.cell("severity_id"))
    name = "" if found is None else written(found.get("name"))
    return SEVERITIES.get(name.strip().casefold(), Severity.UNKNOWN)


def _lots(
    origin: SourceTransaction, rows: Rows, key: str
) -> tuple[tuple[str, ...], list[Rejected]]:
    """Lot ids that a record names, and the rows that name none."""
    lots: set[str] = set()
    rejected: list[Rejected] = []
    for number in rows.keys_where(LOT, "nonconformity_id", key):
        record = Record(LOT, number, rows.image(LOT, number) or {})
        try:
            lots.add(_lot_id(origin, record))
        except BadRow as error:
            rejected.append(error.rejected(origin))
    return tuple(sorted(lots)), rejected


def _lot_id(origin: SourceTransaction, record: Record) -> str:
    if not record.text("lot_number"):
        raise BadRow(
            record,
            "lot_number",
            "the row names no lot",
            code="lot_without_number",
            advice="enter the lot number; the record's other lots were translated",
        )
    return lot_id(origin.site, record.text("product_code"), record.text("lot_number"))


def _actor(rows: Rows, row: CoalescedRow, record: Record) -> Actor:
    """The signer of a signature row, else who wrote the record."""
    if row.table == SIGNATURE:
        return Actor(
            written(row.image.get("signer_login")) or Actor().user_id,
            written(row.image.get("signer_name")),
        )
    uid = record.cells.get("write_uid")
    uid = record.cells.get("create_uid") if uid is None else uid
    user = rows.image("res_users", uid)
    if user is None:
        return Actor() if uid is None else Actor(f"res.users,{written(uid)}")
    return Actor(written(user.get("login")), written(user.get("name")))
