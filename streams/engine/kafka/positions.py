"""A group's positions, and errors that come in the place of records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams.engine.kafka.failures import StartPosition, fenced, judged
from streams.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.engine.kafka.records import TopicPartitionKey

WAIT_S: Final = 10.0
OUT_OF_RANGE: Final = frozenset(
    {
        KafkaError.OFFSET_OUT_OF_RANGE,
        KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001 - the library's public constant
    }
)


def committed(
    consumer: Consumer, partitions: Iterable[TopicPartitionKey]
) -> dict[TopicPartitionKey, int | None]:
    """A group's committed positions, None where it has none.

    Raises:
        Transient: The coordinator does not answer, or a transaction on them is still open.
    """
    wanted = [TopicPartition(*each) for each in partitions]
    try:
        answers = consumer.committed(wanted, WAIT_S)
    except KafkaException as failure:
        raise judged(failure, "asking for committed positions") from failure
    found: dict[TopicPartitionKey, int | None] = {}
    for each in answers:
        if each.error is not None:
            raise Transient(
                f"the position of {each.topic}[{each.partition}] is not known: {each.error.str()}",
                code="broker_unavailable",
            )
        found[each.topic, each.partition] = each.offset if each.offset >= 0 else None
    return found


def raise_for(error: KafkaError, message: Message) -> None:
    """Raise what an error in the place of a record means; a passing one is ignored."""
    where = f"{message.topic()}[{message.partition()}]"
    if error.code() in OUT_OF_RANGE:
        raise StartPosition(
            f"the position in {where} is outside of what the broker retains: {error.str()}",
            kept="nothing was skipped and nothing was applied",
            advice="find out what was lost, then set the group's position by hand",
        )
    if error.code() in {KafkaError.FENCED_INSTANCE_ID, KafkaError._FATAL}:  # noqa: SLF001
        raise fenced(error, where)
    if error.fatal() or not error.retriable():
        raise judged(KafkaException(error), f"reading {where}")
