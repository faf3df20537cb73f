"""The driver: a job's own stages and the engine's own cycle, without a broker."""

from __future__ import annotations

import shutil
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Final, Self, Unpack

from streams.engine.faults import ENGINE_POINTS, RELEASE_POINT, arm
from streams.engine.poison.fuse import FuseTripped
from streams.engine.testing.deciding import Decided
from streams.engine.testing.seen import Seen
from streams.engine.testing.worker import MemoryEngine, let_go
from streams.engine.timers.places import NEVER
from streams.errors import Misconfigured, Transient

if TYPE_CHECKING:
    from streams.engine.cycle.batch import Batch
    from streams.engine.declare import Encoding
    from streams.engine.testing.job import Limits, Stages
    from streams.engine.testing.memory import Torn

MOST_CYCLES: Final = 10_000
"""More than any job needs to come to rest; a job that feeds itself for ever does not."""
POINTS: Final = (*(at for at in ENGINE_POINTS if at != "in_revoke"), RELEASE_POINT)
"""Where a driven process can die: in every step of a cycle, of a restore, of a key's release."""
TEARABLE: Final = ("after_produce", "before_offsets", "before_commit")


class Crashed(BaseException):
    """The pretended process died. Not an `Exception`: no rule may survive it."""


def _die(_: int) -> None:
    raise Crashed


def _microseconds(seconds: float, minutes: float, hours: float, days: float) -> int:
    return round((seconds + 60 * (minutes + 60 * (hours + 24 * days))) * 1_000_000)


class Driver(Decided, Seen):
    """Drives a job over topics in memory: one partition, a clock that moves when told.

    What runs is the engine itself: its cycle, its store on disk, its codecs, its dead letters,
    fuse, parked keys and timers. What is not there is the broker, the group and the network.
    Events go in by `send`; nothing happens until `cycle`, `settle` or `advance`. What a stage
    emits to a topic that another stage of the job reads arrives there in a later cycle.

    Example:
        >>> from examples.inspection_due import ESCALATIONS, LotNews, app
        >>> with Driver(app) as driver:
        ...     driver.send(LotNews("L1", 1, "arrived", at_us=0))
        ...     driver.advance(hours=8)
        ...     crashed = driver.crash("before_commit")
        ...     driver.outage(hours=8)
        ...     [each.to for each in driver.emitted(ESCALATIONS)]
        ['shift lead', 'quality manager']
    """

    def __init__(
        self,
        job: Stages,
        *,
        codec: Encoding | None = None,
        now_us: int = 0,
        **limits: Unpack[Limits],
    ) -> None:
        """Make ready; use as a context manager, or call `close`. See `Job` for the arguments."""
        super().__init__(job, codec=codec, now_us=now_us, **limits)
        self._engine: MemoryEngine | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def cycle(self) -> bool:
        """Run one cycle: read, run rules, commit, write the stores.

        Returns:
            Whether there was anything to do.

        Raises:
            FuseTripped: Too many records failed; every later cycle says so too, until
                `reset_fuse` or `restart(build=...)`.
            LotgateError: What would end the process, or make it try again later.
        """
        try:
            return self._cycle()
        except Crashed:
            raise
        except BaseException as failure:
            self._end()
            let_go(failure)
            raise

    def settle(self, most_cycles: int = MOST_CYCLES) -> None:
        """Run cycles until there is nothing to do.

        Args:
            most_cycles: After so many the job is held to be endless.

        Raises:
            Misconfigured: The job feeds itself for ever.
            LotgateError: As `cycle`.
        """
        for _ in range(most_cycles):
            if not self.cycle():
                return
        raise Misconfigured(
            f"after {most_cycles} cycles there is still something to do",
            code="no_rest",
            advice="look for a stage that emits to its own input, or a timer that sets itself",
        )

    def advance(
        self, *, seconds: float = 0.0, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0
    ) -> None:
        """Let time pass while the job runs: what was sent is done first, then timers fire.

        Each timer fires at the instant at which it is due, so `now_us` and `due_us` are equal.

        Raises:
            LotgateError: As `settle`.
        """
        end_us = self.now_us + _microseconds(seconds, minutes, hours, days)
        self.settle()
        while (next_us := self._next_due_us()) <= end_us:
            self.now_us = max(self.now_us, next_us)
            self.settle()
        self.now_us = end_us
        self.settle()

    def outage(
        self, *, seconds: float = 0.0, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0
    ) -> None:
        """Let time pass while nothing runs, then start anew: timers that were due fire late.

        They fire in the order in which they were due, all with the same `now_us`.

        Raises:
            LotgateError: As `settle`.
        """
        self.restart()
        self.now_us += _microseconds(seconds, minutes, hours, days)
        self.settle()

    def restart(
        self,
        job: Stages | None = None,
        *,
        build: str | None = None,
        lose_disk: bool = False,
    ) -> None:
        """End the process and start it anew: memory is forgotten, the store is kept.

        Args:
            job: Another release of the job; the same by default.
            build: Version of the new process; the same by default.
            lose_disk: The new process has an empty disk, as another worker would: its store
                comes back from the changelog.
        """
        self._end()
        if lose_disk:
            shutil.rmtree(self._settings.data_dir, ignore_errors=True)
        if build is not None:
            self._settings = replace(self._settings, build=build)
        if job is not None:
            self._release(job)

    def crash(self, at: str, *, nth: int = 1, torn: Torn | None = None) -> bool:
        """Run a cycle, die in it as by `kill -9`, and start anew.

        Args:
            at: Where; one of `POINTS`. At `in_restore` the disk is lost first.
            nth: The how manieth time that the point is reached.
            torn: The first line of defence fails too: of the open transaction, `outputs` are
                seen though it was never committed, or `all_but_positions`: outputs and state.

        Returns:
            Whether the point was reached; if not, the cycle ended well.

        Raises:
            Misconfigured: There is no such point, or no transaction to tear there.
            LotgateError: As `cycle`.
        """
        if at not in POINTS or (torn is not None and at not in TEARABLE):
            known = TEARABLE if torn else POINTS
            raise Misconfigured(
                f"there is no point {at} to die at", code="bad_fault_point",
                advice=f"name one of {', '.join(known)}",
            )  # fmt: skip
        if at == "in_restore":
            self.restart(lose_disk=True)
        arm(f"{at}:{nth}", _die)
        try:
            self.cycle()
        except Crashed as death:
            let_go(death)
            if torn is not None and self._engine is not None:
                self._engine.transaction.tear(torn)
            self.restart()
            return True
        finally:
            arm("")
        return False

    def close(self) -> None:
        """End the process and remove its folder."""
        self._end()
        self._folder.cleanup()

    def _cycle(self) -> bool:
        engine = self._alive()
        batches: list[Batch] = []
        try:
            batches = engine.poll()
            for batch in batches:
                batch.run(inf)
            if batches:
                engine.commit(batches)
        except FuseTripped as trip:
            engine.record_trip(batches, trip)
            raise
        except Transient:
            engine.recover()
            raise
        return bool(batches)

    def _alive(self) -> MemoryEngine:
        if self._engine is None:
            engine = MemoryEngine(self._stages, self._settings, self._broker, self._decisions)
            engine.start()
            self._engine = engine
        return self._engine

    def _next_due_us(self) -> int:
        """When the next timer is due; what is due now has fired."""
        partitions = self._alive().membership.active.values()
        pending = [each.pending.next_us for each in partitions if each.stage.due is not None]
        return min([NEVER, *pending])

    def _end(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()
