"""Questions to the evidence store. Each answers from indexes and returns plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row

from streams.evidence.records import LotRow
from streams.model.ids import UNKNOWN_MATERIAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from psycopg import Connection

_EVENT = (
    "event_id, topic, kind, event_type, subject_id, subject_version, lots, partition,"
    " record_offset, kafka_timestamp, source_system, source_database, source_schema, source_table,"
    " source_tx_id, source_lsn, source_ordinal, source_op, recorded_at, correlation_id,"
    " causation_id, actor, actor_name, actor_role, body, chain"
)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as the store holds it. Columns: see `streams.evidence.tables`."""

    event_id: str
    topic: str
    kind: str
    event_type: str
    subject_id: str
    subject_version: int
    lots: list[str]
    partition: int
    record_offset: int
    kafka_timestamp: datetime | None
    source_system: str
    source_database: str
    source_schema: str
    source_table: str
    source_tx_id: int
    source_lsn: int
    source_ordinal: int
    source_op: str
    recorded_at: datetime
    correlation_id: str
    causation_id: str
    actor: str
    actor_name: str
    actor_role: str
    body: dict[str, Any]
    chain: str = ""


def lots_named(connection: Connection[Any], asked: str) -> list[LotRow]:
    """Find lots by lot id or by lot number.

    A number that a record gave without material stands for all lots with that number; it is
    returned only when no lot with a material has it.

    Args:
        connection: To the evidence database.
        asked: A lot id or a lot number.
    """
    with connection.cursor(row_factory=class_row(LotRow)) as cursor:
        found = cursor.execute(
            "select lot_id, site, material, number from evidence.lots"
            " where lot_id = %(asked)s or number = %(asked)s order by lot_id",
            {"asked": asked.strip()},
        ).fetchall()
    known = [lot for lot in found if lot.material != UNKNOWN_MATERIAL or lot.lot_id == asked]
    return known or found


def events_of(connection: Connection[Any], lots: Iterable[str]) -> list[StoredEvent]:
    """Return every event that names one of the lots, in the order of the topics' own time."""
    return _events(
        connection,
        "where lots && %(lots)s order by kafka_timestamp, topic, partition, record_offset",
        {"lots": list(lots)},
    )


def events_with(connection: Connection[Any], ids: Iterable[str]) -> list[StoredEvent]:
    """Return the events that have one of these ids, in the order of the topics' own time."""
    return _events(
        connection,
        "where event_id = any(%(ids)s) order by kafka_timestamp, topic, partition, record_offset",
        {"ids": list(ids)},
    )


def records_of(connection: Connection[Any], cause_id: str) -> list[StoredEvent]:
    """Return every version of the record behind a cause, oldest first.

    Args:
        connection: To the evidence database.
        cause_id: `<type>:<system>:<record id>`.
    """
    kind, _, rest = cause_id.partition(":")
    system, _, subject = rest.partition(":")
    return _events(
        connection,
        "where kind = 'fact' and subject_id = %(subject)s and source_system = %(system)s"
        " and event_type like %(type)s order by subject_version, record_offset",
        {"system": system, "subject": subject, "type": f"%.{kind}%"},
    )


def latest_states(connection: Connection[Any], lots: Iterable[str]) -> dict[str, StoredEvent]:
    """Return the last known hold state of each lot that has one, by lot id."""
    rows = _events(
        connection,
        "where kind = 'state' and lots && %(lots)s order by record_offset",
        {"lots": list(lots)},
    )
    return {event.body["lot_id"]: event for event in rows}


def edges_between(
    connection: Connection[Any], lots: Iterable[str]
) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return the genealogy edges among lots: (parent, child) to the edge's own fields."""
    wanted = list(lots)
    rows = _events(
        connection,
        "where kind = 'fact' and lots && %(lots)s and body ? 'parent_lot_id'"
        " order by subject_version, record_offset",
        {"lots": wanted},
    )
    return {(e.body["parent_lot_id"], e.body["child_lot_id"]): e.body for e in rows}


def commands_since(
    connection: Connection[Any], since: datetime | None, lots: Iterable[str] | None = None
) -> list[StoredEvent]:
    """Return commands and acks whose root was committed at or after an instant.

    Args:
        connection: To the evidence database.
        since: Earliest commit time of the root; None for all.
        lots: Only these lots; None for all.
    """
    return _events(
        connection,
        "where kind in ('command', 'ack')"
        " and (%(since)s::timestamptz is null or recorded_at >= %(since)s)"
        " and (%(lots)s::text[] is null or lots && %(lots)s)"
        " order by kafka_timestamp, topic, partition, record_offset",
        {"since": since, "lots": None if lots is None else list(lots)},
    )


def dead_letters_since(
    connection: Connection[Any], since: datetime | None, limit: int = 100
) -> list[dict[str, Any]]:
    """Return dead letters as they are known here, newest first, without their bytes."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select topic, partition, record_offset, origin, original_topic, original_partition,"
            " original_offset, stage, error_class, code, message, kafka_timestamp"
            " from evidence.dead_letters"
            " where %(since)s::timestamptz is null or kafka_timestamp >= %(since)s"
            " order by stored_at desc limit %(limit)s",
            {"since": since, "limit": limit},
        ).fetchall()


def _events(
    connection: Connection[Any], condition: str, values: Mapping[str, Any]
) -> list[StoredEvent]:
    with connection.cursor(row_factory=class_row(StoredEvent)) as cursor:
        statement = f"select {_EVENT} from evidence.events {condition}"  # noqa: S608 - constants
        return cursor.execute(statement, values).fetchall()
