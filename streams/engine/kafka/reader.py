"""A group member that reads committed records from explicit positions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.engine.kafka import clients
from streams.engine.kafka.failures import StartPosition, judged
from streams.engine.kafka.positions import committed, raise_for
from streams.engine.kafka.records import Record, TopicPartitionKey, record_of

if TYPE_CHECKING:
    from confluent_kafka import Message

    from streams.runtime.connection import KafkaConnection

Start = Literal["beginning", "end", "refuse"]
Partitions = Iterable[TopicPartitionKey]
WAIT_S: Final = 10.0


def _nothing(_: Partitions) -> None:
    """Take no notice of a rebalance."""


class Reader:
    """A consumer whose positions are always explicit and whose rebalances happen only in `poll`.

    Use as a context manager. A partition starts where the group committed; one without a committed
    position starts where `start` says, and a position that the broker no longer retains is a named
    stop. `positions` tells where each owned partition goes on.
    """

    def __init__(  # noqa: PLR0913 - each is one choice of the caller
        self,
        connection: KafkaConnection,
        group: str,
        topics: Iterable[str],
        *,
        instance_id: str | None = None,
        start: Start = "beginning",
        start_positions: Callable[[Partitions], Mapping[TopicPartitionKey, int]] | None = None,
        on_assigned: Callable[[Partitions], None] = _nothing,
        on_revoked: Callable[[Partitions], None] = _nothing,
        session_timeout_ms: int = clients.SESSION_TIMEOUT_MS,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Subscribe.

        Args:
            connection: Where the broker is.
            group: Group without prefix.
            topics: Full names of topics.
            instance_id: Stable name of this member; with it a restart keeps its partitions.
            start: Where a partition starts that has no committed position.
            start_positions: Gives positions kept elsewhere (a database); they win over the group's.
            on_assigned: Called inside `poll` with partitions that begin to be read.
            on_revoked: Called inside `poll` with partitions just given up or lost.
            session_timeout_ms: How long the group waits for this member when it is silent.
            extra: Further librdkafka settings.
        """
        self.group = group
        self._start = start
        self._start_positions = start_positions
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._waiting: set[TopicPartitionKey] = set()
        self.positions: dict[TopicPartitionKey, int] = {}
        self._paused: set[TopicPartitionKey] = set()
        self._consumer = Consumer(
            clients.member(
                connection,
                group,
                instance_id=instance_id,
                session_timeout_ms=session_timeout_ms,
                extra=extra,
            )
        )
        self._consumer.subscribe(
            list(topics),
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._revoked,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def assignment(self) -> frozenset[TopicPartitionKey]:
        """The partitions owned now."""
        return frozenset(self.positions)

    def poll(self, timeout_s: float = 1.0, *, max_records: int = 500) -> list[Record]:
        """Read what is there, waiting for the first record only.

        Args:
            timeout_s: Longest wait for the first record.
            max_records: Most records returned.

        Returns:
            Records in offset order per partition; `positions` stands behind them.

        Raises:
            StartPosition: A position is no longer retained.
            Fenced: Another process has this instance id.
            Transient: The broker reports a passing error.
        """
        if self._waiting:
            self._begin()
        first = self._consumer.poll(timeout_s)
        messages = [] if first is None else [first]
        if first is not None and max_records > 1:
            messages += self._consumer.consume(max_records - 1, 0)
        return [record for record in map(self._taken, messages) if record is not None]

    def pause(self, partitions: Partitions) -> None:
        """Stop fetching these partitions; polling goes on and keeps the membership."""
        owned = [each for each in partitions if each in self.positions]
        self._consumer.pause([TopicPartition(*each) for each in owned])
        self._paused.update(owned)

    def resume(self, partitions: Partitions) -> None:
        """Fetch these partitions again."""
        owned = [each for each in partitions if each in self.positions]
        self._consumer.resume([TopicPartition(*each) for each in owned])
        self._paused.difference_update(owned)

    def seek(self, partition: TopicPartitionKey, offset: int) -> None:
        """Go on at an offset; already fetched records are dropped."""
        try:
            self._consumer.seek(TopicPartition(*partition, offset))
        except KafkaException as failure:
            raise judged(failure, f"seek in {partition}") from failure
        self.positions[partition] = offset

    def rewind(self) -> None:
        """Go back to the committed positions, after a transaction that did not commit.

        Raises:
            Transient: The group's coordinator does not answer; call again.
        """
        owned = list(self.positions)
        for partition, offset in self._starts(owned).items():
            self.seek(partition, offset)

    def committed(self, partitions: Partitions) -> dict[TopicPartitionKey, int | None]:
        """The group's positions; None where it has none. Waits for open transactions to end."""
        return committed(self._consumer, partitions)

    def group_metadata(self) -> Any:
        """What `Transaction.send_offsets` needs to let the group refuse a former member."""
        return self._consumer.consumer_group_metadata()

    def close(self) -> None:
        """Leave the group (a member with an instance id keeps its place until its time-out)."""
        self._consumer.close()

    def _taken(self, message: Message) -> Record | None:
        error = message.error()
        if error is not None:
            raise_for(error, message)
            return None
        record = record_of(message)
        key = (record.topic, record.partition)
        if record.offset < self.positions.get(key, 1 << 63):
            # Fetched before the partition moved away, or moved away and came back.
            return None
        self.positions[key] = record.offset + 1
        return record

    def _starts(self, partitions: list[TopicPartitionKey]) -> dict[TopicPartitionKey, int]:
        if self._start_positions is not None:
            given = self._start_positions(partitions)
        else:
            given = {
                partition: offset
                for partition, offset in self.committed(partitions).items()
                if offset is not None
            }
        return {
            partition: given[partition] if partition in given else self._first(partition)
            for partition in partitions
        }

    def _first(self, partition: TopicPartitionKey) -> int:
        if self._start == "refuse":
            raise StartPosition(
                f"group {self.group} has no position in {partition[0]}[{partition[1]}]",
                advice="set the group's position, or choose where it starts",
            )
        low, high = self._consumer.get_watermark_offsets(TopicPartition(*partition), WAIT_S)
        return int(low if self._start == "beginning" else high)

    def _begin(self) -> None:
        """Start fetching the partitions that were handed over in an earlier poll."""
        partitions = list(self._waiting)
        starts = self._starts(partitions)
        self._waiting.clear()
        self._consumer.incremental_assign(
            [TopicPartition(topic, part, at) for (topic, part), at in starts.items()]
        )
        self.positions.update(starts)
        self._on_assigned(partitions)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # Asking for positions may fail, and a callback must not: the next `poll` asks.
        self._waiting.update((each.topic, each.partition) for each in partitions)
        consumer.incremental_assign([])

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        keys = {(each.topic, each.partition) for each in partitions}
        self._waiting -= keys
        owned = sorted(key for key in keys if key in self.positions)
        for key in owned:
            del self.positions[key]
        self._paused.difference_update(owned)
        if owned:
            self._on_revoked(owned)
        consumer.incremental_unassign([TopicPartition(*key) for key in owned])
