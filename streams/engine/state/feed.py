"""One consumer of several changelog partitions: for restores together, for standbys together."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from streams.engine.kafka import clients
from streams.engine.kafka.failures import judged
from streams.engine.kafka.positions import OUT_OF_RANGE, raise_for
from streams.engine.kafka.reading import EOF

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from confluent_kafka import Message

    from streams.engine.kafka.records import TopicPartitionKey
    from streams.runtime.connection import KafkaConnection

METADATA_S: Final = 5.0
BULK: Final = {
    # A changelog is read as fast as it comes, and its records are small.
    "queued.min.messages": 100_000,
    # What was fetched of one partition stands in the queue before what is fetched of the next: a
    # small changelog should not wait for much of a large one.
    "max.partition.fetch.bytes": 512 * 1024,
    "enable.partition.eof": True,
}


class Feed:
    """A read_committed consumer without a group, and the partitions that it follows."""

    def __init__(self, connection: KafkaConnection) -> None:
        """Say where; the consumer is made when there is something to follow.

        Args:
            connection: Where the broker is.
        """
        self._connection = connection
        self._consumer: Consumer | None = None
        self._known: set[str] = set()
        self._followed: set[TopicPartitionKey] = set()

    def follow(self, wanted: Mapping[TopicPartitionKey, int | None]) -> None:
        """Follow further partitions.

        Args:
            wanted: The offset to begin at by partition; None for the oldest record.

        Raises:
            Transient: The client could not take them.
        """
        consumer = self._consumer = self._consumer or self._made()
        for topic in {topic for topic, _ in wanted} - self._known:
            # With the leader known beforehand the first fetch goes out at once, else after half a
            # second. A broker that does not answer is reported by the first read.
            with suppress(KafkaException):
                consumer.list_topics(topic, timeout=METADATA_S)
                self._known.add(topic)
        places = [
            TopicPartition(*key, OFFSET_BEGINNING if begin is None else begin)
            for key, begin in wanted.items()
        ]
        self._call("follow", consumer.incremental_assign, places)
        self._followed |= wanted.keys()

    def leave(self, keys: Iterable[TopicPartitionKey]) -> None:
        """Follow these no longer."""
        gone = self._followed.intersection(keys)
        if gone and self._consumer is not None:
            self._followed -= gone
            places = [TopicPartition(*key) for key in gone]
            self._call("leave", self._consumer.incremental_unassign, places)

    def read(self, most: int, wait_s: float) -> dict[TopicPartitionKey, list[Message]]:
        """Take what is there.

        Args:
            most: Most records.
            wait_s: Longest wait for so many: a full share costs less per record than many small.

        Returns:
            Records, ends (`is_end`) and lost places (`is_lost`) by partition, in order.

        Raises:
            Transient: The broker does not answer; `close`, and follow anew.
        """
        found: dict[TopicPartitionKey, list[Message]] = defaultdict(list)
        if self._consumer is None or not self._followed:
            return found
        for message in self._consumer.consume(most, wait_s):
            error = message.error()
            if error is not None and error.code() != EOF and error.code() not in OUT_OF_RANGE:
                raise_for(error, message)
                continue
            topic, partition = message.topic(), message.partition()
            if topic is not None and partition is not None:
                found[topic, partition].append(message)
        return found

    def close(self) -> None:
        """Let the consumer go; what was followed must be followed anew."""
        consumer, self._consumer = self._consumer, None
        self._followed.clear()
        self._known.clear()
        if consumer is not None:
            consumer.close()

    def _made(self) -> Consumer:
        group = f"{self._connection.group}-reading"
        return Consumer(clients.consumer(self._connection, group, extra=BULK))

    @staticmethod
    def _call(what: str, function: Any, places: list[TopicPartition]) -> None:
        try:
            function(places)
        except KafkaException as failure:
            raise judged(failure, f"{what} {places[0].topic}") from failure
