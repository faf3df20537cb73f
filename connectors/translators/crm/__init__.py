"""A CRM or ERP as a source of customer specifications.

A record and its limits are two tables; whichever of them changes, the whole specification is told
again at a higher version. An edit that does not itself say from when it holds, takes effect at its
commit: what was measured before is judged by what was in force before. A deleted record is
withdrawn in the same way.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from connectors.translators.crm.tables import LIMIT, SPEC, STATES, TABLES
from connectors.translators.reading import BadRow, Record, attempt, written
from streams.model.facts import CharacteristicLimit, CustomerSpec, SpecState
from streams.model.ids import customer_item
from streams.model.translation import UNSTAMPED, Draft

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from streams.model.rows import SourceTransaction
    from streams.model.translation import Coalesced, CoalescedRow, Rejected, Rows

__all__ = ["TABLES", "CrmTranslator"]

CUSTOMER_SPEC = "lotgate.quality.customer_spec"


class CrmTranslator:
    """See `streams.model.translation.Translator`."""

    name = "crm"
    version = "1"
    tables = TABLES

    def translate(self, transaction: Coalesced, rows: Rows) -> Iterator[Draft | Rejected]:
        """One fact per specification that the transaction concerns."""
        touched: dict[str, list[CoalescedRow]] = {}
        for row in transaction.rows:
            for key in _records(row):
                touched.setdefault(key, []).append(row)
        for key, concerned in touched.items():
            origin = transaction.origin
            yield from attempt(origin, partial(_drafts, origin, rows, key, concerned))


def _records(row: CoalescedRow) -> list[str]:
    """Keys of the specifications that a row concerns."""
    if row.table == SPEC:
        return [row.key]
    images = [image for image in (row.before, row.after) if image is not None]
    return list(dict.fromkeys(written(image.get("spec_id")) for image in images))


def _drafts(
    origin: SourceTransaction, rows: Rows, key: str, concerned: list[CoalescedRow]
) -> Iterator[Draft]:
    header = next((row for row in concerned if row.table == SPEC), None)
    deleted = header is not None and header.after is None
    record = _record(rows, key, header, concerned[-1])
    state = SpecState.WITHDRAWN if deleted else _state(record)
    said_from = record.instant("effective_from")
    if said_from is None and state == SpecState.APPROVED:
        raise BadRow(
            record,
            "effective_from",
            "an approved specification does not say from when it holds",
            code="no_effectivity",
            advice="enter the date, then save the record again",
        )
    fact = CustomerSpec(
        UNSTAMPED,
        spec_id=key,
        customer=_code(record, "customer_code"),
        item=_code(record, "product_code"),
        revision=record.text("revision"),
        state=state,
        effective_from=_effective_from(origin, rows, key, header, said_from),
        effective_to=record.instant("effective_to"),
        limits=() if deleted else _limits(rows, key),
        sampling_plan=record.text("sampling_plan"),
    )
    yield Draft(
        fact,
        event_type=CUSTOMER_SPEC,
        subject_id=customer_item(fact.customer, fact.item),
        identity=(key,),
        completed_by=concerned[-1],
        matters=_matters(fact, said_from),
    )


def _record(rows: Rows, key: str, header: CoalescedRow | None, last: CoalescedRow) -> Record:
    image = header.image if header is not None else rows.image(SPEC, key)
    if image is None:
        raise BadRow(
            Record(last.table, last.key, last.image),
            "spec_id",
            f"specification {key} is not known",
            code="reference_unknown",
            advice=f"check that {SPEC} is in the source's publication, then save the row again",
        )
    return Record(SPEC, key, image)


def _effective_from(
    origin: SourceTransaction,
    rows: Rows,
    key: str,
    header: CoalescedRow | None,
    said: datetime | None,
) -> datetime:
    """From when this version holds: as the record says, if it says so for the first time.

    An older statement was about an earlier version; so the edit takes effect when it was committed.
    """
    committed = origin.committed_at
    if said is None:
        return committed
    first = not rows.said(CUSTOMER_SPEC, (key,))
    if first or (header is not None and _says_anew(header)):
        return said
    return max(said, committed)


def _says_anew(header: CoalescedRow) -> bool:
    """Whether the edit states a time of its own; a snapshot does not show what was edited."""
    before, after = header.before, header.after
    if before is None or after is None:
        return False
    return before.get("effective_from") != after.get("effective_from")


def _state(record: Record) -> SpecState:
    name = record.text("state").casefold()
    if name not in STATES:
        raise BadRow(
            record,
            "state",
            f"the state {name!r} is unknown; known are {', '.join(STATES)}",
            code="unknown_state",
            advice="correct the state, or map it in a translator of your own",
        )
    return STATES[name]


def _code(record: Record, column: str) -> str:
    code = record.text(column)
    if not code:
        raise BadRow(
            record,
            column,
            "the specification does not say whose or of what it is",
            code="spec_without_subject",
            advice="enter the code, then save the record again",
        )
    return code


def _limits(rows: Rows, key: str) -> tuple[CharacteristicLimit, ...]:
    """All limits of a specification; a bad one rejects all of it, or a limit would be missing."""
    found: dict[str, CharacteristicLimit] = {}
    for number in rows.keys_where(LIMIT, "spec_id", key):
        record = Record(LIMIT, number, rows.image(LIMIT, number) or {})
        limit = _limit(record)
        if limit.characteristic in found:
            raise BadRow(
                record,
                "characteristic",
                f"specification {key} has two limits of {limit.characteristic!r}",
                code="limit_twice",
                advice="delete one of them",
            )
        found[limit.characteristic] = limit
    return tuple(found[name] for name in sorted(found))


def _limit(record: Record) -> CharacteristicLimit:
    name = record.text("characteristic")
    lower, upper = record.amount("lower_limit"), record.amount("upper_limit")
    if not name:
        raise BadRow(
            record,
            "characteristic",
            "the limit does not say of what it is",
            code="limit_without_characteristic",
            advice="enter the characteristic",
        )
    if lower is not None and upper is not None and lower > upper:
        raise BadRow(
            record,
            "lower_limit",
            f"the lower limit {lower} is above the upper limit {upper}",
            code="limits_crossed",
            advice="correct the limits",
        )
    return CharacteristicLimit(name, lower, upper, record.text("unit"))


def _matters(fact: CustomerSpec, said_from: datetime | None) -> tuple[str, ...]:
    """All that is worth a new version; a time that we derive is not, or a replay were news."""
    limits = (
        f"{each.characteristic}|{each.lower}|{each.upper}|{each.unit}" for each in fact.limits
    )
    times = (str(said_from), str(fact.effective_to))
    named = (fact.customer, fact.item, fact.revision, fact.state, fact.sampling_plan)
    return (*named, *times, *limits)
