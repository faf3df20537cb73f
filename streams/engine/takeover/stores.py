"""Where the stores of a job are: which changelog, which folder, in whose hands."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from streams.contracts.topics import changelog, prefixed
from streams.engine.cycle.partition import Partition
from streams.engine.kafka.reading import committed_notes
from streams.engine.state.disk import Disk
from streams.engine.state.stamp import Stamp
from streams.engine.state.standby import Copy, Standbys
from streams.errors import Transient
from streams.runtime.clock import now_ms

if TYPE_CHECKING:
    from pathlib import Path

    from streams.engine.declare import Encoding, Stage
    from streams.engine.kafka.admin import TopicFacts
    from streams.engine.kafka.records import TopicPartitionKey
    from streams.engine.settings import EngineSettings

log = logging.getLogger(__name__)


class Stores:
    """Opens the stores of a worker's partitions; with standbys it keeps copies of the others'.

    Attributes:
        inputs: Full names of the stages' input topics.
        notes: What stands beside the positions of an input: in which form its states are written.
    """

    def __init__(
        self,
        stages: dict[str, Stage],
        codec: Encoding,
        settings: EngineSettings,
        names: dict[str, str],
        facts: dict[str, TopicFacts],
    ) -> None:
        """Say what there is; nothing is opened yet.

        Args:
            stages: Stages by full name of their input topic.
            codec: Encodes and decodes.
            settings: Limits, group, folder.
            names: Full names of topics by declared names.
            facts: The changelogs as the broker has them.
        """
        self.inputs = sorted(stages)
        self._stamps = {
            topic: Stamp(codec.form(stage.store.topic), settings.build, stage.store.name)
            for topic, stage in stages.items()
            if stage.store is not None
        }
        self.notes = {topic: stamp.dump().decode() for topic, stamp in self._stamps.items()}
        self._stages = stages
        self._codec = codec
        self._settings = settings
        self._names = names
        self._facts = facts
        self._standbys = (
            Standbys(settings.connection, self._copies(), now_ms) if settings.standbys else None
        )

    def place(self, key: TopicPartitionKey) -> TopicPartitionKey:
        """The changelog partition of an input partition."""
        connection = self._settings.connection
        store = self._stages[key[0]].store_name
        return prefixed(connection.prefix, changelog(connection.group, store)), key[1]

    def facts(self, topic: str) -> TopicFacts:
        """The changelog of an input as the broker has it."""
        return self._facts[self.place((topic, 0))[0]]

    def opened(self, key: TopicPartitionKey) -> Partition:
        """Open a partition with its store, which may be a copy that was kept.

        Raises:
            Transient: Another process has it open, or the disk is full.
            Misconfigured: It cannot be opened.
        """
        disk = self._standbys.lend(self.place(key)) if self._standbys is not None else None
        disk = disk or Disk(self._folder(key))
        stage = self._stages[key[0]]
        return Partition(stage, key, disk, self._codec, self._settings, self._names)

    def refuse_newer(self) -> None:
        """Refuse to begin on states that a later build has worked on, wherever they are.

        The stores say it partition by partition, once they are restored. A worker that finds it
        out in its second one has by then worked on the first.

        Raises:
            StateUnreadable: Positions were committed with a later version of a state's schema.
            Misconfigured: They were committed with another schema of the same version.
        """
        connection = self._settings.connection
        keys = [(topic, n) for topic in self._stamps for n in range(self.facts(topic).partitions)]
        try:
            notes = committed_notes(connection, connection.group, keys) if keys else {}
        except Transient as trouble:
            # Joining tells better what is wrong, a missing right among it.
            log.warning("it is seen by each store alone whether it is a later build's: %s", trouble)
            return
        for (topic, number), note in sorted(notes.items()):
            self._stamps[topic].check(note.encode(), f"[{number}]")

    def released(self, key: TopicPartitionKey, partition: Partition | None) -> None:
        """The partition is another's now: its store becomes a copy, or is closed."""
        disk = partition.disk if partition is not None else None
        if self._standbys is not None and self._standbys.take_back(self.place(key), disk):
            return
        if disk is not None:
            disk.close()

    def follow(self) -> bool:
        """Let the copies follow for a moment; gives whether there may be more at once."""
        return self._standbys is not None and self._standbys.step()

    def close(self) -> None:
        """Close the copies."""
        if self._standbys is not None:
            self._standbys.close()

    def _folder(self, key: TopicPartitionKey) -> Path:
        group = self._settings.data_dir / self._settings.connection.group
        return group / f"{self._stages[key[0]].store_name}-{key[1]}"

    def _copies(self) -> dict[TopicPartitionKey, Copy]:
        found: dict[TopicPartitionKey, Copy] = {}
        for topic in self.inputs:
            facts = self.facts(topic)
            for number in range(facts.partitions):
                key = (topic, number)
                found[self.place(key)] = Copy(self._folder(key), facts)
        return found
