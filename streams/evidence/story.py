"""The story of a lot: from the rows that were committed to what was read back, with times."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from streams.evidence.lot_story import CauseStory, CauseVersion, DatabaseRow, Hop, LotStory, Step
from streams.evidence.narration import signature_of, told
from streams.evidence.queries import (
    StoredEvent,
    edges_between,
    events_of,
    latest_states,
    records_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg import Connection

    from streams.evidence.records import LotRow

BEFORE = datetime.min.replace(tzinfo=UTC)
"""Sorts records without a time before all others."""
DEPTH_LIMIT = 64
"""Steps of genealogy that a path follows; the longest chain seen in a plant has a dozen."""


def story_of(connection: Connection[Any], lot: LotRow) -> LotStory:
    """Put together the story of one lot: its own events, and the records behind its causes."""
    latest = latest_states(connection, [lot.lot_id]).get(lot.lot_id)
    state: Mapping[str, Any] = latest.body if latest else {}
    refs: Sequence[Mapping[str, Any]] = state.get("causes", ())
    records = {ref["cause_id"]: records_of(connection, ref["cause_id"]) for ref in refs}
    told_of = {
        (event.event_id, event.topic): event
        for events in (*records.values(), events_of(connection, [lot.lot_id]))
        for event in events
    }
    steps = sorted(map(step_of, told_of.values()), key=lambda step: (step.at or BEFORE, step.topic))
    return LotStory(
        lot_id=lot.lot_id,
        site=lot.site,
        material=lot.material,
        number=lot.number,
        status=state.get("status", ""),
        disposition=state.get("disposition", ""),
        last_result=state.get("last_result", ""),
        note=state.get("note", ""),
        causes=tuple(
            cause_story(connection, lot.lot_id, ref, records[ref["cause_id"]]) for ref in refs
        ),
        steps=tuple(steps),
    )


def cause_story(
    connection: Connection[Any],
    lot_id: str,
    ref: Mapping[str, Any],
    versions: Sequence[StoredEvent],
) -> CauseStory:
    """Tell where a cause comes from and how it reached a lot.

    Args:
        connection: To the evidence database.
        lot_id: The lot.
        ref: The cause as the lot's state has it.
        versions: Every version of the record behind it.
    """
    last: Mapping[str, Any] = versions[-1].body if versions else {}
    return CauseStory(
        cause_id=ref["cause_id"],
        number=str(last.get("ref") or last.get("number") or ""),
        open=ref["open"],
        direct=ref["direct"],
        note=ref.get("note", ""),
        signature=ref.get("signature", ""),
        path=path_to(connection, lot_id, ref["cause_id"]),
        versions=tuple(
            CauseVersion(v.subject_version, told(v)[0], row_of(v), signature_of(v.body))
            for v in versions
        ),
    )


def path_to(connection: Connection[Any], lot_id: str, cause_id: str) -> tuple[Hop, ...]:
    """Follow a cause from a lot back to the lot that it names; the named lot comes first."""
    lots = [lot_id]
    while len(lots) < DEPTH_LIMIT:
        state = latest_states(connection, [lots[-1]]).get(lots[-1])
        causes: Sequence[Mapping[str, Any]] = state.body["causes"] if state else ()
        ref = next((ref for ref in causes if ref["cause_id"] == cause_id), None)
        above = ref["from_lot"] if ref is not None else ""
        if not above or above in lots:
            break
        lots.append(above)
    lots.reverse()
    edges = edges_between(connection, lots) if len(lots) > 1 else {}
    hops = [Hop(lots[0])]
    for parent, child in itertools.pairwise(lots):
        edge = edges.get((parent, child), {})
        hops.append(Hop(child, edge.get("relation", ""), edge.get("work_order", "")))
    return tuple(hops)


def step_of(event: StoredEvent) -> Step:
    """Tell one event."""
    title, details = told(event)
    at = moment_of(event)
    return Step(
        kind=event.kind,
        at=at,
        seconds=None if at is None else (at - event.recorded_at).total_seconds(),
        title=title,
        details=details,
        row=row_of(event),
        topic=event.topic,
        partition=event.partition,
        offset=event.record_offset,
        event_id=event.event_id,
        correlation_id=event.correlation_id,
        body=event.body,
    )


def moment_of(event: StoredEvent) -> datetime | None:
    """When it happened: a read-back when the target was read, else when it was produced."""
    observed = event.body.get("observed_at") if event.kind == "ack" else None
    return datetime.fromisoformat(observed) if observed else event.kafka_timestamp


def row_of(event: StoredEvent) -> DatabaseRow:
    """The row whose commit is the root of an event."""
    place = (event.source_database, event.source_schema, event.source_table)
    return DatabaseRow(
        system=event.source_system,
        table=".".join(part for part in place if part),
        lsn=f"{event.source_lsn >> 32:X}/{event.source_lsn & 0xFFFFFFFF:X}",
        transaction=event.source_tx_id,
        operation=event.source_op,
        actor=event.actor,
        actor_name=event.actor_name,
        committed_at=event.recorded_at,
    )
