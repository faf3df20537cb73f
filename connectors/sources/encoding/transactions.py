"""`SourceTransaction` records written without an object per row.

The bytes are those of the record's own codec; a runner proves that at start with a probe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.sources.encoding import primitives as avro

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class TransactionHead:
    """What all chunks of a transaction share; see `SourceTransaction` for the meaning.

    Attributes:
        source: Source id.
        translator: Translator's name.
        site: The plant.
        database: Database name.
        system_id: The server's identity.
        tx_id: Transaction number; 0 in a snapshot.
        commit_lsn: Commit position.
        committed_us: Commit time in microseconds since 1970.
        ingested_us: When the connector read it, in microseconds since 1970.
        snapshot: True for rows read by the initial snapshot.
        connector_version: Version of the connector.
    """

    source: str
    translator: str
    site: str
    database: str
    system_id: str
    tx_id: int
    commit_lsn: int
    committed_us: int
    ingested_us: int
    snapshot: bool
    connector_version: str


def transaction_id(head: TransactionHead) -> str:
    """What names a transaction of a source in a chain: source, server and commit position."""
    return f"{head.source}:{head.system_id}:{head.commit_lsn}"


def chunk_body(head: TransactionHead, chunk: int, changes: list[bytes], *, last: bool) -> bytes:
    """Encode one chunk.

    Args:
        head: What all chunks share.
        chunk: 0-based number of this chunk.
        changes: Encoded row changes in log order.
        last: This is the transaction's last chunk.
    """
    return b"".join(
        (
            avro.string(head.source),
            avro.string(head.translator),
            avro.string(head.site),
            avro.string(head.database),
            avro.string(head.system_id),
            avro.long(head.tx_id),
            avro.long(head.commit_lsn),
            avro.long(head.committed_us),
            avro.long(head.ingested_us),
            avro.TRUE if head.snapshot else avro.FALSE,
            avro.long(chunk),
            avro.TRUE if last else avro.FALSE,
            avro.array(changes),
            avro.string(head.connector_version),
        )
    )


def change_body(
    ordinal: int,
    head: bytes,
    key: bytes,
    before: list[bytes] | None,
    after: list[bytes] | None,
    unavailable: Sequence[str] = (),
) -> bytes:
    """Encode one row change.

    Args:
        ordinal: 0-based place of the row in its transaction.
        head: Schema, table and operation, encoded one after the other.
        key: The key, encoded as a map.
        before: Map entries of the old image.
        after: Map entries of the new image.
        unavailable: Columns whose unchanged large value the log does not repeat.
    """
    return b"".join(
        (
            avro.long(ordinal),
            head,
            key,
            avro.NULL if before is None else avro.SOME + avro.array(before),
            avro.NULL if after is None else avro.SOME + avro.array(after),
            avro.array([avro.string(name) for name in unavailable]) if unavailable else avro.NULL,
        )
    )
