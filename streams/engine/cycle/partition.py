"""One owned input partition: its stage, its store, and what this cycle has staged for it."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from streams.contracts.topics import dead_letters, prefixed
from streams.engine.cycle.effects import Effects
from streams.engine.cycle.rules import NOT_THE_RECORDS, bind
from streams.engine.faults import RELEASE_POINT, reach
from streams.engine.poison.fuse import FUSE_KEY, Fuse, FuseTripped
from streams.engine.poison.ledger import Ledger, ParkingFull
from streams.engine.poison.letters import Origin, Output, dead_letter, fitting
from streams.engine.state.stamp import SCHEMA_KEY, Stamp
from streams.engine.state.table import Table
from streams.engine.timers.due import bind_due
from streams.engine.timers.firing import Firing
from streams.engine.timers.pending import Pending
from streams.runtime.logging import Scrubber

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.engine.control import Decision
    from streams.engine.declare import Encoding, Stage
    from streams.engine.kafka.records import TopicPartitionKey
    from streams.engine.poison.stored import Raw
    from streams.engine.poison.suspects import Suspects
    from streams.engine.settings import EngineSettings
    from streams.engine.state.disk import Checkpoint, Disk
    from streams.errors import Poison

log = logging.getLogger(__name__)

CONTROL_KEY: Final = b"\0\1control"
STARTED_KEY: Final = b"\0\1started"
STRIDE: Final = 64
"""Records between two looks at the clock."""
NOTHING: Final[Mapping[str, str]] = {}


class Partition:
    """Runs a stage over the records of one partition and stages what follows.

    Nothing here reaches the broker or the disk; the engine takes `outputs` and `changes` into its
    transaction, and calls `committed` when that is through, or `reset` when it is not.
    """

    def __init__(
        self,
        stage: Stage,
        key: TopicPartitionKey,
        disk: Disk,
        codec: Encoding,
        settings: EngineSettings,
        names: dict[str, str],
    ) -> None:
        """Bind a stage to a partition.

        Args:
            stage: What runs.
            key: Full name of the input topic, and partition number.
            disk: The partition's store.
            codec: Encodes and decodes.
            settings: Limits.
            names: Full names of topics by declared names.
        """
        self.stage = stage
        self.topic, self.number = self.key = key
        self.disk = disk
        self.position = -1
        self.condemned: tuple[int, Exception] | None = None
        self.released: list[int] = []
        self.outputs: list[Output] = []
        self.changes: dict[bytes, bytes | None] = {}
        self.control = -1
        self.scanned = 0
        self._settings = settings
        connection = settings.connection
        self._origin = Origin(
            prefixed(connection.prefix, dead_letters(connection.group)),
            self.topic,
            self.number,
            connection.group,
            stage.name,
            settings.build,
            stage.rule_name,
            stage.store_name,
            stage.reader,
            Scrubber((connection.security.get("sasl.password", ""),)),
        )
        self._table: Table[Any] | None = (
            Table(stage.store, codec, disk) if stage.store is not None else None
        )
        effects = Effects(stage, codec, names, settings.record_limit_bytes)
        pending = Pending(disk, self.changes)
        self._apply = bind(stage, codec, effects, self._table, pending, self.changes)
        fire = bind_due(stage, effects, self._table, pending, self.changes, self.number)
        self.pending = pending
        self.firing = Firing(self, pending, fire)
        self.ledger = Ledger(self._stored, settings.parking)
        self.fuse = Fuse(settings.fuse, settings.build, None)
        self._counters_stored = False
        self._stamp = _stamp_of(stage, codec, settings, self.number)
        self.suspects: Suspects | None = None

    @property
    def is_known(self) -> bool:
        """Whether this partition was ever consumed by the group."""
        return self.disk.get(STARTED_KEY) is not None

    def reset(self) -> None:
        """Forget everything that is not in the store, and take up what is there.

        Raises:
            StateUnreadable: A later version of the state's schema was written.
            Misconfigured: Another schema was written under the same version.
        """
        if self._stamp is not None:
            self._stamp.check(self._stored(SCHEMA_KEY))
        self.outputs = []
        self.changes.clear()
        if self._table is not None:
            self._table.reset()
        counters = self._stored(FUSE_KEY)
        self._counters_stored = counters is not None
        self.fuse = Fuse(self._settings.fuse, self._settings.build, counters)
        self.ledger.load(self.disk.engine_records())
        self.firing.reset()
        stored = self.disk.get(CONTROL_KEY)
        self.control = int(stored) if stored is not None else -1
        self.scanned = 0

    def concerns(self, decision: Decision) -> bool:
        """Whether a decision is about this partition and not yet applied."""
        return (
            decision.at > self.control
            and decision.topic == self.topic
            and decision.partition == self.number
        )

    def run(self, records: list[Any], deadline: float) -> list[Any]:
        """Run the stage over records, in order.

        Args:
            records: What was read.
            deadline: Monotonic seconds after which the rest waits for the next cycle.

        Returns:
            The records that wait.

        Raises:
            FuseTripped: Too many failed.
            ParkingFull: The first record must wait and cannot.
            LotgateError: Something other than a record is at fault.
        """
        good = 0
        blocked = self.ledger.blocked
        attempt = self._attempt
        for index, record in enumerate(records):
            if not index % STRIDE:
                reach("mid_stage")
                if index and monotonic() > deadline:
                    return self._cut(records, index, good)
            if blocked and record.key() in blocked:
                if self._waits(record):
                    continue
                return self._cut(records, index, good)
            failure = attempt(record)
            if failure is None:
                good += 1
            else:
                self.fuse.passed(good)
                good = 0
                self._bury(record, failure, attempts=1)
        self.fuse.passed(good)
        self._advance(records[-1])
        return []

    def decide(self, decision: Decision) -> None:
        """Apply a person's decision, once: its offset is part of what is staged.

        `released` tells afterwards which records ran in consequence, in order.
        """
        self.control = decision.at
        self.changes[CONTROL_KEY] = str(decision.at).encode()
        if decision.kind == "fuse_reset":
            self.fuse.reset()
            self.changes[FUSE_KEY] = self.fuse.dump()
            return
        if decision.timer:
            self.firing.decide(decision)
            return
        self.released = []
        attempts = self.ledger.attempts(decision.offset)
        if attempts is None:
            log.warning(
                "decision %d: no open dead letter at %s[%d]@%d",
                decision.at, self.topic, self.number, decision.offset,
            )  # fmt: skip
            return
        if decision.kind == "replay" and not self._replayed(decision, attempts):
            return
        key = self.ledger.close(decision.offset, self.changes)
        if key is not None:
            self._release(key)

    def stage_counters(self) -> None:
        """Stage the fuse's counters if they tell anything, and the form of the states."""
        if self._stamp is not None and self._stamp.is_due and self.changes:
            self.changes[SCHEMA_KEY] = self._stamp.dump()
        if not self.fuse.is_clean:
            self.changes[FUSE_KEY] = self.fuse.dump()
            self._counters_stored = True
        elif self._counters_stored:
            self.changes[FUSE_KEY] = None
            self._counters_stored = False

    def committed(self, checkpoint: Checkpoint | None) -> None:
        """The cycle is committed: write the store and go on.

        Args:
            checkpoint: How far the changelog is now; None if nothing was added to it.
        """
        if checkpoint is not None:
            self.disk.write(self.changes, checkpoint)
        if self._stamp is not None and SCHEMA_KEY in self.changes:
            self._stamp.is_due = False
        if self.condemned is not None and self.position > self.condemned[0]:
            self.condemned = None
        self.outputs = []
        self.changes.clear()
        if self._table is not None:
            self._table.committed()
        self.pending.committed()
        self.firing.committed()

    def _stored(self, key: bytes) -> bytes | None:
        found: bytes | None = self.disk.get(key)
        return found

    def _advance(self, last: Raw) -> None:
        self.position = int(last.offset()) + 1

    def _cut(self, records: list[Any], index: int, good: int) -> list[Any]:
        """End the cycle before a record: what was done so far is committed."""
        self.fuse.passed(good)
        if index:
            self._advance(records[index - 1])
        return records[index:]

    def _waits(self, record: Raw) -> bool:
        """Let a record wait behind the dead letter of its key; False if that must come first.

        The dead letters and the decisions of this very cycle are what makes room: they are
        committed before the process ends for want of it.
        """
        try:
            self.ledger.wait(record, self.changes)
        except ParkingFull:
            if self.changes or self.outputs:
                return False
            raise
        return True

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

    def failed(self, error: Exception) -> None:
        """Count a failure.

        Raises:
            FuseTripped: It is one too many.
        """
        self.fuse.failed()
        if self.fuse.tripped:
            raise FuseTripped(
                f"{self.fuse.tripped} in {self.topic}[{self.number}] of stage {self.stage.name};"
                f" the last: {error}",
                kept="the records of this cycle are not consumed",
                advice="repair the rule or its input, then `lotgate dlq fuse reset` or a new build",
            )

    def _attempt(self, record: Raw) -> Exception | None:
        """Run the rule on a record; gives what says that the record itself is at fault."""
        if self.suspects is None:
            return self._tried(record)
        at, suspects = record.offset(), self.suspects
        refusal = suspects.refusal(*self.key, at)
        if refusal is not None:
            return refusal
        suspects.begin(*self.key, at, at)
        try:
            return self._tried(record)
        finally:
            suspects.end()

    def _tried(self, record: Raw) -> Exception | None:
        try:
            if self.condemned is not None:
                self._refuse_condemned(record)
            emitted = self._apply(record)
        except NOT_THE_RECORDS:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a rule raises is about the record
            return error
        if emitted is not None:
            self.emit(record, *emitted)
        return None

    def _refuse_condemned(self, record: Raw) -> None:
        if self.condemned is not None and record.offset() == self.condemned[0]:
            raise self.condemned[1]

    def _bury(self, record: Raw, error: Exception, *, attempts: int, cause: str = "") -> None:
        """Write a dead letter, block the key behind it if the stage wants that, count."""
        self.letter(record, error, attempts=attempts, cause=cause)
        blocks = self.stage.dedupes_by_position and record.key() is not None
        self.ledger.open(record, attempts, self.changes, blocks=blocks)
        self.failed(error)

    def _replayed(self, decision: Decision, attempts: int) -> bool:
        record = decision.record
        if record is None or not self.ledger.blocks(decision.offset, record.key()):
            log.warning(
                "decision %d: its record is not the one at %s[%d]@%d",
                decision.at, self.topic, self.number, decision.offset,
            )  # fmt: skip
            return False
        failure = self._attempt(record)
        if failure is not None:
            cause = f"control@{decision.at}"
            self._bury(record, failure, attempts=attempts + 1, cause=cause)
            return False
        self.released.append(record.offset())
        return True

    def _release(self, key: bytes) -> None:
        """Run what waits behind a resolved head, in order, until one fails or none is left."""
        while (record := self.ledger.next_waiting(key, self.changes)) is not None:
            reach(RELEASE_POINT)
            failure = self._attempt(record)
            if failure is not None:
                self._bury(record, failure, attempts=1)
                return
            self.released.append(record.offset())
        self.pending.free(key)


def _stamp_of(stage: Stage, codec: Encoding, settings: EngineSettings, number: int) -> Stamp | None:
    if stage.store is None:
        return None
    return Stamp(codec.form(stage.store.topic), settings.build, f"{stage.store.name}[{number}]")
