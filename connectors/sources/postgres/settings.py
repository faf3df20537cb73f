"""What a PostgreSQL source needs to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from connectors.sources.postgres.form import RecordForm
from connectors.sources.postgres.selection import Selection

SnapshotMode = Literal["initial", "no_data"]


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """Settings of one PostgreSQL source.

    Attributes:
        source: Source id, e.g. `erp`; part of topic names and event ids.
        translator: Name of the translator that understands its rows.
        site: The plant whose lots this source describes.
        dsn: Connection string; the role needs REPLICATION and SELECT on the published tables.
        slot: Replication slot; created when missing.
        slot_failover: Standbys are given a copy of the slot, from PostgreSQL 17 on.
        publication: Publication; never created or changed by us.
        prefix: Installation prefix of topics; empty for none.
        version: Version of the connector, as it stands in every record.
        tables: `schema.table` that must be published; empty accepts whatever is.
        selection: Keys that replace a table's own, and the field policy.
        snapshot: `initial` reads the tables first; `no_data` starts at the slot's first position.
        snapshot_workers: Connections that read a table's ranges in an initial snapshot; more than
            one is worth its memory where more than two cores are free.
        snapshot_rows: Most rows of a range.
        process_rows: Rows from which on a table is read by processes of their own, one
            per connection; fewer are read before such a process has started.
        window_rows: Most rows that are read at once while the log is streamed; it waits so long.
        compat: `debezium`: raw records exactly as Debezium's, also where it loses a value.
        form: Which records are written beside the rows', and how values travel.
        chunk_bytes: Most bytes of a transaction record before it is split.
        record_bytes: Most bytes of one row in a record; a larger row becomes a dead letter.
        commit_floor_ms: Least time between two commits while changes come faster than commits; 0
            commits whenever nothing more is at hand.
        idle_store_s: While nothing changes: least time between two stored positions.
        check_s: Time between two checks of the slot.
    """

    source: str
    translator: str
    site: str
    dsn: str = field(repr=False)
    slot: str
    publication: str
    prefix: str = ""
    version: str = ""
    tables: tuple[str, ...] = ()
    selection: Selection = field(default_factory=Selection)
    snapshot: SnapshotMode = "initial"
    snapshot_workers: int = 1
    snapshot_rows: int = 4_000
    process_rows: int = 100_000
    window_rows: int = 4_096
    compat: Literal["", "debezium"] = ""
    form: RecordForm = field(default_factory=RecordForm)
    chunk_bytes: int = 1024 * 1024
    record_bytes: int = 2 * 1024 * 1024 - 64 * 1024
    commit_floor_ms: float = 10.0
    idle_store_s: float = 10.0
    check_s: float = 10.0
    slot_failover: bool = False

    @property
    def names_transactions(self) -> bool:
        """Each event names its transaction; Debezium's do only with transaction metadata."""
        return not self.compat or self.form.transaction_metadata

    @property
    def text_only(self) -> bool:
        """Values are asked for as text: a mode is set that is worked out from text alone."""
        return not self.form.plain

    @property
    def name(self) -> str:
        """The prefix of the raw topics: `[prefix.]cdc.<source>`."""
        return f"{self.prefix}.cdc.{self.source}" if self.prefix else f"cdc.{self.source}"
