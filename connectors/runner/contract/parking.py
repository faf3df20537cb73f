"""Rows of a table whose schema the registry refuses: kept aside in order, given back in order.

A parked row is the very record that its topic would have got, written to the source's parking topic
in the Kafka transaction of its position; only the frame in front of its bytes is provisional and
names the version of the table's shape. When the registry takes the schemas, the records go to their
topic with the right frames, and how far that went is stored in the transactions that carry them. So
ids, order and exactly-once are those of a row that was never parked.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from connectors.base import ANY_PARTITION, RawRecord
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from streams.engine import Record

FRAME_BYTES: Final = 5
PROVISIONAL: Final = 0xFF
"""Stands first in a frame until the registry gives the schema an id."""
TOPIC, WHERE = "lotgate-parked-topic", "lotgate-parked-partition"
"""Headers of a parked record: the topic it waits for, and which partition if not by its key."""
MOVED_KEYS: Final = frozenset({"__debezium.oldkey", "__debezium.newkey"})
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0


def provisional(version: int) -> bytes:
    """The frame of a version whose schema has no id yet."""
    return bytes([PROVISIONAL]) + version.to_bytes(FRAME_BYTES - 1, "big")


def version_in(payload: bytes | None) -> int | None:
    """The version that a provisional frame names; None for anything else."""
    if payload is None or len(payload) < FRAME_BYTES or payload[0] != PROVISIONAL:
        return None
    return int.from_bytes(payload[1:FRAME_BYTES], "big")


@dataclass(frozen=True, slots=True)
class Parked:
    """A table that waits for the registry.

    Attributes:
        topic: Its raw topic, full name.
        table: Schema and table.
        reason: What the registry said.
        since_ms: Since when, milliseconds since 1970.
        offset: Where in the parking topic the first of its rows stands that was not given back.
        records: Records that were not given back.
        bytes: Bytes in them.
    """

    topic: str
    table: str
    reason: str
    since_ms: int
    offset: int
    records: int = 0
    bytes: int = 0


class Parking:
    """The parked tables of one source.

    Args:
        source: Source id.
        place: The parking topic, full name, and the source's partition of it.
        limits: Most records and most bytes that may wait.
        stored: What the history topic holds of parked tables, by record key.
    """

    def __init__(
        self,
        source: str,
        place: tuple[str, int],
        limits: tuple[int, int],
        stored: Mapping[bytes, bytes],
    ) -> None:
        self._source = source
        self._place, self._partition = place
        self._limits = limits
        self._tables: dict[str, Parked] = {}
        self._dirty: set[str] = set()
        self._next = 0.0
        self.wait_s = FIRST_WAIT_S
        """How long the registry is left alone after its next refusal, in seconds."""
        for value in stored.values():
            parked = Parked(**json.loads(value))
            self._tables[parked.topic] = parked

    def __bool__(self) -> bool:
        return bool(self._tables)

    @property
    def tables(self) -> tuple[Parked, ...]:
        """What is parked, longest first."""
        return tuple(sorted(self._tables.values(), key=lambda each: each.since_ms))

    @property
    def words(self) -> str:
        """What waits, for people; empty if nothing does."""
        return "; ".join(
            f"{each.table} waits with {each.records:,} records: {each.reason}"
            for each in self.tables
        )

    def park(self, parked: Parked) -> None:
        """Keep a table's rows aside from now on; stored with the first of them."""
        self._tables[parked.topic] = parked
        self._next = time.monotonic() + self.wait_s

    def divert(self, records: Sequence[RawRecord]) -> Iterator[RawRecord]:
        """Send the records of parked tables to the parking topic, the others where they go.

        Raises:
            Misconfigured: `parking_full`.
        """
        for record in records:
            parked = self._tables.get(record.topic)
            if parked is None:
                yield record
                continue
            size = len(record.value or b"") + len(record.key or b"")
            self._tables[record.topic] = replace(
                parked, records=parked.records + 1, bytes=parked.bytes + size
            )
            self._dirty.add(record.topic)
            self._refuse_more()
            headers = [*record.headers, (TOPIC, record.topic.encode())]
            if record.partition != ANY_PARTITION:
                headers.append((WHERE, b"%d" % record.partition))
            yield RawRecord(self._place, record.key, record.value, headers, self._partition)

    def _refuse_more(self) -> None:
        records = sum(each.records for each in self._tables.values())
        size = sum(each.bytes for each in self._tables.values())
        if records <= self._limits[0] and size <= self._limits[1]:
            return
        names = ", ".join(each.table for each in self.tables)
        raise Misconfigured(
            f"Source {self._source} keeps {records:,} records ({size:,} bytes) of {names} aside, "
            "whose schemas the registry refuses, and may keep no more",
            code="parking_full",
            kept="what is parked is stored in order; the slot keeps every change from here on",
            advice="make the registry take the schemas (see the log for its reasons), or raise "
            "LOTGATE_SOURCE_PARKED_RECORDS or _BYTES, then start the source",
        )

    def states(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Keys and values of what changed since the last call, for the history topic."""
        for topic in sorted(self._dirty):
            parked = self._tables.get(topic)
            key = json.dumps([self._source, topic, "parked"]).encode()
            yield key, None if parked is None else json.dumps(asdict(parked)).encode()
        self._dirty.clear()

    def table(self, topic: str) -> Parked | None:
        """The parked table of a topic; None if it flows."""
        return self._tables.get(topic)

    @property
    def due(self) -> bool:
        """It is time to ask the registry again."""
        return bool(self._tables) and time.monotonic() >= self._next

    def refused(self) -> None:
        """The registry was asked and still refuses: ask again, later each time."""
        self._next = time.monotonic() + self.wait_s
        self.wait_s = min(self.wait_s * 2, LONGEST_WAIT_S)

    def given_back(self, topic: str, offset: int, records: Sequence[RawRecord]) -> None:
        """Take note of records that were given back, up to an offset."""
        parked = self._tables[topic]
        size = sum(len(each.value or b"") + len(each.key or b"") for each in records)
        self._tables[topic] = replace(
            parked,
            offset=offset,
            records=parked.records - len(records),
            bytes=parked.bytes - size,
        )
        self._dirty.add(topic)
        self.wait_s = FIRST_WAIT_S

    def free(self, topic: str) -> None:
        """Let a table flow again; the last of its rows was given back."""
        del self._tables[topic]
        self._dirty.add(topic)


def destination(record: Record) -> str:
    """The raw topic that a parked record waits for."""
    return (record.header(TOPIC) or b"").decode()


def framed(record: Record, frames: Mapping[int, tuple[bytes, bytes]]) -> RawRecord:
    """A parked record as its topic gets it.

    Args:
        record: What the parking topic holds.
        frames: Frames of keys and of values by version.
    """

    def key_of(payload: bytes | None) -> Any:
        version = version_in(payload)
        return payload if version is None else frames[version][0] + (payload or b"")[FRAME_BYTES:]

    version = version_in(record.value)
    value = record.value
    if version is not None and value is not None:
        value = frames[version][1] + value[FRAME_BYTES:]
    headers = [
        (name, key_of(content) if name in MOVED_KEYS else content)
        for name, content in record.headers
        if name not in (TOPIC, WHERE)
    ]
    where = int(record.header(WHERE) or ANY_PARTITION)
    return RawRecord(destination(record), key_of(record.key), value, headers, where)
