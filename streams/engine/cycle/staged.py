"""What one partition has staged for a cycle: outputs, dead letters, store changes, the fuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.contracts.topics import dead_letters, prefixed
from streams.engine.poison.fuse import FUSE_KEY, Fuse, FuseTripped
from streams.engine.poison.ledger import Ledger
from streams.engine.poison.letters import Origin, Output, dead_letter, fitting
from streams.engine.state.stamp import SCHEMA_KEY, Stamp
from streams.runtime.logging import Scrubber

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.engine.declare import Encoding, Stage
    from streams.engine.kafka.records import TopicPartitionKey
    from streams.engine.poison.stored import Raw
    from streams.engine.settings import EngineSettings
    from streams.engine.state.disk import Disk
    from streams.errors import Poison

NOTHING: Final[Mapping[str, str]] = {}


class Staged:
    """All that becomes visible with a cycle's commit, or nothing of it.

    Attributes:
        outputs: Records to produce, in order.
        changes: Changes of the store: the last value of each key, None for a removal.
        ledger: Open dead letters, and what waits behind them.
        fuse: Counts failures.
    """

    def __init__(
        self,
        stage: Stage,
        key: TopicPartitionKey,
        disk: Disk,
        codec: Encoding,
        settings: EngineSettings,
    ) -> None:
        """Begin with nothing; `reset` takes up what is stored.

        Args:
            stage: Whose outputs.
            key: Full name of the input topic, and partition number.
            disk: The partition's store.
            codec: Tells the form of the states.
            settings: Limits.
        """
        self._stage = stage
        self._key = key
        self._disk = disk
        self._settings = settings
        self._origin = _origin(stage, key, settings)
        self.outputs: list[Output] = []
        self.changes: dict[bytes, bytes | None] = {}
        self.ledger = Ledger(self.stored, settings.parking)
        self.fuse = Fuse(settings.fuse, settings.build, None)
        self._counters_stored = False
        self._stamp = _stamp_of(stage, codec, settings, key[1])

    def reset(self) -> None:
        """Forget everything that is not in the store, and take up what is there.

        Raises:
            StateUnreadable: A later version of the state's schema was written.
            Misconfigured: Another schema was written under the same version.
        """
        if self._stamp is not None:
            self._stamp.check(self.stored(SCHEMA_KEY))
        self.outputs = []
        self.changes.clear()
        counters = self.stored(FUSE_KEY)
        self._counters_stored = counters is not None
        self.fuse = Fuse(self._settings.fuse, self._settings.build, counters)
        self.ledger.load(self._disk.engine_records())

    def emit(
        self,
        record: Raw,
        outputs: list[Output],
        rejected: list[Poison],
        also: Mapping[str, str] = NOTHING,
    ) -> None:
        """Stage what follows from a record or a timer, with what was rejected as dead letters."""
        self.outputs.extend(outputs)
        for poison in rejected:
            letter = dead_letter(self._origin, record, poison, part=True, also=also)
            self.outputs.append(fitting(letter, self._settings.dead_letter_limit_bytes))

    def letter(
        self,
        record: Raw,
        error: Exception,
        *,
        attempts: int,
        cause: str = "",
        also: Mapping[str, str] = NOTHING,
    ) -> None:
        """Stage the dead letter of a record or a timer."""
        letter = dead_letter(self._origin, record, error, attempts=attempts, cause=cause, also=also)
        self.outputs.append(fitting(letter, self._settings.dead_letter_limit_bytes))

    def bury(self, record: Raw, error: Exception, *, attempts: int, cause: str = "") -> None:
        """Write a dead letter, block the key behind it if the stage wants that, count."""
        self.letter(record, error, attempts=attempts, cause=cause)
        blocks = self._stage.dedupes_by_position and record.key() is not None
        self.ledger.open(record, attempts, self.changes, blocks=blocks)
        self.failed(error)

    def failed(self, error: Exception) -> None:
        """Count a failure.

        Raises:
            FuseTripped: It is one too many.
        """
        self.fuse.failed()
        if self.fuse.tripped:
            topic, number = self._key
            raise FuseTripped(
                f"{self.fuse.tripped} in {topic}[{number}] of stage {self._stage.name};"
                f" the last: {error}",
                kept="the records of this cycle are not consumed",
                advice="repair the rule or its input, then `lotgate dlq fuse reset` or a new build",
            )

    def counters(self) -> None:
        """Stage the fuse's counters if they tell anything, and the form of the states."""
        if self._stamp is not None and self._stamp.is_due and self.changes:
            self.changes[SCHEMA_KEY] = self._stamp.dump()
        if not self.fuse.is_clean:
            self.changes[FUSE_KEY] = self.fuse.dump()
            self._counters_stored = True
        elif self._counters_stored:
            self.changes[FUSE_KEY] = None
            self._counters_stored = False

    def committed(self) -> None:
        """What was staged is visible and stored now."""
        if self._stamp is not None and SCHEMA_KEY in self.changes:
            self._stamp.is_due = False
        self.outputs = []
        self.changes.clear()

    def stored(self, key: bytes) -> bytes | None:
        """What the store has under a key, as it was committed."""
        return self._disk.get(key)


def _origin(stage: Stage, key: TopicPartitionKey, settings: EngineSettings) -> Origin:
    connection = settings.connection
    return Origin(
        prefixed(connection.prefix, dead_letters(connection.group)),
        *key,
        connection.group,
        stage.name,
        settings.build,
        stage.rule_name,
        stage.store_name,
        stage.reader,
        Scrubber((connection.security.get("sasl.password", ""),)),
    )


def _stamp_of(stage: Stage, codec: Encoding, settings: EngineSettings, number: int) -> Stamp | None:
    if stage.store is None:
        return None
    return Stamp(codec.form(stage.store.topic), settings.build, f"{stage.store.name}[{number}]")
