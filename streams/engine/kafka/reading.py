"""Reading a partition from one place to another, and a group's positions, without a membership."""

from __future__ import annotations

from contextlib import suppress
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not declared as exported
    AdminClient,
    OffsetSpec,
)

from streams.engine.kafka import clients
from streams.engine.kafka.failures import error_of, judged
from streams.engine.kafka.positions import note_of, raise_for
from streams.engine.kafka.records import Record, record_of
from streams.errors import LotgateError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.engine.kafka.records import TopicPartitionKey
    from streams.runtime.connection import KafkaConnection

CHUNK: Final = 5_000
WAIT_S: Final = 10.0
NOTES_S: Final = 5.0
"""How long the notes are asked for; a client without the right to the group gets no answer."""
DECIDED_S: Final = 1.0
"""How long positions may stay undecided; a transaction at work decides in some milliseconds."""
PAUSE_S: Final = 0.1
MOVING: Final = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
)
EOF: Final = KafkaError._PARTITION_EOF  # noqa: SLF001 - the library's public constant


def high_watermark(connection: KafkaConnection, topic: str, partition: int) -> int:
    """The end of a partition, open transactions included.

    A read_committed consumer's own watermark is the last stable offset: stopping there would miss
    what an open transaction of the former owner is about to commit.

    Raises:
        Transient: The broker does not answer.
    """
    where = TopicPartition(topic, partition)
    admin = AdminClient(clients.base(connection))
    answers = admin.list_offsets(
        {where: OffsetSpec.latest()},  # type: ignore[no-untyped-call]
        isolation_level=IsolationLevel.READ_UNCOMMITTED,
        request_timeout=WAIT_S,
    )
    try:
        return int(answers[where].result().offset)
    except KafkaException as failure:
        raise judged(failure, f"asking for the end of {topic}[{partition}]") from failure


def assigned(
    connection: KafkaConnection, topic: str, partition: int, offset: int | None
) -> Consumer:
    """A read_committed consumer of one partition that reports the partition's end.

    Args:
        connection: Where the broker is.
        topic: Full name of the topic.
        partition: Partition number.
        offset: Where to begin; None for the oldest record.
    """
    consumer = Consumer(
        clients.consumer(
            connection, f"{connection.group}-reading", extra={"enable.partition.eof": True}
        )
    )
    # With the leader known beforehand the first fetch goes out at once, else after half a second.
    # A broker that does not answer is reported by the first poll.
    with suppress(KafkaException):
        consumer.list_topics(topic, timeout=WAIT_S)
    begin = OFFSET_BEGINNING if offset is None else offset
    consumer.assign([TopicPartition(topic, partition, begin)])
    return consumer


def read_partition(
    connection: KafkaConnection,
    topic: str,
    partition: int,
    *,
    offset: int | None = None,
    follow: bool = False,
) -> Iterator[Record | None]:
    """Read committed records of a partition in order.

    Args:
        connection: Where the broker is.
        topic: Full name of the topic.
        partition: Partition number.
        offset: Where to begin; None for the oldest record.
        follow: Go on waiting for new records at the end.

    Yields:
        Records; None about once a second while following and nothing came, so that the caller can
        look up.

    Raises:
        Transient: The broker does not answer.
        StartPosition: The offset is not retained.
    """
    consumer = assigned(connection, topic, partition, offset)
    try:
        end = high_watermark(connection, topic, partition)
        while True:
            first = consumer.poll(1.0)
            if first is None:
                if follow:
                    yield None
                continue
            for message in [first, *consumer.consume(CHUNK, 0)]:
                error = message.error()
                if error is None:
                    yield record_of(message)
                elif error.code() == EOF:
                    at = message.offset()
                    if not follow and at is not None and at >= end:
                        return
                else:
                    raise_for(error, message)
    finally:
        consumer.close()


def read_compacted(connection: KafkaConnection, topic: str, partition: int) -> dict[bytes, bytes]:
    """Read a compacted partition whole: the last value of each key, deleted keys left out.

    Reads to the high watermark taken after the assignment, so past any transaction that was open
    then.

    Raises:
        Transient: The broker does not answer.
    """
    values: dict[bytes, bytes] = {}
    for record in read_partition(connection, topic, partition):
        if record is None or record.key is None:
            continue
        if record.value is None:
            values.pop(record.key, None)
        else:
            values[record.key] = record.value
    return values


Undecided = tuple[list[TopicPartition], Any]
"""A position of a group and the group, as `send_offsets_to_transaction` takes them."""


def committed_notes(
    connection: KafkaConnection, group: str, partitions: Iterable[TopicPartitionKey]
) -> dict[TopicPartitionKey, str]:
    """The notes beside a group's positions, without being its member.

    What is about to be committed by an open transaction is not waited for.

    Args:
        connection: Where the broker is.
        group: The group, without prefix.
        partitions: Which.

    Returns:
        Notes by partition, of those that have one.

    Raises:
        Transient: The coordinator does not answer.
    """
    as_stands = {"isolation.level": "read_uncommitted"}
    consumer = Consumer(clients.consumer(connection, group, extra=as_stands))
    wanted = [TopicPartition(*each) for each in partitions]
    until = monotonic() + NOTES_S
    try:
        while (answers := _positions(consumer, wanted, until)) is None:
            sleep(PAUSE_S)
    finally:
        consumer.close()
    return {(t.topic, t.partition): note for t in answers if (note := note_of(t.metadata))}


def undecided(
    connection: KafkaConnection, group: str, partitions: Iterable[TopicPartitionKey]
) -> Undecided | None:
    """A group's positions that a transaction has not decided about, whoever's.

    Args:
        connection: Where the broker is.
        group: The group, without prefix.
        partitions: Which.

    Returns:
        None if all are decided. Otherwise, or if the coordinator does not answer in time, one of
        them and the group, for `Transaction.end_at`.
    """
    wanted = [TopicPartition(*each) for each in partitions]
    if not wanted:
        return None
    consumer = Consumer(clients.consumer(connection, group))
    until = monotonic() + DECIDED_S
    try:
        while (answers := _positions(consumer, wanted, until)) is None:
            sleep(PAUSE_S)
        if all(each.error is None for each in answers):
            return None
    except LotgateError:
        pass
    finally:
        metadata = consumer.consumer_group_metadata()
        consumer.close()
    return [TopicPartition(wanted[0].topic, wanted[0].partition, 0)], metadata


def _positions(
    consumer: Consumer, wanted: list[TopicPartition], until: float
) -> list[TopicPartition] | None:
    """Committed positions; None while the group's coordinator is about to be found."""
    try:
        return list(consumer.committed(wanted, max(PAUSE_S, until - monotonic())))
    except KafkaException as failure:
        if error_of(failure).code() in MOVING and monotonic() < until:
            return None
        raise judged(failure, "asking for the group's positions") from failure
