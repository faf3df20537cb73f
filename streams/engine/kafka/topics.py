"""Where to begin reading: topics that exist, and offsets by time. For tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    OffsetSpec,
)

from streams.engine.kafka import clients
from streams.engine.kafka.failures import judged

if TYPE_CHECKING:
    from streams.runtime.connection import KafkaConnection

WAIT_S: Final = 15.0


def topic_partitions(connection: KafkaConnection) -> dict[str, int]:
    """Every topic that this user may see, with its number of partitions.

    Raises:
        Transient: The broker does not answer.
    """
    try:
        topics = AdminClient(clients.base(connection)).list_topics(timeout=WAIT_S).topics
    except KafkaException as failure:
        raise judged(failure, "asking for the topics") from failure
    return {name: len(topic.partitions) for name, topic in topics.items()}


def offset_at(
    connection: KafkaConnection, topic: str, partition: int, timestamp_ms: int
) -> int | None:
    """Offset of the first record at or after a time; None if there is none.

    Args:
        connection: Where the broker is.
        topic: Full name of the topic.
        partition: Partition number.
        timestamp_ms: Milliseconds since 1970.

    Raises:
        Transient: The broker does not answer.
    """
    where = TopicPartition(topic, partition)
    # The client must outlive its answers, or they never come.
    admin = AdminClient(clients.base(connection))
    answers = admin.list_offsets(
        {where: OffsetSpec.for_timestamp(timestamp_ms)}, request_timeout=WAIT_S
    )
    try:
        offset = int(answers[where].result().offset)
    except KafkaException as failure:
        raise judged(failure, f"asking for a time in {topic}[{partition}]") from failure
    return offset if offset >= 0 else None
