"""Topics in memory: what the engine asks of a broker, without one."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

from streams.engine.kafka.records import Record, TopicPartitionKey
from streams.engine.kafka.transaction import NO_NOTES, Transaction
from streams.engine.poison.stored import StoredRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streams.runtime.connection import KafkaConnection

Torn = Literal["outputs", "all_but_positions"]
"""What of a dying transaction is seen all the same: a fault that real brokers have shown."""
OFFSET = attrgetter("at")
CREATE_TIME = 1


@dataclass(slots=True)
class Log:
    """One topic of one partition.

    Attributes:
        records: What readers of committed records see, in order.
        end: The next offset. A transaction's end takes one too, as on a broker.
    """

    records: list[StoredRecord] = field(default_factory=list)
    end: int = 0

    def since(self, offset: int) -> list[StoredRecord]:
        """The records from an offset on."""
        return self.records[bisect_left(self.records, offset, key=OFFSET) :]


class Broker:
    """Logs by full name of their topic, and the group's positions in them."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        """Begin empty.

        Args:
            now_us: The clock that records are stamped with.
        """
        self._now_us = now_us
        self._logs: dict[str, Log] = {}
        self.positions: dict[TopicPartitionKey, int] = {}

    def log(self, topic: str) -> Log:
        """A topic, made when it is first named."""
        return self._logs.setdefault(topic, Log())

    def stamped(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] | None,
    ) -> StoredRecord:
        """A record at a topic's next offset, which is then taken; nobody sees it yet."""
        log = self.log(topic)
        stamp = (CREATE_TIME, self._now_us() // 1_000)
        record = StoredRecord(log.end, key, value, tuple(headers or ()), stamp)
        log.end += 1
        return record

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> int:
        """Write a record outside of any transaction; gives its offset."""
        record = self.stamped(topic, key, value, headers)
        self.log(topic).records.append(record)
        return record.at

    def records(self, topic: str) -> list[Record]:
        """What is committed in a topic, in order."""
        return [
            Record(topic, 0, each.at, each.time[1], each.octets_key, each.octets, each.pairs)
            for each in self.log(topic).records
        ]

    def compacted(self, topic: str) -> dict[bytes, bytes]:
        """The last value of each key that was not deleted."""
        last = {each.octets_key: each.octets for each in self.log(topic).records}
        return {key: value for key, value in last.items() if key is not None and value is not None}


class MemoryTransaction(Transaction):
    """A transaction on topics in memory: all of it is seen at its commit, or nothing."""

    def __init__(
        self, broker: Broker, connection: KafkaConnection, is_changelog: Callable[[str], bool]
    ) -> None:
        """Bind to topics; nothing begins yet.

        Args:
            broker: The topics.
            connection: Names the group.
            is_changelog: Tells a changelog from an output, by full name.
        """
        super().__init__(connection, f"{connection.group}-driver")
        self._broker = broker
        self._is_changelog = is_changelog
        self._pending: list[tuple[str, StoredRecord]] = []
        self._delivered: list[Callable[[], None]] = []
        self._positions: dict[TopicPartitionKey, int] = {}

    def open(self) -> None:
        """Nothing is to be opened."""

    def close(self) -> None:
        """Give up what is open."""
        self.abort()

    def settle(self) -> None:
        """Nothing is ever in doubt."""

    def begin(self) -> None:
        """Begin a transaction."""
        self._is_open = True

    def produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] | None = None,
        *,
        partition: int | None = None,  # noqa: ARG002 - there is one
        on_delivery: Callable[[Any, Any], None] | None = None,
    ) -> None:
        """Add a record; see `Transaction.produce`."""
        record = self._broker.stamped(topic, key, value, headers)
        self._pending.append((topic, record))
        if on_delivery is not None:
            self._delivered.append(lambda: on_delivery(None, record))

    def produce_each(
        self,
        topic: str,
        entries: Mapping[bytes, bytes | None],
        partition: int,
        on_delivery: Callable[[Any, Any], None],
    ) -> None:
        """Add a record for each key; see `Transaction.produce_each`."""
        for left, (key, value) in enumerate(entries.items(), 1 - len(entries)):
            told = None if left else on_delivery
            self.produce(topic, key, value, partition=partition, on_delivery=told)

    def flush(self) -> None:
        """Tell whoever asked where the records went."""
        delivered, self._delivered = self._delivered, []
        for tell in delivered:
            tell()

    def send_offsets(
        self,
        positions: Mapping[TopicPartitionKey, int],
        group_metadata: Any,  # noqa: ARG002 - the group has one member
        notes: Mapping[str, str] = NO_NOTES,  # noqa: ARG002 - nobody else reads them
    ) -> None:
        """Make the positions part of the transaction; see `Transaction.send_offsets`."""
        if not positions:
            raise AssertionError("a transaction without positions is not checked by its group")
        self.flush()
        self._positions = dict(positions)

    def commit(self) -> None:
        """Make everything visible at once."""
        self.flush()
        self._show(lambda _: True)
        self._broker.positions.update(self._positions)
        self._end()

    def abort(self) -> None:
        """Give the transaction up."""
        self._end()

    def tear(self, torn: Torn) -> None:
        """Show a part of a transaction that nobody committed."""
        self._show(lambda topic: torn == "all_but_positions" or not self._is_changelog(topic))
        self._end()

    def _show(self, wanted: Callable[[str], bool]) -> None:
        for topic, record in self._pending:
            if wanted(topic):
                self._broker.log(topic).records.append(record)

    def _end(self) -> None:
        for topic in dict(self._pending):
            # The marker that ends a transaction in a partition takes an offset there.
            self._broker.log(topic).end += 1
        self._pending.clear()
        self._delivered.clear()
        self._positions = {}
        self._is_open = False
