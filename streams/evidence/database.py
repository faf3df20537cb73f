"""How a process reaches and fills the evidence database, and what its errors mean."""

from __future__ import annotations

from typing import Any, Final, Protocol

import psycopg

from streams.errors import Misconfigured, Transient
from streams.runtime.connection_string import parts_of

CONNECT_SECONDS = 10
"""How long one attempt to connect may take."""


def connected(dsn: str, name: str) -> psycopg.Connection[Any]:
    """Connect to the evidence database.

    Args:
        dsn: Connection string; never logged.
        name: Shown by the server as the client's name.

    Raises:
        Transient: The database cannot be reached.
        Misconfigured: It refuses the role, or the string is wrong.
    """
    # The driver's own words can repeat a malformed string, password included.
    parts_of(dsn, "LOTGATE_EVIDENCE_DSN")
    try:
        return psycopg.connect(
            dsn,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            application_name=name,
            # A server that vanished without a word is noticed within half a minute.
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
        )
    except psycopg.Error as error:
        raise judged(error) from error


_RIGHTS = ("42501", "28000", "28P01", "3D000", "3F000")
"""SQL states that a person must put right: privileges, login, no such database or schema."""


def judged(error: psycopg.Error) -> Transient | Misconfigured:
    """Judge what the database said: come back later, or a person must act."""
    told = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if error.sqlstate in _RIGHTS or "authentication failed" in told:
        return Misconfigured(
            f"the evidence database refuses this role: {told}",
            code="database_refused",
            kept="all records stay in their topics",
            advice="correct LOTGATE_EVIDENCE_DSN, or let the role own the database",
        )
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Transient(
            f"the evidence database cannot be used now: {told}",
            code="database_unreachable",
            kept="all records stay in their topics; nothing is stored in part",
        )
    return Misconfigured(
        f"the evidence database does not fit this build: {told}",
        code="database_mismatch",
        kept="all records stay in their topics",
        advice="check that nobody changed the schema `evidence`; it can be dropped and refilled",
    )


BOUNDS: Final = (
    "select set_config('lock_timeout', '15s', false),"
    " set_config('idle_in_transaction_session_timeout', '30s', false)"
)
"""A writer that stands still with an open transaction loses it, and nobody waits longer for it."""


class ReadRecord(Protocol):
    """A record as a reader hands it over."""

    @property
    def topic(self) -> str:
        """Full name on the broker."""
        ...

    @property
    def partition(self) -> int:
        """Partition."""
        ...

    @property
    def offset(self) -> int:
        """Offset."""
        ...

    @property
    def timestamp_ms(self) -> int:
        """Milliseconds since 1970; negative if the record has no time."""
        ...

    @property
    def key(self) -> bytes | None:
        """Key bytes."""
        ...

    @property
    def value(self) -> bytes | None:
        """Value bytes, None for a tombstone."""
        ...

    @property
    def headers(self) -> tuple[tuple[str, bytes], ...]:
        """Header names and values, in order."""
        ...


# Parameters are named as the columns; every statement is safe to repeat.
_EVENT = (
    "event_id, topic, kind, event_type, subject_id, subject_version, record_key, lots, partition,"
    " record_offset, kafka_timestamp, site_id, source_system, source_database, source_schema,"
    " source_table, source_tx_id, source_lsn, source_ordinal, source_op, occurred_at, recorded_at,"
    " ingested_at, correlation_id, causation_id, trace_id, actor, actor_name, actor_role,"
    " synthetic, schema_id, raw_sha256, body, chain"
)
_DEAD_LETTER = (
    "topic, partition, record_offset, origin, original_topic, original_partition, original_offset,"
    " consumer_group, stage, error_class, code, message, record_key, record_value, raw_sha256,"
    " headers, kafka_timestamp"
)


def _values(columns: str) -> str:
    return ", ".join(f"%({name})s" for name in columns.split(", "))


STORE_EVENT: Final = f"""
with stored as (
    insert into evidence.events ({_EVENT}) values ({_values(_EVENT)})
    on conflict (event_id, topic) do nothing returning 1
)
insert into evidence.duplicates
    (topic, partition, record_offset, event_id, kafka_timestamp, raw_sha256)
select %(topic)s, %(partition)s, %(record_offset)s, %(event_id)s, %(kafka_timestamp)s::timestamptz,
    %(raw_sha256)s
where not exists (select from stored) and not exists (
    select from evidence.events where event_id = %(event_id)s and topic = %(topic)s
        and partition = %(partition)s and record_offset = %(record_offset)s)
on conflict do nothing
"""  # noqa: S608 - the columns are the constants above
"""A second delivery of an event is written down; a second reading of one record is not one."""

STORE_LOT: Final = """
insert into evidence.lots (lot_id, site, material, number)
values (%(lot_id)s, %(site)s, %(material)s, %(number)s)
on conflict do nothing
"""

STORE_DEAD_LETTER: Final = f"""
insert into evidence.dead_letters ({_DEAD_LETTER})
values ({_values(_DEAD_LETTER)})
on conflict do nothing
"""  # noqa: S608 - the columns are the constants above

ADVANCE: Final = """
insert into evidence.offsets as known (consumer_group, topic, partition, next_offset)
values (%(group)s, %(topic)s, %(partition)s, %(next)s)
on conflict (consumer_group, topic, partition)
do update set next_offset = excluded.next_offset, updated_at = clock_timestamp()
where known.next_offset = %(expected)s
"""
"""Changes one row, or none when another writer has moved the position since."""
