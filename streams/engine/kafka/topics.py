"""Whether a broker answers, what topics it has, and offsets by time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    OffsetSpec,
)

from streams.engine.kafka import clients
from streams.engine.kafka.failures import judged

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from streams.runtime.connection import KafkaConnection

log = logging.getLogger(__name__)

WAIT_S: Final = 15.0
PROBE_S: Final = 1.0
"""How long one question whether a broker is there may take: a stop waits no longer than that."""


def broker_answers(connection: KafkaConnection, timeout_s: float = PROBE_S) -> bool:
    """Whether a broker answers now."""
    return _answers(AdminClient(clients.base(connection)), timeout_s)


def wait_for_broker(connection: KafkaConnection, stop: threading.Event, who: str) -> bool:
    """Wait until a broker answers, and say so in the log.

    Args:
        connection: Where the broker is.
        stop: Ends the waiting, within a second or so.
        who: Who waits, for the log.

    Returns:
        Whether a broker answers; False after a stop.
    """
    admin = AdminClient(clients.base(connection))
    waited = False
    while not stop.is_set():
        if _answers(admin, PROBE_S):
            if waited:
                log.info("%s: the broker answers", who)
            return True
        if not waited:
            log.warning("%s waits for the broker at %s", who, connection.bootstrap)
        waited = True
        # Lets the client say in the log what is wrong with its connections.
        admin.poll(0)
        stop.wait(PROBE_S / 4)
    return False


def _answers(admin: AdminClient, timeout_s: float) -> bool:
    try:
        admin.list_topics(timeout=timeout_s)
    except KafkaException:
        return False
    return True


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


def unended(connection: KafkaConnection, topics: Mapping[str, int]) -> list[tuple[str, int]]:
    """Partitions in which some transaction has not ended, whoever's.

    Args:
        connection: Where the broker is.
        topics: Numbers of partitions by full names of topics.

    Raises:
        Transient: The broker does not answer.
    """
    wanted = {
        TopicPartition(name, number): OffsetSpec.latest()  # type: ignore[no-untyped-call]
        for name, count in topics.items()
        for number in range(count)
    }
    if not wanted:
        return []
    admin = AdminClient(clients.base(connection))
    levels = (IsolationLevel.READ_UNCOMMITTED, IsolationLevel.READ_COMMITTED)
    # The ends first: what is ended in between is then not taken for open.
    try:
        ends, stable = (
            {
                place: int(answer.result().offset)
                for place, answer in admin.list_offsets(
                    wanted, isolation_level=level, request_timeout=WAIT_S
                ).items()
            }
            for level in levels
        )
    except KafkaException as failure:
        raise judged(failure, "asking where transactions have not ended") from failure
    return [(place.topic, place.partition) for place in wanted if stable[place] < ends[place]]
