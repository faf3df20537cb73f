"""The partitions of this worker: handed over by the group, taken over, then consumed."""

from __future__ import annotations

import logging
from collections import defaultdict
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from streams.engine.cycle.demands import repartitioned
from streams.engine.faults import reach
from streams.engine.kafka import clients
from streams.engine.kafka.failures import StartPosition, Unreleased
from streams.engine.kafka.positions import Questions, raise_for
from streams.engine.takeover.joining import Joining
from streams.engine.takeover.stores import Stores
from streams.engine.takeover.takeovers import Takeovers
from streams.errors import Transient
from streams.runtime.clock import now_ms

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from streams.engine.cycle.partition import Partition
    from streams.engine.declare import Encoding, Stage
    from streams.engine.kafka.admin import TopicFacts
    from streams.engine.kafka.records import TopicPartitionKey
    from streams.engine.settings import EngineSettings
    from streams.engine.takeover.tally import Progress
    from streams.engine.takeover.way import Arrival

log = logging.getLogger(__name__)

BUSY_STEP_S: Final = 0.02
"""How long a step of the take-overs may delay the cycles of other partitions."""
IDLE_STEP_S: Final = 0.25
"""The same while no partition is consumed; the group is not answered meanwhile."""
METADATA_S: Final = 5.0
LONGEST_CYCLE_MS: Final = 60_000
"""A member that does not poll for so long loses its partitions. The broker has ended its open
transaction by then, and the partitions that it is to give up would be held for the library's five
minutes, while those who wait for them have none."""


class Membership:
    """Owns the consumer and the partitions that it gives.

    Rebalances happen only inside `poll`, so never while a cycle is open. A partition handed over
    is first restored to the end of its changelog, then asked for its committed position, in this
    order, and only then fetched from there.

    Attributes:
        active: Partitions that are consumed now.
        fresh: Those among them that the group never consumed before.
        notes: What is to stand beside the positions of an input.
        moved: Set whenever the group gave or took a partition.
        is_closed: Whether it has left for good.
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

        Raises:
            StateUnreadable: A later build has worked on the states.
            Misconfigured: A state's schema changed under the same version.
            Transient: The broker does not answer.
        """
        self._settings = settings
        self._stores = Stores(stages, codec, settings, names, facts)
        self._stores.refuse_newer()
        self.notes = self._stores.notes
        connection = settings.connection
        self._consumer: Consumer | None = None
        self.active: dict[TopicPartitionKey, Partition] = {}
        self._owned: set[TopicPartitionKey] = set()
        self._questions = Questions(connection)
        self._takeovers = Takeovers(connection, self._questions, self._stores.opened, now_ms)
        self.moved = False
        self.fresh: list[Partition] = []
        self._is_counted = True
        self._joining = Joining(settings.session_timeout_ms / 1000)
        self.is_closed = False

    @property
    def owned(self) -> frozenset[TopicPartitionKey]:
        """Every partition that the group gave to this worker."""
        return frozenset(self._owned)

    @property
    def is_restoring(self) -> bool:
        """Whether some owned partition is not consumed yet."""
        return len(self.active) < len(self._owned)

    @property
    def waiting(self) -> str:
        """What the worker waits for before it can consume, in words; empty for nothing."""
        return self._joining.waiting or self._takeovers.waiting

    @property
    def progress(self) -> Progress | None:
        """How far the restores are; None when none is under way."""
        return self._takeovers.progress

    def subscribe(self) -> None:
        """Join the group for the stages' topics."""
        settings = self._settings
        self._consumer = self._questions.member = Consumer(
            clients.member(
                settings.connection,
                settings.connection.group,
                instance_id=settings.instance_id,
                session_timeout_ms=settings.session_timeout_ms,
                protocol=settings.group_protocol,
                extra={
                    "max.poll.interval.ms": max(LONGEST_CYCLE_MS, settings.session_timeout_ms),
                    **settings.client,
                },
            )
        )
        self._joining.asks(monotonic())
        self._consumer.subscribe(
            self._stores.inputs,
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._lost,
        )

    def poll(self, timeout_s: float, most: int) -> dict[TopicPartitionKey, list[Any]]:
        """Take a step with partitions that are taken over, and read what is there.

        Args:
            timeout_s: Longest wait for the first record.
            most: Most records.

        Returns:
            Records by partition, in order, of partitions that are consumed now.

        Raises:
            Repartitioned: An input has more partitions than its state.
        """
        found: dict[TopicPartitionKey, list[Any]] = defaultdict(list)
        if not self._is_joined(timeout_s):
            return found
        self._advance()
        try:
            self._take(found, self._patience(timeout_s), most)
        except Unreleased as trouble:
            # The consumer of a refused member is of no more use: a new one asks later.
            found.clear()
            self._joining.refused(trouble.message, monotonic())
            self._leave()
        self._refuse_repartitioned()
        if self._consumer is not None and self._joining.is_forgotten(monotonic()):
            self._leave()
        return found

    def again(self) -> None:
        """Take every partition through restore and committed position once more.

        After an abort this brings the positions back; after a commit of unknown outcome, or one
        whose store could not be written, it also brings the store to what the broker has.
        """
        active, self.active = self.active, {}
        self.fresh.clear()
        if self._consumer is not None:
            self._consumer.incremental_unassign([TopicPartition(*key) for key in active])
        for key, partition in active.items():
            self._begin(key, partition)

    def group_metadata(self) -> Any:
        """What lets the group refuse the offsets of a former member."""
        return self._member.consumer_group_metadata()

    def end_of(self, key: TopicPartitionKey) -> int:
        """The end of a consumed partition as its last fetch told it; -1 if none did."""
        known = self._member.get_watermark_offsets(TopicPartition(*key), cached=True)
        return max(-1, int(known[1]))

    def close(self) -> None:
        """Leave (a static member keeps its place) and close the stores."""
        self.is_closed = True
        self._leave()
        self._takeovers.close()
        self._stores.close()

    def changelog_of(self, partition: Partition) -> str:
        """Full name of a partition's changelog."""
        return self._stores.place(partition.key)[0]

    def topic_id_of(self, partition: Partition) -> str:
        """The broker's id of a partition's changelog."""
        return self._stores.facts(partition.topic).topic_id

    @property
    def _member(self) -> Consumer:
        if self._consumer is None:
            raise AssertionError("the group was not joined")
        return self._consumer

    def _take(self, found: dict[TopicPartitionKey, list[Any]], timeout_s: float, most: int) -> None:
        consumer = self._member
        first = consumer.poll(timeout_s)
        if first is None:
            return
        rest = consumer.consume(most - 1, 0) if most > 1 else []
        # A partition that moved during these calls, there and back even, is not active.
        takers: dict[Any, Callable[[Message], None]] = {
            key: found[key].append for key in self.active
        }
        for message in (first, *rest):
            error = message.error()
            if error is not None:
                raise_for(error, message)
                continue
            take = takers.get((message.topic(), message.partition()))
            if take is not None:
                take(message)
        for key in self.active:
            if not found[key]:
                del found[key]

    def _patience(self, timeout_s: float) -> float:
        """How long to wait for records: not while something else could go on."""
        if self._takeovers:
            return 0.0 if self._takeovers.moved else min(timeout_s, 0.01)
        return 0.0 if self._stores.follow() else timeout_s

    def _is_joined(self, timeout_s: float) -> bool:
        """Whether it is a member; joins again when it is time, and waits when it is not."""
        if self._consumer is not None:
            return True
        self._stores.follow()
        rest = self._joining.rest_s(monotonic())
        if rest > 0:
            sleep(min(rest, timeout_s))
            return False
        self.subscribe()
        return True

    def _leave(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._questions.member = None
        if consumer is not None:
            consumer.close()
        for key in list(self._owned):
            self._let_go(key)

    def _advance(self) -> None:
        if not self._takeovers:
            return
        patient = not self.active
        budget = IDLE_STEP_S if patient else BUSY_STEP_S
        for arrival in self._takeovers.step(budget, patient=patient):
            partition = arrival.partition
            key = partition.key
            try:
                offset = self._start(arrival)
                partition.reset()
            except Transient as trouble:
                log.warning("taking over %s[%d]: %s", *key, trouble)
                self._begin(key, partition)
                continue
            partition.position = offset
            self._member.incremental_assign([TopicPartition(*key, offset)])
            self.active[key] = partition
            if not partition.is_known:
                self.fresh.append(partition)

    def _begin(self, key: TopicPartitionKey, partition: Partition | None = None) -> None:
        changelog, _ = self._stores.place(key)
        self._takeovers.begin(key, changelog, self._stores.facts(key[0]), partition)

    def _start(self, arrival: Arrival) -> int:
        """Where a restored partition goes on; its beginning if the group was never there."""
        partition, position = arrival.partition, arrival.position
        key, group = partition.key, self._settings.connection.group
        has_state = partition.is_known or not partition.disk.is_empty()
        if position is not None:
            if arrival.is_ours and not has_state:
                raise StartPosition(
                    f"group {group} has consumed {key[0]}[{key[1]}] up to {position}, but its"
                    f" state is gone from {self.changelog_of(partition)}",
                    kept="the position; nothing was read",
                    advice="bring the changelog back, or set the group's position to where the"
                    " state shall be built from",
                )
            return position
        if has_state:
            raise StartPosition(
                f"group {group} has state for {key[0]}[{key[1]}] but no position in it",
                kept="the state; nothing was read",
                advice="set the group's position to where the state stands, or remove the group's"
                " changelogs to begin anew",
            )
        found = self._questions.beginnings([key]).wait(METADATA_S)
        if found is None:
            raise Transient(f"the beginning of {key[0]}[{key[1]}] is not known")
        return found[key] or 0

    def _refuse_repartitioned(self) -> None:
        """After each move: keys of an input that grew have moved away from their state."""
        if self._is_counted or self._consumer is None:
            return
        for topic in self._stores.inputs:
            wanted = self._stores.facts(topic).partitions
            numbers = [number for name, number in self._owned if name == topic]
            there = max([self._count(topic), *(number + 1 for number in numbers)])
            if there > wanted:
                raise repartitioned(topic, there, self._stores.place((topic, 0))[0], wanted)
        self._is_counted = True

    def _count(self, topic: str) -> int:
        try:
            known = self._member.list_topics(topic, timeout=METADATA_S).topics[topic]
        except (KafkaException, KeyError):
            return 0
        return len(known.partitions)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._joining.answered()
        for each in partitions:
            key = each.topic, each.partition
            self._owned.add(key)
            if each.partition < self._stores.facts(each.topic).partitions:
                self._begin(key)
        self.moved = True
        self._is_counted = False
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

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._revoked(consumer, partitions)
        self._joining.asks(monotonic())

    def _let_go(self, key: TopicPartitionKey) -> None:
        self._owned.discard(key)
        partition = self.active.pop(key, None) or self._takeovers.drop(key)
        self.fresh = [each for each in self.fresh if each is not partition]
        self._stores.released(key, partition)
