"""The open dead letters of one partition, and the records that wait behind them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

import orjson

from streams.engine.poison.stored import StoredRecord, packed, unpacked
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streams.engine.poison.stored import Raw

OPEN_PREFIX: Final = b"\0\1open"
WAIT_PREFIX: Final = b"\0\1wait"
Changes = dict[bytes, bytes | None]


class Blocked:
    """One key behind its dead letter."""

    __slots__ = ("head", "waiting")

    def __init__(self, head: int) -> None:
        self.head = head
        self.waiting: deque[int] = deque()


class Ledger:
    """What is open in a partition. Every change is also a change of the partition's store."""

    def __init__(self, fetch: Callable[[bytes], bytes | None], limit: int) -> None:
        """Begin empty; `load` takes up what is stored.

        Args:
            fetch: Reads the partition's store.
            limit: Most records that may wait in this partition.
        """
        self._fetch = fetch
        self._limit = limit
        self.blocked: dict[bytes, Blocked] = {}
        self._open: dict[int, dict[str, Any]] = {}
        self._count = 0

    def load(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Take up what is stored.

        Args:
            records: The engine's own records of the partition, in key order, so heads come before
                what waits behind them.
        """
        self.blocked.clear()
        self._open.clear()
        self._count = 0
        for key, value in records:
            if key.startswith(OPEN_PREFIX):
                self._opened(int.from_bytes(key[len(OPEN_PREFIX) :]), orjson.loads(value))
            elif key.startswith(WAIT_PREFIX):
                record = unpacked(value)
                self._waits(record.octets_key or b"", record.at)

    def open(self, record: Raw, attempts: int, changes: Changes, *, blocks: bool) -> None:
        """Note a dead letter, and block its key if the stage wants that."""
        key = record.key()
        entry = {
            "attempts": attempts,
            "blocked": (key or b"").hex() if blocks and key is not None else None,
        }
        self._opened(record.offset(), entry)
        changes[_name(OPEN_PREFIX, record.offset())] = orjson.dumps(entry)

    def attempts(self, offset: int) -> int | None:
        """How often an open dead letter was tried; None if none is open there."""
        entry = self._open.get(offset)
        return None if entry is None else int(entry["attempts"])

    def close(self, offset: int, changes: Changes) -> bytes | None:
        """Forget a dead letter.

        Returns:
            The key that it blocks, None if it blocks none. The key stays blocked until
            `release_next` finds nothing behind it.
        """
        entry = self._open.pop(offset)
        changes[_name(OPEN_PREFIX, offset)] = None
        return None if entry["blocked"] is None else bytes.fromhex(entry["blocked"])

    def wait(self, record: Raw, changes: Changes) -> None:
        """Let a record wait behind the dead letter of its key.

        Raises:
            Misconfigured: Too many wait already.
        """
        if self._count >= self._limit:
            raise Misconfigured(
                f"{self._count} records wait behind dead letters of this partition, the limit is"
                f" {self._limit}",
                code="queue_full",
                kept="all of them, and the records that were not read yet",
                advice="replay or drop the dead letters that block keys (`lotgate dlq list`), or"
                " raise the limit",
            )
        self._waits(record.key() or b"", record.offset())
        changes[_name(WAIT_PREFIX, record.offset())] = packed(record)

    def next_waiting(self, key: bytes, changes: Changes) -> StoredRecord | None:
        """Take the next record that waits for a key whose head is resolved.

        Returns:
            The record, or None when nothing waits: then the key is free.
        """
        blocked = self.blocked[key]
        if not blocked.waiting:
            del self.blocked[key]
            return None
        name = _name(WAIT_PREFIX, blocked.waiting.popleft())
        self._count -= 1
        # A record that came to wait in this very cycle is not on disk yet.
        raw = changes.get(name) or self._fetch(name)
        if raw is None:
            raise AssertionError(f"a waiting record is missing in the store: {name!r}")
        changes[name] = None
        return unpacked(raw)

    def _opened(self, offset: int, entry: dict[str, Any]) -> None:
        self._open[offset] = entry
        if entry["blocked"] is not None:
            key = bytes.fromhex(entry["blocked"])
            known = self.blocked.get(key)
            if known is None:
                self.blocked[key] = Blocked(offset)
            else:
                known.head = offset

    def _waits(self, key: bytes, offset: int) -> None:
        self.blocked[key].waiting.append(offset)
        self._count += 1


def _name(prefix: bytes, offset: int) -> bytes:
    return prefix + offset.to_bytes(8)
