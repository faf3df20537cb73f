"""Which signature row signs the end of a nonconformity.

A signature counts if all of this holds:

* the record is closed or cancelled;
* its meaning approves that end (`APPROVING`);
* if the record was ever reopened: the row was committed after the last reopening and `signed_at`
  is later than it. What was signed for an earlier end does not sign the next one.

Before the first reopening the order of signature and stage does not matter: people sign, then move
the record, or the other way round. Of several the newest counts. The row is taken as found; nothing
of it is verified cryptographically.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from connectors.translators.oca.tables import (
    APPROVING,
    APPROVING_CANCELLATION,
    ENDED,
    SIGNATURE,
    STAGE,
    STATES,
)
from connectors.translators.reading import BadRow, Record, written
from streams.model.facts import NonconformityState, Signature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.model.rows import Cell, SourceTransaction
    from streams.model.translation import CoalescedRow, Rejected, Rows


def note_reopening(rows: Rows, origin: SourceTransaction, row: CoalescedRow) -> None:
    """Keep when a record was last reopened."""
    if _ended(rows, row.before) and row.after is not None and not _ended(rows, row.after):
        rows.keep(
            f"reopened {row.key}",
            {"lsn": origin.commit_lsn, "at": origin.committed_at.isoformat()},
        )


def note_signature(rows: Rows, origin: SourceTransaction, row: CoalescedRow) -> None:
    """Keep when a signature row was first seen."""
    name = f"signed {row.key}"
    if row.after is not None and not rows.kept(name):
        rows.keep(name, {"lsn": origin.commit_lsn})


def signature_of(
    rows: Rows, origin: SourceTransaction, key: str, state: NonconformityState
) -> tuple[Signature | None, list[Rejected]]:
    """The signature that signs a record's end, and the signature rows that cannot be read."""
    if state not in ENDED:
        return None, []
    reopened = rows.kept(f"reopened {key}")
    meanings = APPROVING
    if state is NonconformityState.CANCELLED:
        meanings |= APPROVING_CANCELLATION
    valid: list[Signature] = []
    rejected: list[Rejected] = []
    for number in rows.keys_where(SIGNATURE, "nonconformity_id", key):
        record = Record(SIGNATURE, number, rows.image(SIGNATURE, number) or {})
        if _meaning(record) not in meanings:
            continue
        try:
            signature = _read(record)
        except BadRow as error:
            rejected.append(error.rejected(origin))
            continue
        if _is_for_this_end(rows, number, signature, reopened):
            valid.append(signature)
    newest = max(valid, key=lambda item: (item.signed_at, item.signature_id), default=None)
    return newest, rejected


def _is_for_this_end(
    rows: Rows, number: str, signature: Signature, reopened: Mapping[str, Cell]
) -> bool:
    if not reopened:
        return True
    first_seen = rows.kept(f"signed {number}").get("lsn")
    after_commit = isinstance(first_seen, int) and first_seen > int(written(reopened["lsn"]))
    return after_commit and signature.signed_at > datetime.fromisoformat(written(reopened["at"]))


def _read(record: Record) -> Signature:
    signed_at = record.instant("signed_at")
    signer = record.text("signer_login")
    if signed_at is None or not signer:
        raise BadRow(
            record,
            "signed_at" if signed_at is None else "signer_login",
            "a signature needs a signer and a time",
            code="incomplete_signature",
            advice="have the record signed again; until then it counts as not signed",
        )
    return Signature(
        signature_id=record.key,
        signer=signer,
        printed_name=record.text("signer_name"),
        meaning=record.text("meaning"),
        signed_at=signed_at,
    )


def _meaning(record: Record) -> str:
    words = record.text("meaning").casefold().replace("_", " ").replace("-", " ").split()
    return " ".join(words)


def _ended(rows: Rows, image: Mapping[str, Cell] | None) -> bool:
    stage = None if image is None else rows.image(STAGE, image.get("stage_id"))
    return stage is not None and STATES.get(written(stage.get("state"))) in ENDED
