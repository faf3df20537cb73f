"""Ids of row events: the same for every reader, on every replay."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from streams.model.ids import NAMESPACE, escaped

if TYPE_CHECKING:
    from connectors.sources.postgres.log.pgoutput import Relation
    from connectors.sources.postgres.shape.plan import TableFacts

_NAMESPACE = NAMESPACE.bytes


def row_event(system_id: str, source: str, commit_lsn: int, ordinal: int) -> str:
    """The id of a row change.

    Args:
        system_id: The server's identity.
        source: Source id.
        commit_lsn: Commit position of the transaction.
        ordinal: 0-based place of the row among the transaction's row changes.
    """
    return f"pg:{system_id}:{source}:{commit_lsn:X}:{ordinal}"


def snapshot_event(system_id: str, run: int, table: str, key: bytes, number: int) -> str:
    """The id of a row read by a snapshot.

    Args:
        system_id: The server's identity.
        run: The snapshot's log position; another run gives other ids.
        table: `schema.table`.
        key: The row's key, encoded; empty for a table without a key.
        number: 0-based number of the row in the table, used without a key.
    """
    row = hashlib.sha256(key).hexdigest()[:32] if key else str(number)
    return f"pg:{system_id}:snap:{run:X}:{table}:{row}"


def uuid_seed(text: str) -> bytes:
    """What the beginning of an event's id adds to the hash that its UUID is made of."""
    return _NAMESPACE + escaped(text).encode()


def event_uuid(text: str) -> bytes:
    """The 16 bytes of `derived_id(text)`, made without a UUID object (a fifth of the time)."""
    digest = bytearray(hashlib.sha1(uuid_seed(text)).digest()[:16])  # noqa: S324 - uuid5 is made of SHA-1
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    return bytes(digest)


def event_headers(event_id: str) -> list[tuple[str, bytes]]:
    """The headers that name an event."""
    return [("event_id", event_id.encode()), ("event_uuid", event_uuid(event_id))]


def mark_event(system_id: str, source: str, commit_lsn: int, mark: str) -> str:
    """The id of a record about a transaction, or of a message outside one.

    Args:
        system_id: The server's identity.
        source: Source id.
        commit_lsn: Commit position of the transaction, or the message's own.
        mark: What the record says.
    """
    return f"pg:{system_id}:{source}:{commit_lsn:X}:{mark}"


def key_columns(relation: Relation, facts: TableFacts, *, mirror: bool) -> frozenset[str]:
    """The columns that identify a row in every change of it.

    With an index as replica identity the log's old image has only the index's columns, so those
    are the key; the primary key would be unknown in a delete.

    Args:
        relation: The table.
        facts: What the catalogue adds.
        mirror: Do as Debezium, which keys by the primary key there.
    """
    if facts.override:
        return frozenset(facts.override)
    flagged = frozenset(column.name for column in relation.columns if column.flagged)
    if relation.identity == "f" or (relation.identity == "i" and mirror) or not flagged:
        published = frozenset(column.name for column in relation.columns)
        return facts.primary_key if facts.primary_key <= published else frozenset()
    return flagged
