"""Who reads what: the broker's consumer groups and the topics of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException
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
        found = {name: _stored(admin, name) for name in names}
        for name, topics in _read_now(admin, names).items():
            found[name] = found[name] | topics
    except KafkaException as failure:
        raise judged(failure, "asking for the consumer groups") from failure
    return found


def _stored(admin: AdminClient, group: str) -> frozenset[str]:
    asked = [ConsumerGroupTopicPartitions(group)]
    answer: Any = admin.list_consumer_group_offsets(asked, request_timeout=WAIT_S)[group].result()
    return frozenset(part.topic for part in answer.topic_partitions)


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
