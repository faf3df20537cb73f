"""The tables of the evidence store: declared once, made and upgraded in one place.

Everything lies in the schema `evidence` of one PostgreSQL database. Nothing in it is the only copy:
it is filled from the topics, together with the positions up to which they were read, and can be
dropped and filled again at any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.errors import Misconfigured

if TYPE_CHECKING:
    from typing import Any

    from psycopg import Connection

SCHEMA: Final = "evidence"

EVENTS: Final = """
create table evidence.events (
    event_id        text not null,
    topic           text not null,
    kind            text not null check (kind in ('fact', 'command', 'ack', 'state')),
    event_type      text not null,
    subject_id      text not null,
    subject_version bigint not null,
    record_key      text not null,
    lots            text[] not null,
    partition       integer not null,
    record_offset   bigint not null,
    kafka_timestamp timestamptz,
    site_id         text not null,
    source_system   text not null,
    source_database text not null,
    source_schema   text not null,
    source_table    text not null,
    source_tx_id    bigint not null,
    source_lsn      bigint not null,
    source_ordinal  integer not null,
    source_op       text not null,
    occurred_at     timestamptz not null,
    recorded_at     timestamptz not null,
    ingested_at     timestamptz not null,
    stored_at       timestamptz not null default clock_timestamp(),
    correlation_id  text not null,
    causation_id    text not null,
    trace_id        text not null,
    actor           text not null,
    actor_name      text not null,
    actor_role      text not null,
    synthetic       boolean not null,
    schema_id       bigint not null,
    raw_sha256      bytea not null,
    body            jsonb not null,
    primary key (event_id, topic)
)
"""
"""One row per event. An event id is unique within its topic; the position is where it was first
seen. `record_offset` and `partition` are Kafka's; `source_*` name the row in the source database.
"""

DUPLICATES: Final = """
create table evidence.duplicates (
    topic           text not null,
    partition       integer not null,
    record_offset   bigint not null,
    event_id        text not null,
    kafka_timestamp timestamptz,
    raw_sha256      bytea not null,
    stored_at       timestamptz not null default clock_timestamp(),
    primary key (topic, partition, record_offset)
)
"""
"""Deliveries of an event that is known already: a source that lost its position, a topic that was
rewound. Harmless by design, and written down because an auditor asks how often it happens.
"""

LOTS: Final = """
create table evidence.lots (
    lot_id   text primary key,
    site     text not null,
    material text not null,
    number   text not null
)
"""
"""Every lot id that any event names, taken apart, so that people can ask by number."""

DEAD_LETTERS: Final = """
create table evidence.dead_letters (
    topic              text not null,
    partition          integer not null,
    record_offset      bigint not null,
    origin             text not null check (origin in ('topic', 'evidence')),
    original_topic     text not null,
    original_partition integer not null,
    original_offset    bigint not null,
    consumer_group     text not null,
    stage              text not null,
    error_class        text not null,
    code               text not null,
    message            text not null,
    record_key         bytea,
    record_value       bytea,
    raw_sha256         bytea not null,
    headers            jsonb not null,
    kafka_timestamp    timestamptz,
    stored_at          timestamptz not null default clock_timestamp(),
    primary key (topic, partition, record_offset)
)
"""
"""Records that could not be used, with their bytes. `origin` is `topic` for a record of a
dead-letter topic and `evidence` for one that the evidence writer itself could not read; `topic`,
`partition` and `record_offset` say where the bytes lie, `original_*` where they lay first.
"""

OFFSETS: Final = """
create table evidence.offsets (
    consumer_group text not null,
    topic          text not null,
    partition      integer not null,
    next_offset    bigint not null,
    updated_at     timestamptz not null default clock_timestamp(),
    primary key (consumer_group, topic, partition)
)
"""
"""Where reading goes on, per partition; changed only in the transaction that stores the records."""

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        EVENTS,
        "create index events_by_lot on evidence.events using gin (lots)",
        "create index events_by_correlation on evidence.events (correlation_id)",
        "create index events_by_subject on evidence.events (subject_id, kind)",
        "create index events_by_commit on evidence.events (recorded_at)",
        DUPLICATES,
        LOTS,
        "create index lots_by_number on evidence.lots (number)",
        DEAD_LETTERS,
        "create index dead_letters_by_origin on evidence.dead_letters (original_topic)",
        OFFSETS,
    ),
    # The chain of steps as the record's header told it; empty if the record came without.
    ("alter table evidence.events add column chain text not null default ''",),
)
"""Statements per version, oldest first. A released entry never changes; a change is a new entry."""

VERSION: Final = len(MIGRATIONS)
_LOCK = 0x4C6F7467617465
"""Key of the advisory lock under which one process at a time makes the tables."""


def migrate(connection: Connection[Any]) -> int:
    """Make the tables, or bring them to this version. Does nothing when they are there.

    Args:
        connection: To the evidence database, outside any transaction.

    Returns:
        How many versions were added.

    Raises:
        Misconfigured: The tables are newer than this build.
    """
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        connection.execute("create schema if not exists evidence")
        connection.execute(
            "create table if not exists evidence.versions (version integer primary key,"
            " applied_at timestamptz not null default clock_timestamp())"
        )
        row = connection.execute("select coalesce(max(version), 0) from evidence.versions")
        (found,) = row.fetchone() or (0,)
        if found > VERSION:
            raise Misconfigured(
                f"the evidence tables have version {found}, this build knows {VERSION}",
                code="evidence_newer_than_build",
                kept="all rows, nothing was changed",
                advice="run the newer build, or let this one fill an empty database",
            )
        for number in range(found + 1, VERSION + 1):
            for statement in MIGRATIONS[number - 1]:
                connection.execute(statement)
            connection.execute("insert into evidence.versions (version) values (%s)", (number,))
    return VERSION - int(found)


def drop(connection: Connection[Any]) -> None:
    """Remove all tables, rows and stored positions; the next start reads the topics anew."""
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        connection.execute("drop schema if exists evidence cascade")
