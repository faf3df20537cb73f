"""A look at a partition by a consumer of its own: is there anything to read?"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException

from streams.engine.kafka.reading import EOF, assigned

if TYPE_CHECKING:
    from streams.engine.kafka.records import TopicPartitionKey
    from streams.runtime.connection import KafkaConnection

WAIT_S: Final = 10.0


def is_readable(
    connection: KafkaConnection, key: TopicPartitionKey, position: int, wait_s: float = WAIT_S
) -> bool | None:
    """Whether a committed record stands at or after a position.

    Args:
        connection: Where the broker is.
        key: Topic and partition.
        position: Where to begin.
        wait_s: Longest wait.

    Returns:
        None if the broker did not say: it is away, or the offset is out of its range, which is
        the cycle's own to find.
    """
    until = monotonic() + wait_s
    try:
        consumer = assigned(connection, *key, position)
    except KafkaException:
        return None
    try:
        while monotonic() < until:
            message = consumer.poll(0.2)
            if message is None:
                continue
            error = message.error()
            if error is None:
                return True
            return False if error.code() == EOF else None
        return None
    finally:
        consumer.close()
