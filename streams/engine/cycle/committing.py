"""One cycle's transaction: outputs, changelogs and positions, visible at once or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.engine.faults import reach
from streams.engine.state.disk import Checkpoint
from streams.runtime.clock import now_ms

if TYPE_CHECKING:
    from confluent_kafka import Message

    from streams.engine.cycle.membership import Membership
    from streams.engine.cycle.partition import Partition
    from streams.engine.kafka.records import TopicPartitionKey
    from streams.engine.kafka.transaction import Transaction


def commit(
    transaction: Transaction, membership: Membership, partitions: list[Partition]
) -> dict[TopicPartitionKey, Checkpoint]:
    """Commit what partitions have staged.

    The position of every one of them is part of it, also of one that only fired timers: it is
    what lets the group refuse a worker that lost its partitions.

    Args:
        transaction: Nothing is open in it.
        membership: Names the changelogs, and who is who in the group.
        partitions: At least one.

    Returns:
        How far the changelog of each partition is now, of those that added to it.

    Raises:
        Aborted: Nothing is visible.
        OutcomeUnknown: Either all of it is visible or nothing.
        Fenced: Another process took over.
    """
    transaction.begin()
    reach("before_produce")
    ends: dict[TopicPartitionKey, int] = {}
    for partition in partitions:
        for topic, key, value, headers in partition.outputs:
            transaction.produce(topic, key, value, headers)
    for partition in partitions:
        _log_changes(transaction, membership.changelog_of(partition), partition, ends)
    reach("after_produce")
    reach("before_offsets")
    transaction.send_offsets(
        {partition.key: partition.position for partition in partitions},
        membership.group_metadata(),
        membership.notes,
    )
    reach("after_offsets")
    transaction.flush()
    reach("before_commit")
    transaction.commit()
    reach("after_commit")
    written = now_ms()
    return {
        partition.key: Checkpoint(
            ends[partition.key] + 1, membership.topic_id_of(partition), written
        )
        for partition in partitions
        if partition.key in ends
    }


def _log_changes(
    transaction: Transaction, name: str, partition: Partition, ends: dict[TopicPartitionKey, int]
) -> None:
    """Produce the last value of each changed key; the last record tells the position."""

    def delivered(error: object, message: Message) -> None:
        offset = message.offset()
        if error is None and offset is not None:
            ends[partition.key] = offset

    if partition.changes:
        transaction.produce_each(name, partition.changes, partition.number, delivered)
