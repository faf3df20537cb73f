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
