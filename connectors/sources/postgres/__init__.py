"""PostgreSQL as a source: logical replication, Debezium-compatible records."""

from connectors.sources.postgres.settings import PostgresSettings, SnapshotMode
from connectors.sources.postgres.source import PostgresSource

__all__ = ["PostgresSettings", "PostgresSource", "SnapshotMode"]
