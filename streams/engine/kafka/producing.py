"""How records get into a transaction, one by one or many at once, and what that leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException

from streams.engine.kafka.failures import DENIED, FORMER_MEMBER, Aborted, error_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from confluent_kafka import Producer, TopicPartition

    from streams.errors import LotgateError

BY_KEY: Final = -1
"""As a record's partition: the key's hash chooses it."""
TO_ALL: Final = -2
"""As a record's partition: one copy to each."""
Place = tuple[str, int | None, bytes | None]
"""Where a record went: topic, and either its partition or the key that chose it."""


class Traces:
    """Where a transaction went, and where one that was lost may still be open.

    Kafka 4.3.0 to 4.4.0 forget, when they start, to end a transaction in partitions that have no
    leader at that moment (KAFKA-20734). It would block readers for ever, or worse, be ended by the
    commit of the same producer's next transaction there, and be seen. An aborted one ends it for
    certain. What was forgotten after its commit had been confirmed cannot be told from that: such
    brokers are not to be used where all copies of a partition can be down at once.

    Attributes:
        touched: Where the records of the transaction at hand went.
    """

    def __init__(self) -> None:
        self.touched: set[Place] = set()
        self._lost: set[Place] = set()
        self._sent: tuple[list[TopicPartition], Any] | None = None
        self._lost_sent: tuple[list[TopicPartition], Any] | None = None

    @property
    def are_ended(self) -> bool:
        """Whether nothing that was lost may still be open."""
        return not self._lost and self._lost_sent is None

    def begin(self) -> None:
        """Another transaction begins."""
        self.touched.clear()
        self._sent = None

    def sends(self, offsets: list[TopicPartition], group_metadata: Any) -> None:
        """The group's positions become part of the transaction."""
        self._sent = (offsets, group_metadata)

    def lose(self) -> None:
        """The transaction at hand is given up without being ended."""
        self._lost |= self.touched
        self._lost_sent = self._sent or self._lost_sent

    def suspect(
        self, places: Iterable[tuple[str, int]], sent: tuple[list[TopicPartition], Any] | None
    ) -> None:
        """Something of this name may be open in these partitions, or in a group's positions."""
        self._lost.update((topic, partition, None) for topic, partition in places)
        self._lost_sent = sent or self._lost_sent

    def end(self, producer: Producer, patience_s: float) -> None:
        """Abort, wherever something was lost, what may still be open there.

        Args:
            producer: A new one of the same name; no transaction is open in it.
            patience_s: Longest wait of each call.

        Raises:
            KafkaException: It is not certain yet; the traces are kept.
            BufferError: Likewise.
        """
        producer.begin_transaction()
        for topic, partition, key in self._lost:
            if partition is None:
                producer.produce(topic, None, key)
            else:
                # A compacted topic takes no record without a key; nobody will see this one.
                producer.produce(topic, None, b"\0", partition)
        if producer.flush(patience_s):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001
        self._reach_positions(producer, patience_s)
        producer.abort_transaction(patience_s)
        self._lost.clear()
        self._lost_sent = None

    def _reach_positions(self, producer: Producer, patience_s: float) -> None:
        if self._lost_sent is None:
            return
        try:
            producer.send_offsets_to_transaction(*self._lost_sent, patience_s)
        except KafkaException as refusal:
            # The group may refuse a former member's positions; the partition of its positions has
            # become part of the transaction all the same. Without an answer it may not have.
            # Who has no right to the group has nothing open in it; joining it tells them.
            if error_of(refusal).code() not in FORMER_MEMBER | DENIED:
                raise


class Producing:
    """The records of a `Transaction`.

    Args:
        transactional_id: Stable name of the writer.
    """

    def __init__(self, transactional_id: str) -> None:
        self.transactional_id = transactional_id
        self._producer: Producer | None = None
        self._traces = Traces()

    def produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] | None = None,
        *,
        partition: int | None = None,
        on_delivery: Callable[[KafkaError | None, Any], None] | None = None,
    ) -> None:
        """Add a record.

        Args:
            topic: Full name of the topic.
            key: Key bytes, None for none.
            value: Value bytes, None for a tombstone.
            headers: Header names and values, in order.
            partition: Fixed partition; by the key's murmur2 hash when absent.
            on_delivery: Called while `flush` or `commit` runs, with the error or the message.

        Raises:
            Aborted: The record was refused, or the transaction is already lost.
        """
        options: dict[str, Any] = {}
        if partition is not None:
            options["partition"] = partition
        self._traces.touched.add((topic, partition, key if partition is None else None))
        if headers:
            options["headers"] = list(headers)
        if on_delivery is not None:
            options["on_delivery"] = on_delivery
        producer = self._live
        while True:
            try:
                producer.produce(topic, value, key, **options)
            except BufferError:
                self._make_room()
            except KafkaException as failure:
                raise self._failed(failure, f"produce to {topic}", committing=False) from failure
            else:
                return

    def _make_room(self) -> None:
        try:
            self._live.poll(0.05)
        except KafkaException as failure:
            raise self._failed(failure, "make room", committing=False) from failure

    def produce_each(
        self,
        topic: str,
        entries: Mapping[bytes, bytes | None],
        partition: int,
        on_delivery: Callable[[KafkaError | None, Any], None],
    ) -> None:
        """Add a record for each key to one partition: `produce` with less work per record.

        Args:
            topic: Full name of the topic.
            entries: Values by key, None for a tombstone; not empty.
            partition: Partition number.
            on_delivery: Called for the last record only: where it went, the others are before it.

        Raises:
            Aborted: A record was refused, or the transaction is already lost.
        """
        self._traces.touched.add((topic, partition, None))
        produce = self._live.produce
        *most, (last, value) = entries.items()
        for key, octets in most:
            try:
                produce(topic, octets, key, partition)
            except BufferError:
                self.produce(topic, key, octets, partition=partition)
            except KafkaException as failure:
                raise self._failed(failure, f"produce to {topic}", committing=False) from failure
        self.produce(topic, last, value, partition=partition, on_delivery=on_delivery)

    def produce_rows(
        self,
        rows: Iterable[tuple[str, bytes | None, bytes | None, Any, int]],
        partitions: Callable[[str], int],
    ) -> None:
        """Add many records: `produce` with less work per record.

        Args:
            rows: Topic, key, value, headers, and a partition: `BY_KEY`, `TO_ALL`, or a number.
            partitions: How many partitions a topic has.

        Raises:
            Aborted: A record was refused, or the transaction is already lost.
        """
        produce = self._live.produce
        seen: set[str] = set()
        for topic, key, value, headers, partition in rows:
            if topic not in seen:
                seen.add(topic)
                # Not each record's own place: in a loss all partitions are ended.
                places = ((topic, each, None) for each in range(partitions(topic)))
                self._traces.touched.update(places)
            try:
                if partition == TO_ALL:
                    for each in range(partitions(topic)):
                        self.produce(topic, key, value, headers, partition=each)
                else:
                    produce(topic, value, key, partition, None, None, 0, headers)
            except BufferError:
                where = None if partition == BY_KEY else partition
                self.produce(topic, key, value, headers, partition=where)
            except KafkaException as failure:
                raise self._failed(failure, f"produce to {topic}", committing=False) from failure

    @property
    def _live(self) -> Producer:
        if self._producer is None:
            raise Aborted(f"the producer of {self.transactional_id} was discarded; begin again")
        return self._producer

    def _failed(self, failure: KafkaException, what: str, *, committing: bool) -> LotgateError:
        raise NotImplementedError
