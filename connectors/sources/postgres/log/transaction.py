"""The transaction being read: what has gathered so far, and where its rows come from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from connectors.base import DeadRow, RawRecord
from connectors.sources.encoding.transactions import TransactionHead
from connectors.sources.postgres.log.frames import lsn_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.base import TableShape
    from connectors.sources.encoding.blocks import Blocks
    from connectors.sources.postgres.generated.encoder import Span
    from connectors.sources.postgres.log.pgoutput import Begin
    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.shape.envelope import SourceBlock
    from streams.errors import Poison


@dataclass(slots=True)
class OpenTransaction:
    """The transaction being read, and the chunk being filled.

    Attributes:
        begin: Its beginning.
        blocks: Counts its events.
        head: What its transaction records share; None for a source without a translator.
        clock: The encoded processing times.
        ordinal: The next row's.
        chunk: Number of the chunk being filled.
        skip: Rows before this ordinal were carried before.
        sources: The source blocks by relation.
        spans: What generated code needs, by relation.
        changes: Encoded row changes of the transaction record.
        records: Raw records.
        dead: Rows that cannot be carried.
        filled: What `chunk_bytes` limits: bytes of the transaction record, or of raw records.
        size: Bytes, about.
        rows: Row changes.
    """

    begin: Begin
    blocks: Blocks
    head: TransactionHead | None
    clock: bytes
    ordinal: int = 0
    chunk: int = 0
    skip: int = 0
    sources: dict[int, SourceBlock] = field(default_factory=dict)
    spans: dict[int, Span] = field(default_factory=dict)
    changes: list[bytes] = field(default_factory=list)
    records: list[RawRecord] = field(default_factory=list)
    dead: list[DeadRow] = field(default_factory=list)
    filled: int = 0
    size: int = 0
    rows: int = 0

    def middle(self, without: int) -> dict[str, Any]:
        """Where to go on in front of the row at hand, as a position keeps it.

        Args:
            without: Events of the row at hand that were counted already.
        """
        tables = dict(self.blocks.tables)
        if without:
            tables[self.blocks.current] -= without
        return {
            "commit": self.begin.commit_lsn,
            "ordinal": self.ordinal,
            "chunk": self.chunk + 1,
            "events": self.blocks.total - without,
            "tables": tables,
        }


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the rows come from.

    Attributes:
        system_id: The server's identity.
        database: Database name.
        base: What every stored position holds.
    """

    system_id: str
    database: str
    base: Mapping[str, Any]


def head_of(
    settings: PostgresSettings, origin: Origin, begin: Begin, now_us: int
) -> TransactionHead | None:
    """What a transaction's records for the translator share; None without a translator."""
    if not settings.translator:
        return None
    return TransactionHead(
        source=settings.source,
        translator=settings.translator,
        site=settings.site,
        database=origin.database,
        system_id=origin.system_id,
        tx_id=begin.xid,
        commit_lsn=begin.commit_lsn,
        committed_us=begin.committed_us,
        ingested_us=now_us,
        snapshot=False,
        connector_version=settings.version,
    )


def dead_row(
    error: Poison, event_id: str, table: str, lsn: int, raw: bytes, shape: TableShape | None = None
) -> DeadRow:
    """A row that cannot be carried, with its cause.

    Args:
        error: The cause.
        event_id: The id of its event.
        table: Schema and table.
        lsn: Where it stands in the log.
        raw: Its bytes as the server sent them.
        shape: What is needed to read the bytes later.
    """
    text = "" if shape is None else json.dumps(asdict(shape), separators=(",", ":"))
    return DeadRow(event_id, raw, table, lsn_text(lsn), error.code, str(error), text)
