"""One owned input partition: its stage, its store, and what this cycle has staged for it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from streams.engine.cycle.effects import Effects
from streams.engine.cycle.rules import NOT_THE_RECORDS, bind
from streams.engine.cycle.staged import Staged
from streams.engine.faults import reach
from streams.engine.poison.ledger import ParkingFull
from streams.engine.poison.settling import Settling
from streams.engine.state.table import Table
from streams.engine.timers.due import bind_due
from streams.engine.timers.firing import Firing
from streams.engine.timers.pending import Pending

if TYPE_CHECKING:
    from streams.engine.declare import Encoding, Stage
    from streams.engine.kafka.records import TopicPartitionKey
    from streams.engine.poison.fuse import Fuse
    from streams.engine.poison.letters import Output
    from streams.engine.poison.stored import Raw
    from streams.engine.poison.suspects import Suspects
    from streams.engine.settings import EngineSettings
    from streams.engine.state.disk import Checkpoint, Disk

STARTED_KEY: Final = b"\0\1started"
STRIDE: Final = 64
"""Records between two looks at the clock."""


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
        self.staged = Staged(stage, key, disk, codec, settings)
        self.changes = self.staged.changes
        self.ledger = self.staged.ledger
        self._table = None if stage.store is None else Table(stage.store, codec, disk)
        effects = Effects(stage, codec, names, settings.record_limit_bytes, settings.build)
        pending = Pending(disk, self.changes)
        self._apply = bind(stage, codec, effects, self._table, pending, self.changes)
        fire = bind_due(stage, effects, self._table, pending, self.changes, self.number)
        self.pending = pending
        self.firing = Firing(self, pending, fire)
        self.settling = Settling(self)
        self.suspects: Suspects | None = None

    @property
    def outputs(self) -> list[Output]:
        """Records to produce, in order."""
        return self.staged.outputs

    @property
    def fuse(self) -> Fuse:
        """Counts failures."""
        return self.staged.fuse

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
        self.staged.reset()
        if self._table is not None:
            self._table.reset()
        self.firing.reset()
        self.settling.reset()

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
        at = 0
        for start in range(0, len(records), STRIDE):
            reach("mid_stage")
            if start and monotonic() > deadline:
                return self._cut(records, start)
            stride = records[start : start + STRIDE]
            while stride:
                done = self._plainly(stride) if self._is_plain else self._with_care(stride[0])
                if not done:
                    return self._cut(records, at)
                at += done
                stride = stride[done:]
        self._advance(records[-1])
        return []

    def finish(self) -> None:
        """Encode what the batch changed, and stage what was counted.

        Raises:
            Unencodable: A state does not fit its schema: `begin_strictly`, and run it all again.
        """
        if self._table is not None:
            self._table.flush(self.changes)
        self.staged.counters()

    def begin_strictly(self) -> None:
        """Forget what the batch did; until it is committed each state is tried as it is made."""
        self.reset()
        if self._table is not None:
            self._table.is_strict = True

    @property
    def _is_plain(self) -> bool:
        """Nothing waits behind a dead letter and nothing is suspected."""
        return not (self.ledger.blocked or self.suspects or self.condemned)

    def _plainly(self, records: list[Any]) -> int:
        """Run the rule over records up to the first that fails; gives how many were done."""
        apply, emit = self._apply, self.staged.emit
        for index, record in enumerate(records):
            try:
                emitted = apply(record)
            except NOT_THE_RECORDS:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a rule raises is about the record
                self.fuse.passed(index)
                self.staged.bury(record, error, attempts=1)
                return index + 1
            if emitted is not None:
                emit(record, *emitted)
        self.fuse.passed(len(records))
        return len(records)

    def _with_care(self, record: Raw) -> int:
        """Run the rule over a record or let it wait; 0 if there is no room for it to wait."""
        if record.key() in self.ledger.blocked:
            return int(self._waits(record))
        failure = self.attempt(record)
        if failure is None:
            self.fuse.passed(1)
        else:
            self.staged.bury(record, failure, attempts=1)
        return 1

    def committed(self, checkpoint: Checkpoint | None) -> None:
        """The cycle is committed: write the store and go on.

        Args:
            checkpoint: How far the changelog is now; None if nothing was added to it.
        """
        if checkpoint is not None:
            self.disk.write(self.changes, checkpoint)
        if self.condemned is not None and self.position > self.condemned[0]:
            self.condemned = None
        self.staged.committed()
        if self._table is not None:
            self._table.committed()
        self.pending.committed()
        self.firing.committed()

    def _advance(self, last: Raw) -> None:
        self.position = int(last.offset()) + 1

    def _cut(self, records: list[Any], index: int) -> list[Any]:
        """End the cycle before a record: what was done so far is committed."""
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
            if self.changes or self.staged.outputs or (self._table and self._table.dirty):
                return False
            raise
        return True

    def attempt(self, record: Raw) -> Exception | None:
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
        if self.condemned is not None and record.offset() == self.condemned[0]:
            return self.condemned[1]
        try:
            emitted = self._apply(record)
        except NOT_THE_RECORDS:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a rule raises is about the record
            return error
        if emitted is not None:
            self.staged.emit(record, *emitted)
        return None
