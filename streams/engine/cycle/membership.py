"""The partitions of this worker: handed over by the group, restored, then consumed."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, Message, TopicPartition

from streams.contracts.topics import changelog, prefixed
from streams.engine.cycle.partition import Partition
from streams.engine.faults import reach
from streams.engine.kafka import clients
from streams.engine.kafka.failures import StartPosition
from streams.engine.kafka.positions import committed, raise_for
from streams.engine.state.disk import Disk
from streams.engine.state.restore import Restore
from streams.errors import Transient
from streams.runtime.clock import now_ms

if TYPE_CHECKING:
    from typing import Any

    from streams.engine.declare import Encoding, Stage
    from streams.engine.kafka.admin import TopicFacts
    from streams.engine.kafka.records import TopicPartitionKey
    from streams.engine.settings import EngineSettings

log = logging.getLogger(__name__)

RESTORE_STEP_S: Final = 0.02
"""Longest wait of one restore step: other partitions flow meanwhile."""


class Membership:
    """Owns the consumer and the partitions' stores.

    Rebalances happen only inside `poll`, so never while a cycle is open. A partition handed over
    is first restored to the end of its changelog, then asked for its committed position, in this
    order, and only then fetched from there.
    """

    def __init__(
        self,
        stages: dict[str, Stage],
        codec: Encoding,
        settings: EngineSettings,
        names: dict[str, str],
        facts: dict[str, TopicFacts],
    ) -> None:
        """Make the consumer; `subscribe` joins the group.

        Args:
            stages: Stages by full name of their input topic.
            codec: Encodes and decodes.
            settings: Limits, group, instance.
            names: Full names of topics by declared names.
            facts: The changelogs as the broker has them.
        """
        self._stages = stages
        self._codec = codec
        self._settings = settings
        self._names = names
        self._facts = facts
        connection = settings.connection
        self._consumer = Consumer(
            clients.member(
                connection,
                connection.group,
                instance_id=settings.instance_id,
                session_timeout_ms=settings.session_timeout_ms,
                extra=settings.client,
            )
        )
        self.active: dict[TopicPartitionKey, Partition] = {}
        self._restoring: dict[TopicPartitionKey, Restore | None] = {}
        self._owned: dict[TopicPartitionKey, Partition | None] = {}
        self.moved = False
        self.fresh: list[Partition] = []
        self._restored_counts: dict[TopicPartitionKey, int] = {}

    @property
    def owned(self) -> frozenset[TopicPartitionKey]:
        """Every partition that the group gave to this worker."""
        return frozenset(self._owned)

    @property
    def is_restoring(self) -> bool:
        """Whether some owned partition is not consumed yet."""
        return len(self.active) < len(self._owned)

    def subscribe(self) -> None:
        """Join the group for the stages' topics."""
        self._consumer.subscribe(
            sorted(self._stages),
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._revoked,
        )

    def poll(self, timeout_s: float, most: int) -> dict[TopicPartitionKey, list[Any]]:
        """Take a step with restoring partitions, and read what is there.

        Args:
            timeout_s: Longest wait for the first record.
            most: Most records.

        Returns:
            Records by partition, in order, of partitions that are consumed now.
        """
        self._advance()
        found: dict[TopicPartitionKey, list[Any]] = defaultdict(list)
        first = self._consumer.poll(0.0 if self.is_restoring else timeout_s)
        if first is None:
            return found
        rest = self._consumer.consume(most - 1, 0) if most > 1 else []
        active = self.active
        for message in (first, *rest):
            error = message.error()
            if error is not None:
                raise_for(error, message)
                continue
            key = _key(message)
            # A partition that moved during these calls, there and back even, is not active.
            if key in active:
                found[key].append(message)
        return found

    def again(self) -> None:
        """Take every partition through restore and committed position once more.

        After an abort this brings the positions back; after a commit of unknown outcome it also
        brings the store to what the broker has.
        """
        keys = list(self.active)
        self._consumer.incremental_unassign([TopicPartition(*key) for key in keys])
        for key in keys:
            del self.active[key]
        self.fresh.clear()

    def group_metadata(self) -> Any:
        """What lets the group refuse the offsets of a former member."""
        return self._consumer.consumer_group_metadata()

    def end_of(self, key: TopicPartitionKey) -> int:
        """The end of a consumed partition as its last fetch told it; -1 if none did."""
        known = self._consumer.get_watermark_offsets(TopicPartition(*key), cached=True)
        return max(-1, int(known[1])) if known else -1

    def close(self) -> None:
        """Leave (a static member keeps its place) and close the stores."""
        self._consumer.close()
        for key in list(self._owned):
            self._let_go(key)

    def _advance(self) -> None:
        for key in [key for key in self._owned if key not in self.active]:
            partition = self._restored(key)
            if partition is None:
                continue
            offset = self._start(partition)
            partition.reset()
            partition.position = offset
            self._consumer.incremental_assign([TopicPartition(*key, offset)])
            self.active[key] = partition
            if not partition.is_known:
                self.fresh.append(partition)
        if self._restored_counts and not self.is_restoring:
            counts, self._restored_counts = self._restored_counts.values(), {}
            log.info("%d partitions restored, %d records", len(counts), sum(counts))

    def _restored(self, key: TopicPartitionKey) -> Partition | None:
        """One step of a partition's restore; the partition when it is at its changelog's end."""
        try:
            partition = self._owned[key] or self._opened(key)
            restore = self._restoring.get(key)
            if restore is None:
                restore = self._restoring[key] = self._begin(partition)
            if not restore.step(RESTORE_STEP_S):
                return None
        except Transient as trouble:
            log.warning("restoring %s[%d]: %s", *key, trouble)
            self._drop_restore(key)
            return None
        self._drop_restore(key)
        self._restored_counts[key] = restore.records
        return partition

    def _opened(self, key: TopicPartitionKey) -> Partition:
        topic, number = key
        stage = self._stages[topic]
        folder = self._settings.data_dir / self._settings.connection.group
        disk = Disk(folder / f"{stage.store_name}-{number}")
        partition = Partition(stage, key, disk, self._codec, self._settings, self._names)
        self._owned[key] = partition
        return partition

    def _begin(self, partition: Partition) -> Restore:
        connection = self._settings.connection
        name = self.changelog_of(partition)
        return Restore(
            connection, name, partition.number, partition.disk, self._facts[name], now_ms
        )

    def changelog_of(self, partition: Partition) -> str:
        """Full name of a partition's changelog."""
        connection = self._settings.connection
        return prefixed(connection.prefix, changelog(connection.group, partition.stage.store_name))

    def topic_id_of(self, partition: Partition) -> str:
        """The broker's id of a partition's changelog."""
        return self._facts[self.changelog_of(partition)].topic_id

    def _start(self, partition: Partition) -> int:
        """Where a restored partition goes on."""
        key = partition.key
        offset = committed(self._consumer, [key])[key]
        if offset is not None:
            return offset
        if partition.is_known or not partition.disk.is_empty():
            raise StartPosition(
                f"group {self._settings.connection.group} has state for {key[0]}[{key[1]}] but no"
                " position in it",
                kept="the state; nothing was read",
                advice="set the group's position to where the state stands, or remove the group's"
                " changelogs to begin anew",
            )
        low, _ = self._consumer.get_watermark_offsets(TopicPartition(*key), 10.0)
        return int(low)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self._owned[each.topic, each.partition] = None
        self.moved = True
        if partitions:
            reach("assigned")
        consumer.incremental_assign([])

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        keys = [(each.topic, each.partition) for each in partitions]
        fetched = [TopicPartition(*key) for key in keys if key in self.active]
        for key in keys:
            self._let_go(key)
        self.moved = True
        reach("in_revoke")
        consumer.incremental_unassign(fetched)

    def _let_go(self, key: TopicPartitionKey) -> None:
        self._drop_restore(key)
        self.active.pop(key, None)
        partition = self._owned.pop(key, None)
        if partition is not None:
            self.fresh = [each for each in self.fresh if each is not partition]
            partition.disk.close()

    def _drop_restore(self, key: TopicPartitionKey) -> None:
        restore = self._restoring.pop(key, None)
        if restore is not None:
            restore.close()


def _key(message: Message) -> TopicPartitionKey:
    topic, partition = message.topic(), message.partition()
    return (topic or "", -1 if partition is None else partition)
