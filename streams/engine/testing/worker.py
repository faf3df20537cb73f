"""The engine itself, bound to topics in memory: one worker that owns the one partition."""

from __future__ import annotations

from traceback import clear_frames
from typing import TYPE_CHECKING, Any

from streams.contracts.topics import changelog, prefixed
from streams.engine.cycle.decisions import Decisions
from streams.engine.cycle.engine import Engine
from streams.engine.cycle.membership import Membership
from streams.engine.cycle.partition import Partition
from streams.engine.faults import reach
from streams.engine.state.disk import Checkpoint, Disk
from streams.engine.testing.memory import MemoryTransaction

if TYPE_CHECKING:
    from streams.engine.control import Decision
    from streams.engine.declare import Encoding, Stage
    from streams.engine.kafka.records import TopicPartitionKey
    from streams.engine.settings import EngineSettings
    from streams.engine.testing.memory import Broker

TOPIC_ID = "memory"


def changelog_name(settings: EngineSettings, stage: Stage) -> str:
    """Full name of a stage's changelog."""
    connection = settings.connection
    return prefixed(connection.prefix, changelog(connection.group, stage.store_name))


def let_go(failure: BaseException | None) -> None:
    """Let go of what a failure's frames hold: a reading of the store keeps its files locked."""
    while failure is not None:
        clear_frames(failure.__traceback__)
        failure = failure.__cause__ or failure.__context__


class MemoryMembership(Membership):
    """Owns partition 0 of every input, from start to end."""

    def __init__(
        self,
        stages: dict[str, Stage],
        codec: Encoding,
        settings: EngineSettings,
        names: dict[str, str],
        broker: Broker,
    ) -> None:
        """Open, restore and take up every partition.

        Args:
            stages: Stages by full name of their input topic.
            codec: Encodes and decodes.
            settings: Limits, group, folder.
            names: Full names of topics by declared names.
            broker: The topics.
        """
        self._settings = settings
        self._broker = broker
        self.notes = {}
        self.moved = False
        self.is_closed = False
        self.fresh = []
        self.active = {}
        self._fetched: dict[TopicPartitionKey, int] = {}
        folder = settings.data_dir / settings.connection.group
        try:
            for topic, stage in stages.items():
                key = (topic, 0)
                disk = Disk(folder / f"{stage.store_name}-0")
                self.active[key] = Partition(stage, key, disk, codec, settings, names)
                self._take_up(self.active[key])
        except BaseException:
            self.close()
            raise

    @property
    def owned(self) -> frozenset[TopicPartitionKey]:
        """Every partition there is."""
        return frozenset(self.active)

    @property
    def is_restoring(self) -> bool:
        """Never: it is done before the first cycle."""
        return False

    def poll(self, timeout_s: float, most: int) -> dict[TopicPartitionKey, list[Any]]:  # noqa: ARG002
        """Read what is there, without waiting.

        Args:
            timeout_s: Not waited for: nobody else writes.
            most: Most records, over all inputs.
        """
        found: dict[TopicPartitionKey, list[Any]] = {}
        for key, at in self._fetched.items():
            records = self._broker.log(key[0]).since(at)[:most]
            if records:
                most -= len(records)
                found[key] = list(records)
                self._fetched[key] = records[-1].at + 1
        return found

    def again(self) -> None:
        """Go back to what is committed."""
        self.fresh.clear()
        for partition in self.active.values():
            self._take_up(partition)

    def group_metadata(self) -> None:
        """The group has no other member."""

    def changelog_of(self, partition: Partition) -> str:
        """Full name of a partition's changelog."""
        return changelog_name(self._settings, partition.stage)

    def topic_id_of(self, partition: Partition) -> str:  # noqa: ARG002 - all are of one broker
        """The id of a partition's changelog."""
        return TOPIC_ID

    def close(self) -> None:
        """Close the stores."""
        for partition in self.active.values():
            partition.disk.close()
        self.active = {}

    def _take_up(self, partition: Partition) -> None:
        """Bring the store up to its changelog, and go on from the committed position."""
        disk, log = partition.disk, self._broker.log(self.changelog_of(partition))
        known = disk.checkpoint.position if disk.checkpoint is not None else 0
        missed = log.since(known)
        if missed or disk.checkpoint is None:
            changes = {each.octets_key or b"": each.octets for each in missed}
            disk.write(changes, Checkpoint(log.end, TOPIC_ID, 0))
            reach("in_restore")
        partition.reset()
        position = self._broker.positions.get(partition.key)
        partition.position = self._fetched[partition.key] = position or 0
        if not partition.is_known:
            self.fresh.append(partition)


class MemoryDecisions(Decisions):
    """What was decided, as the control topic's records would say it."""

    def __init__(self, known: list[Decision]) -> None:
        """Take up what was decided so far.

        Args:
            known: Every decision, in order; later ones are appended to this same list.
        """
        self.known = known

    def look(self) -> bool:
        """Nothing needs to be fetched."""
        return False

    def close(self) -> None:
        """Nothing is open."""


class MemoryEngine(Engine):
    """The engine's own cycles over topics in memory."""

    def __init__(
        self, stages: list[Stage], settings: EngineSettings, broker: Broker, known: list[Decision]
    ) -> None:
        """Say what runs; `start` takes up the partitions.

        Args:
            stages: The stages, one per input topic.
            settings: Limits, group, folder.
            broker: The topics.
            known: Decisions of people.
        """
        super().__init__(stages, settings)
        self._broker = broker
        changelogs = {changelog_name(settings, stage) for stage in stages}
        self.transaction = MemoryTransaction(broker, settings.connection, changelogs.__contains__)
        self._transaction = self.transaction
        self._decisions = MemoryDecisions(known)

    @property
    def names(self) -> dict[str, str]:
        """Full names of topics by declared names."""
        return self._names

    def start(self) -> None:
        """Prepare the codec and take up every partition."""
        if self._membership is not None:
            return
        codec = self._codec = self.settings.codec()
        codec.prepare([topic for stage in self.stages.values() for topic in stage.topics])
        self._membership = MemoryMembership(
            self.stages, codec, self.settings, self._names, self._broker
        )
