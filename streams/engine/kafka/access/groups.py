"""Who reads what: the broker's consumer groups and the topics of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.engine.kafka import clients
from streams.engine.kafka.failures import judged

if TYPE_CHECKING:
    from streams.runtime.connection import KafkaConnection

WAIT_S: Final = 15.0


def group_topics(connection: KafkaConnection) -> dict[str, frozenset[str]]:
    """Every group that this user may see, with the topics it reads or has positions in.

    Raises:
        Transient: The broker does not answer.
        Misconfigured: A right is missing.
    """
    admin = AdminClient(clients.base(connection))
    try:
        listed = admin.list_consumer_groups(request_timeout=WAIT_S).result().valid
        names = sorted(group.group_id for group in listed)
        topics = admin.list_topics(timeout=WAIT_S).topics
        places = [(name, number) for name, each in topics.items() for number in each.partitions]
        found = {name: _stored(connection, name, places) for name in names}
        for name, read in _read_now(admin, names).items():
            found[name] = found[name] | read
    except KafkaException as failure:
        raise judged(failure, "asking for the consumer groups") from failure
    return found


def _stored(
    connection: KafkaConnection, group: str, places: list[tuple[str, int]]
) -> frozenset[str]:
    """Where a group has positions.

    Asked as a consumer would: the admin client's own call crashes when the group's coordinator
    moves (librdkafka 2.16).
    """
    consumer = Consumer({**clients.base(connection), "group.id": group})
    try:
        asked = [TopicPartition(*place) for place in places]
        answers = consumer.committed(asked, WAIT_S) if asked else []
    finally:
        consumer.close()
    return frozenset(part.topic for part in answers if part.offset >= 0)


def _read_now(admin: AdminClient, groups: list[str]) -> dict[str, frozenset[str]]:
    if not groups:
        return {}
    answers = admin.describe_consumer_groups(groups, request_timeout=WAIT_S)
    return {
        name: frozenset(
            part.topic
            for member in answer.result().members
            if member.assignment is not None
            for part in member.assignment.topic_partitions
        )
        for name, answer in answers.items()
    }
