"""The open dead letters of one partition, and the records that wait behind them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from streams.contracts.topics import DEAD_LETTER_LIMIT_BYTES
from streams.engine.poison.stored import StoredRecord, packed, unpacked
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streams.engine.poison.stored import Raw

ADVICE: Final = (
    "replay or drop the dead letters that block keys (`lotgate dlq list --waiting`), then start the"
    " worker again; or raise {limit}"
)
OPEN_PREFIX: Final = b"\0\1open"
WAIT_PREFIX: Final = b"\0\1wait"
Changes = dict[bytes, bytes | None]


class ParkingFull(Misconfigured):
    """No further record can wait behind the dead letters of a partition; the worker stops.

    Going on without the record would let a later event of its key overtake it.
    """

    code = "parking_full"


@dataclass(frozen=True, slots=True)
class Parking:
    """How much may wait behind the dead letters of one partition.

    Attributes:
        records: Most records.
        octets: Most bytes of all of them, headers and keys included.
        record_octets: Most bytes of one of them: what its changelog takes.
    """

    records: int = 10_000
    octets: int = 64 * 1024 * 1024
    record_octets: int = DEAD_LETTER_LIMIT_BYTES


class Blocked:
    """One key behind its dead letter."""

    __slots__ = ("head", "waiting")

    def __init__(self, head: int) -> None:
        self.head = head
        self.waiting: deque[tuple[int, int]] = deque()
        """Offset and stored size of each record that waits, in order."""


class Ledger:
    """What is open in a partition. Every change is also a change of the partition's store."""

    def __init__(self, fetch: Callable[[bytes], bytes | None], limits: Parking) -> None:
        """Begin empty; `load` takes up what is stored.

        Args:
            fetch: Reads the partition's store.
            limits: How much may wait in this partition.
        """
        self._fetch = fetch
        self._limits = limits
        self.blocked: dict[bytes, Blocked] = {}
        self._open: dict[int, dict[str, Any]] = {}
        self.waiting = 0
        self.octets = 0

    def load(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Take up what is stored.

        Args:
            records: The engine's own records of the partition, in key order, so heads come before
                what waits behind them.
        """
        self.blocked.clear()
        self._open.clear()
        self.waiting = 0
        self.octets = 0
        for key, value in records:
            if key.startswith(OPEN_PREFIX):
                self._opened(int.from_bytes(key[len(OPEN_PREFIX) :]), orjson.loads(value))
            elif key.startswith(WAIT_PREFIX):
                record = unpacked(value)
                self._waits(record.octets_key or b"", record.at, len(value))

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

    def open_attempts(self) -> dict[int, int]:
        """Every open dead letter's offset, and how often it was tried."""
        return {offset: int(entry["attempts"]) for offset, entry in self._open.items()}

    def behind(self, offset: int) -> tuple[int, int]:
        """How many records wait behind an open dead letter, and how many bytes they take."""
        name = self._open[offset]["blocked"]
        blocked = None if name is None else self.blocked.get(bytes.fromhex(name))
        if blocked is None or blocked.head != offset:
            return (0, 0)
        return (len(blocked.waiting), sum(size for _, size in blocked.waiting))

    def blocks(self, offset: int, key: bytes | None) -> bool:
        """Whether an open dead letter blocks no key, or this one."""
        name = self._open[offset]["blocked"]
        return name is None or bytes.fromhex(name) == key

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
            ParkingFull: Too many wait already, or too many bytes.
        """
        stored = packed(record)
        self._refuse_surplus(record, len(stored))
        self._waits(record.key() or b"", record.offset(), len(stored))
        changes[_name(WAIT_PREFIX, record.offset())] = stored

    def next_waiting(self, key: bytes, changes: Changes) -> StoredRecord | None:
        """Take the next record that waits for a key whose head is resolved.

        Returns:
            The record, or None when nothing waits: then the key is free.
        """
        blocked = self.blocked[key]
        if not blocked.waiting:
            del self.blocked[key]
            return None
        offset, size = blocked.waiting.popleft()
        name = _name(WAIT_PREFIX, offset)
        self.waiting -= 1
        self.octets -= size
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

    def _refuse_surplus(self, record: Raw, size: int) -> None:
        limits = self._limits
        if size > limits.record_octets:
            full = f"with its headers it takes {size} bytes, the limit is {limits.record_octets}"
            advice = ADVICE.format(limit="the limit of the changelog's records")
        elif self.waiting >= limits.records:
            full = f"{self.waiting} records wait already, the limit is {limits.records}"
            advice = ADVICE.format(limit="LOTGATE_PARKING_RECORDS")
        elif self.octets + size > limits.octets:
            full = (
                f"{self.waiting} records of {self.octets} bytes wait already, the limit is"
                f" {limits.octets} bytes"
            )
            advice = ADVICE.format(limit="LOTGATE_PARKING_BYTES")
        else:
            return
        raise ParkingFull(
            f"the record at offset {record.offset()} must wait behind the dead letter of its key"
            f" and cannot: {full}",
            kept="all that waits, and the records that were not read yet",
            advice=advice,
        )

    def _waits(self, key: bytes, offset: int, size: int) -> None:
        self.blocked[key].waiting.append((offset, size))
        self.waiting += 1
        self.octets += size


def _name(prefix: bytes, offset: int) -> bytes:
    return prefix + offset.to_bytes(8)
