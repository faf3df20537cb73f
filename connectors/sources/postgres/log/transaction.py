"""The transaction being read: what has gathered so far, and where its rows come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from connectors.base import DeadRow, RawRecord
from connectors.sources.postgres.log.frames import lsn_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.sources.encoding.transactions import TransactionHead
    from connectors.sources.postgres.log.pgoutput import Begin
    from connectors.sources.postgres.shape.envelope import SourceBlock
    from connectors.sources.postgres.shape.rows import Blocks
    from streams.errors import Poison


@dataclass(slots=True)
class OpenTransaction:
    """The transaction being read, and the chunk being filled."""

    begin: Begin
    blocks: Blocks
    head: TransactionHead
    clock: bytes
    ordinal: int = 0
    chunk: int = 0
    skip: int = 0
    sources: dict[int, SourceBlock] = field(default_factory=dict)
    changes: list[bytes] = field(default_factory=list)
    records: list[RawRecord] = field(default_factory=list)
    dead: list[DeadRow] = field(default_factory=list)
    filled: int = 0
    size: int = 0
    rows: int = 0


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


def dead_row(error: Poison, event_id: str, table: str, lsn: int, raw: bytes) -> DeadRow:
    """A row that cannot be carried, with its cause."""
    return DeadRow(event_id, raw, table, lsn_text(lsn), error.code, str(error))
