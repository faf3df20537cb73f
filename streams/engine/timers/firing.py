"""Fire what is due in a partition: once, in order, inside a cycle (law E7)."""

from __future__ import annotations

import logging
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Final

from streams.engine.cycle.rules import NOT_THE_RECORDS
from streams.engine.faults import reach
from streams.engine.timers.evidence import as_record, story
from streams.engine.timers.places import DUE, NEVER, SLOT, ordered, read
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.engine.control import Decision
    from streams.engine.cycle.partition import Partition
    from streams.engine.poison.letters import Output
    from streams.engine.poison.suspects import Suspects
    from streams.engine.state.disk import Disk
    from streams.engine.timers.due import Fire
    from streams.engine.timers.pending import Pending
    from streams.engine.timers.places import Place
    from streams.errors import Poison

log = logging.getLogger(__name__)

MOST: Final = 5_000
"""Most timers of one partition that fire in one cycle; as many as a cycle has records."""
STRIDE: Final = 64
"""Timers between two looks at the clock."""


class Firing:
    """When and how one partition's timers fire.

    The clock of timers never runs backwards within a process: it is the latest instant that was
    seen. After a step of the machine's clock backwards nothing is due twice, and what is set
    fires when the clock has caught up with what was seen; a step forwards makes timers fire that
    much earlier, with that `now` in their evidence. After a restart the clock is what it is:
    what fired is gone, and what is pending is due when the clock says so.
    """

    def __init__(self, partition: Partition, pending: Pending, fire: Fire | None) -> None:
        """Say what fires where.

        Args:
            partition: Takes what follows from a firing.
            pending: The partition's timers.
            fire: What happens when one is due; None for a stage without timers.
        """
        self._partition = partition
        self._pending = pending
        self._fire = fire
        self._now_us = 0
        self._condemned: tuple[Place, Exception] | None = None
        self._replayed: list[Place] = []
        self.fired: list[Place] = []

    def is_due(self, clock_us: int) -> bool:
        """Whether a timer is due.

        Args:
            clock_us: What the clock says, microseconds since 1970.
        """
        self._now_us = max(self._now_us, clock_us)
        return self._fire is not None and self._pending.is_due(self._now_us)

    def wait_s(self, clock_us: int) -> float:
        """Seconds until the next timer is due; 0 if one is, infinite if none is pending.

        Args:
            clock_us: What the clock says, microseconds since 1970.
        """
        if self.is_due(clock_us):
            return 0.0
        if self._fire is None or self._pending.next_us == NEVER:
            return inf
        return (self._pending.next_us - self._now_us) / 1e6

    def run(self, most: int, deadline: float, suspects: Suspects | None = None) -> None:
        """Fire what is due, in order of due time, key and name; the rest waits for the next cycle.

        Args:
            most: Most timers.
            deadline: Monotonic seconds after which the rest waits.
            suspects: Where it is noted what is about to fire; None notes nothing.
        """
        partition, pending = self._partition, self._pending
        if suspects is not None and partition.suspects is None:
            suspects.begin_due(*partition.key, self._now_us)
        blocked, passed = partition.ledger.blocked, 0
        for place in self._bounded(pending.due(self._now_us), min(most, MOST), deadline):
            if place.key in blocked:
                pending.set_aside(place)
                continue
            pending.consume(place)
            self.fired.append(place)
            failure = self._attempt(place, place.due_us)
            if failure is None:
                passed += 1
            else:
                partition.fuse.passed(passed)
                passed = 0
                self._bury(place, failure, attempts=1)
        partition.fuse.passed(passed)

    def decide(self, decision: Decision) -> None:
        """Apply a person's decision on a firing that failed, once."""
        place = _place(decision)
        attempts = self._pending.failed(place)
        partition = self._partition
        if not attempts or self._fire is None:
            log.warning("decision %d: no open dead letter of %s", decision.at, place)
            return
        if decision.kind == "replay" and place.key in partition.ledger.blocked:
            log.warning(
                "decision %d: %s stays open: its key waits behind a dead letter, which is to be"
                " decided on first",
                decision.at, place,
            )  # fmt: skip
            return
        failure = None
        if decision.kind == "replay":
            self._replayed.append(place)
            failure = self._attempt(place, NEVER)
        if failure is None:
            self._pending.decided(place)
        else:
            self._bury(place, failure, attempts + 1, cause=f"control@{decision.at}")

    def condemn(self, place: Place, error: Exception) -> None:
        """Make a timer fail when it fires next: the broker refuses what follows from it."""
        self._condemned = (place, error)

    def condemn_decided(self, decision: Decision, error: Exception) -> None:
        """Make the replay of a failed firing fail when it is tried next."""
        self.condemn(_place(decision), error)

    def committed(self) -> None:
        """What fired is through."""
        replayed, self.fired, self._replayed = self._replayed, [], []
        suspects, key = self._partition.suspects, self._partition.key
        if suspects is not None:
            suspects.fired(*key, self._pending.next_us)
            for place in replayed:
                suspects.replayed(*key, ordered(place))

    def reset(self) -> None:
        """Forget what was staged.

        Raises:
            Misconfigured: Timers are pending, and the stage has nothing that would happen.
        """
        self.fired, self._replayed = [], []
        self._pending.reset()
        if self._fire is None:
            refuse_orphans(self._partition.disk, self._partition.stage.name)

    def _bounded(self, due: Iterator[Place], most: int, deadline: float) -> Iterator[Place]:
        for count, place in enumerate(due):
            if count >= most or (count and not count % STRIDE and monotonic() > deadline):
                return
            if not count % STRIDE:
                reach("mid_stage")
            yield place

    def _attempt(self, place: Place, due_us: int) -> Exception | None:
        """Fire one; gives what says that the timer itself is at fault."""
        suspects = self._partition.suspects
        if suspects is None:
            return self._tried(place)
        with suspects.firing(*self._partition.key, due_us, ordered(place)) as refusal:
            return refusal or self._tried(place)

    def _tried(self, place: Place) -> Exception | None:
        partition = self._partition
        if self._fire is None:
            raise AssertionError("a timer fires in a stage without timers")
        try:
            self._refuse_condemned(place)
            emitted = self._fire(place, self._now_us, partition.position)
        except NOT_THE_RECORDS:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a rule raises is about the timer
            return error
        if emitted is not None:
            self._emit(place, *emitted)
        return None

    def _emit(self, place: Place, outputs: list[Output], rejected: list[Poison]) -> None:
        staged = self._partition.staged
        if not rejected:
            staged.outputs.extend(outputs)
            return
        record = as_record(place, self._now_us, self._partition.position)
        # What a part of its outputs is rejected for is no firing that could be replayed.
        also = {**self._story(place), "scope": "part"}
        staged.emit(record, outputs, rejected, also)

    def _story(self, place: Place) -> dict[str, str]:
        return story(place, self._now_us, self._partition.stage.due_name)

    def _refuse_condemned(self, place: Place) -> None:
        if self._condemned is not None and place == self._condemned[0]:
            error, self._condemned = self._condemned[1], None
            raise error

    def _bury(self, place: Place, error: Exception, attempts: int, cause: str = "") -> None:
        partition = self._partition
        partition.staged.letter(
            as_record(place, self._now_us, partition.position),
            error,
            attempts=attempts,
            cause=cause or f"timer {place.name}",
            also=self._story(place),
        )
        self._pending.fail(place, attempts)
        partition.staged.failed(error)


def _place(decision: Decision) -> Place:
    return read(bytes.fromhex(decision.timer))


def refuse_orphans(disk: Disk, stage: str) -> None:
    """Refuse a stage without `due` whose store has timers: they would never fire.

    Raises:
        Misconfigured: There are some.
    """
    if next(disk.between(DUE, SLOT), None) is not None:
        raise Misconfigured(
            f"timers are pending in the store of stage {stage}, and it has no `due`",
            code="timers_without_due",
            kept="the timers, and the records that were not read",
            advice=f"give stage {stage} its due= again, at least until they have fired",
        )
