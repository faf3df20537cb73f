"""What a source process needs to know beyond where the broker is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from connectors.sources.postgres import PostgresSettings
from connectors.sources.postgres.form import RecordForm
from connectors.sources.postgres.selection import Selection


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """When an open Kafka transaction is committed although more is at hand.

    At idle none of them matters: a transaction is committed as soon as nothing more is at hand.

    Attributes:
        rows: Row changes.
        bytes: Bytes, about.
        seconds: Time since it began.
        snapshot_rows: Row changes of a snapshot: one that fits is visible at once or not at all.
        snapshot_bytes: Bytes of a snapshot.
        snapshot_seconds: Time since it began, in a snapshot.
    """

    rows: int = 20_000
    bytes: int = 16 * 1024 * 1024
    seconds: float = 0.5
    snapshot_rows: int = 20_000
    snapshot_bytes: int = 16 * 1024 * 1024
    snapshot_seconds: float = 40.0


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """One source: a PostgreSQL database and where its changes go.

    Attributes:
        source: Source id, e.g. `erp`; part of topic names, event ids and positions.
        translator: Name of the translator that understands its rows.
        site: The plant whose lots it describes.
        dsn: Connection string of a role with REPLICATION and SELECT on the published tables.
        slot: Replication slot; created when missing.
        publication: Publication; made by the database's administrator, never by us.
        partition: This source's own partition of the positions topic.
        tables: `schema.table` that must be published; empty accepts whatever is.
        selection: Keys that replace a table's own, and the field policy.
        snapshot: `initial` reads the tables first; `no_data` starts with the next change.
        snapshot_workers: Connections that read a table's ranges in an initial snapshot.
        snapshot_rows: Most rows of a range.
        process_rows: Rows from which on a table is read by processes of their own, one
            per connection.
        window_rows: Most rows that are read at once while the log is streamed; it waits so long.
        provision: Create missing topics and register schemas.
        raw_partitions: Partitions of a raw topic that is created.
        compat: `debezium`: raw records exactly as Debezium's, also where it loses a value.
        form: Which records are written beside the rows', and how values travel.
        version: Version of the connector, as it stands in every record.
        chunk_bytes: Most bytes of a transaction record before it is split.
        commit_floor_ms: Least time between two commits while changes come faster than commits; 0
            commits whenever nothing more is at hand.
        idle_store_s: While nothing changes: least time between two stored positions.
        check_s: Time between two checks of slot and publication.
        slot_failover: Standbys are given a copy of the slot, from PostgreSQL 17 on.
        slot_wait_s: How long someone else may read the slot before this is an error. Our own dead
            connection does so for the server's wal_sender_timeout.
        parked_records: Most records of tables whose schemas the registry refuses that are kept
            aside; at one more the source stops.
        parked_bytes: Most bytes of them.
        transaction_timeout_ms: After this time the broker aborts a dead process's transaction.
        limits: When a Kafka transaction is committed under load.
    """

    source: str
    translator: str
    site: str
    dsn: str = field(repr=False)
    slot: str
    publication: str
    partition: int
    tables: tuple[str, ...] = ()
    selection: Selection = field(default_factory=Selection)
    snapshot: Literal["initial", "no_data"] = "initial"
    snapshot_workers: int = 1
    snapshot_rows: int = 4_000
    process_rows: int = 100_000
    window_rows: int = 4_096
    provision: bool = True
    raw_partitions: int = 4
    compat: Literal["", "debezium"] = ""
    form: RecordForm = field(default_factory=RecordForm)
    version: str = ""
    chunk_bytes: int = 1024 * 1024
    commit_floor_ms: float = 10.0
    idle_store_s: float = 10.0
    check_s: float = 10.0
    slot_failover: bool = False
    slot_wait_s: float = 180.0
    parked_records: int = 1_000_000
    parked_bytes: int = 2 * 1024 * 1024 * 1024
    transaction_timeout_ms: int = 60_000
    limits: BatchLimits = field(default_factory=BatchLimits)

    def postgres(self, prefix: str) -> PostgresSettings:
        """The settings of the source itself.

        Args:
            prefix: Installation prefix of topics.
        """
        return PostgresSettings(
            source=self.source,
            translator=self.translator,
            site=self.site,
            dsn=self.dsn,
            slot=self.slot,
            publication=self.publication,
            prefix=prefix,
            version=self.version,
            tables=self.tables,
            selection=self.selection,
            snapshot=self.snapshot,
            snapshot_workers=self.snapshot_workers,
            snapshot_rows=self.snapshot_rows,
            process_rows=self.process_rows,
            window_rows=self.window_rows,
            compat=self.compat,
            form=self.form,
            chunk_bytes=self.chunk_bytes,
            commit_floor_ms=self.commit_floor_ms,
            idle_store_s=self.idle_store_s,
            check_s=self.check_s,
            slot_failover=self.slot_failover,
        )
