"""Row changes as a source database committed them, before they mean anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

Cell = str | int | bool | bytes | None
"""A column's value. Numbers with a fraction travel as their exact text, never as floats;
dates, times, json and everything else as the source's own text form."""


@dataclass(frozen=True, slots=True)
class RowChange:
    """One row change of a transaction.

    Attributes:
        ordinal: 0-based place among the row changes of its transaction, in log order.
        schema: Schema of the table.
        table: Table name, unquoted.
        op: `c`, `u`, `d`, `t` (truncate) or `r` (snapshot read).
        key: Primary key columns.
        before: Old image where the source has one, else None.
        after: New image; None after a delete.
        unavailable: Columns whose unchanged large value the log does not repeat.
    """

    ordinal: int
    schema: str
    table: str
    op: str
    key: Mapping[str, Cell]
    before: Mapping[str, Cell] | None = None
    after: Mapping[str, Cell] | None = None
    unavailable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceTransaction:
    """One committed database transaction, or one bounded chunk of it.

    Attributes:
        source: Source id, e.g. `erp`; the key.
        translator: Name of the translator (entry point group `lotgate.translators`).
        site: The plant whose lots this source describes.
        database: Database name.
        system_id: Identity of the source's server (PostgreSQL system identifier).
        tx_id: Transaction number; 0 in a snapshot.
        commit_lsn: Commit position; equal on all chunks and on every replay.
        committed_at: Commit time, aware.
        ingested_at: When the connector read it, aware.
        snapshot: True for rows read by the initial snapshot (op `r`).
        chunk: 0-based number of this chunk.
        last: True on the last chunk of the transaction (or of the snapshot).
        changes: Row changes in log order.
        connector_version: Version of the connector.
    """

    source: str
    translator: str
    site: str
    database: str
    system_id: str
    tx_id: int
    commit_lsn: int
    committed_at: datetime
    ingested_at: datetime
    snapshot: bool
    chunk: int
    last: bool
    changes: tuple[RowChange, ...]
    connector_version: str = ""


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """One thing that changed in a table's shape.

    Attributes:
        kind: `column_added`, `column_dropped`, `column_renamed`, `column_moved`, `type_changed`,
            `key_changed` or `identity_changed`.
        column: The column, by its new name; empty if the whole table is meant.
        was: What it was before; empty for none.
        now: What it is now; empty for none.
    """

    kind: str
    column: str = ""
    was: str = ""
    now: str = ""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table as its source describes it.

    Attributes:
        name: The column.
        type: Its type in the source's words, e.g. `numeric(10,2)`.
        key: It identifies a row in the source's log.
    """

    name: str
    type: str
    key: bool


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """A table of a source has another shape from one event on.

    Attributes:
        event_id: Derived from the first event; equal for every reader.
        source: Source id, e.g. `erp`.
        table: Schema and table; the key.
        topic: The table's raw topic.
        version: Number of the shape in the table's history, from 1.
        status: `accepted`, `parked` (the registry refuses the schemas, so the table's events wait)
            or `resumed` (they flow again).
        summary: What changed, in words.
        changes: What changed, as data; empty for a table that is seen for the first time.
        columns: The whole new shape, without columns that a policy drops.
        first_event: Id of the first row event of this shape.
        seen_at: When the connector wrote this, aware.
        connector_version: Version of the connector.
        reason: Why the table was parked; empty otherwise.
    """

    event_id: str
    source: str
    table: str
    topic: str
    version: int
    status: str
    summary: str
    changes: tuple[ColumnChange, ...]
    columns: tuple[TableColumn, ...]
    first_event: str
    seen_at: datetime
    connector_version: str
    reason: str = ""
