"""Faust's consumer, which runs the engine's cycles.

Facts about Faust 0.15 that shape this file: a message is skipped in silence when flow control is
not active yet or when its generation is not the app's; the compiled stream iterator acknowledges
by itself, so completion is what the stage said, never what Faust says; its fetcher waits for a
recovery that waits for an assignment, so the cycle has a task of its own.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Final

from faust.types import TP
from mode import Service

from streams.engine.exit_codes import ExitCode
from streams.engine.plugin.answers import Answers
from streams.engine.plugin.batches import message_of
from streams.engine.plugin.ending import end_process, exit_code_of
from streams.engine.poison.fuse import FuseTripped
from streams.engine.watch.marks import Phase
from streams.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streams.engine.cycle.batch import Batch
    from streams.engine.cycle.engine import Engine
    from streams.engine.watch.watch import Watch

log = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 5.0
COMMIT_S: Final = 30.0
STOP_LOOK_S: Final = 0.5
HANDED_OVER_S: Final = 5.0
"""After this a batch that Faust did not hand over to its stage is run without it."""


class Consumer(Answers):
    """Runs the engine's cycles; everything that touches the broker is in one thread of its own."""

    consumer_stopped_errors: ClassVar[tuple[type[BaseException], ...]] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lotgate-cycle")
        self._subscribed = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()
        self._pause_s = FIRST_PAUSE_S

    @property
    def _lotgate(self) -> Any:
        """The application, which Faust's types know only as any application."""
        return self.app

    @property
    def engine(self) -> Engine:
        """The application's engine."""
        engine: Engine = self._lotgate.engine
        return engine

    @property
    def watch(self) -> Watch:
        """Who is told what the cycle is at."""
        watch: Watch = self._lotgate.watch
        return watch

    @property
    def _call_s(self) -> float:
        """What the time-outs of one step's calls to the broker add up to, in s."""
        settings = self.engine.settings
        return settings.call_s or COMMIT_S + 6 * settings.transaction_timeout_ms / 1000

    async def subscribe(self, topics: Iterable[str]) -> None:  # noqa: ARG002 - Faust's signature
        """Note that the agents are there; the engine knows its topics."""
        self._subscribed.set()

    def assignment(self) -> set[TP]:
        """The partitions that the group gave to this worker."""
        return {TP(*key) for key in self._lotgate.owned}

    @Service.task
    async def _cycles(self) -> None:
        await self._subscribed.wait()
        while not self.should_stop:
            batches: list[Batch] = []
            try:
                await self._joined()
                batches = await self._polled()
                if batches:
                    self.idle.clear()
                    await self._cycle(batches)
                self._pause_s = FIRST_PAUSE_S
                self.watch.marks.waiting = ""
            except Transient as trouble:
                await self._retry(trouble)
            except FuseTripped as trip:
                await self._tripped(batches, trip)
            except asyncio.CancelledError:
                raise
            except TimeoutError as late:
                why = str(late) or f"{Phase.COMMITTING} for {self._call_s:g} s"
                end_process(ExitCode.WATCHDOG, TimeoutError(why))
            except BaseException as failure:  # noqa: BLE001 - fail-stop (law E6)
                await self._end(failure)
            finally:
                self.idle.set()

    async def _joined(self) -> None:
        if not self.engine.is_started:
            # Topics, rights and schemas are asked for one after another.
            self.watch.enter(Phase.STARTING, 3 * self._call_s)
            await self._call(self.engine.start)

    async def _polled(self) -> list[Batch]:
        self.watch.enter(Phase.POLLING, self._call_s)
        batches: list[Batch] = await self._call(self._poll)
        owned = self.engine.moved()
        if owned is not None:
            self.watch.was_assigned = True
            self._lotgate.owned = owned
            # Faust reports the end of every rebalance as a fault if none began.
            self._lotgate.on_rebalance_start()
            assigned: Any = self._on_partitions_assigned
            await assigned(self.assignment(), 0)
        return batches

    def _poll(self) -> list[Batch]:
        batches = self.engine.poll()
        self.watch.look(self.engine)
        return batches

    async def _cycle(self, batches: list[Batch]) -> None:
        began = monotonic()
        self.watch.enter(Phase.STAGES)
        while not self.app.flow_control.is_active():
            # Faust opens the flow when its (empty) recovery after an assignment has run, and closes
            # it for good when the worker is told to stop.
            if self.should_stop:
                return
            await asyncio.sleep(0.005)
        completed = asyncio.Event()
        deadline = monotonic() + self.engine.settings.cycle_work_s

        def complete() -> None:
            if all(each.is_done for each in batches):
                completed.set()

        for batch in batches:
            generation = self.app.consumer_generation_id
            await self.callback(message_of(batch, deadline, generation, complete))
        if not await self._stages_ended(completed, batches):
            return
        # The client library bounds each of a commit's calls; one that never returns is a fault of
        # its own that only a new process ends.
        self.watch.enter(Phase.COMMITTING, self._call_s)
        async with asyncio.timeout(self._call_s):
            await self._call(self.engine.commit, batches)
        rest = self.engine.settings.cycle_floor_s - (monotonic() - began)
        if rest > 0:
            self.watch.enter(Phase.RESTING, rest)
            await asyncio.sleep(rest)

    async def _stages_ended(self, completed: asyncio.Event, batches: list[Batch]) -> bool:
        """Wait for the stages; False when the worker stops: its agents take no more batches."""
        until = monotonic() + HANDED_OVER_S
        while not completed.is_set() and monotonic() < until:
            stops = self.should_stop
            with suppress(TimeoutError):
                await asyncio.wait_for(completed.wait(), STOP_LOOK_S)
            if stops and not completed.is_set():
                return False
        for batch in batches:
            # A stage's work is one call in this thread: what is not done has not begun.
            if not batch.is_done:
                log.warning(
                    "%s[%d]: a batch was not handed over in %g s, it is run without Faust",
                    *batch.partition.key, HANDED_OVER_S,
                )  # fmt: skip
                batch.run(monotonic() + self.engine.settings.cycle_work_s)
        return True

    async def _retry(self, trouble: Transient) -> None:
        """Go back to what is committed, and try again for ever, more slowly each time."""
        log.warning("cycle given up, trying again in %.2f s: %s", self._pause_s, trouble)
        self.watch.marks.waiting = str(trouble)
        self.watch.enter(Phase.RESTING, self._pause_s)
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
        try:
            if self.engine.is_started:
                self.watch.enter(Phase.RECOVERING, self._call_s)
                await self._call(self.engine.recover)
        except Transient as still:
            log.warning("not recovered yet: %s", still)
        except BaseException as failure:  # noqa: BLE001 - fail-stop (law E6)
            await self._end(failure)

    async def _tripped(self, batches: list[Batch], trip: FuseTripped) -> None:
        try:
            await self._call(self.engine.record_trip, batches, trip)
        except BaseException as failure:
            log.exception("the tripped fuse could not be stored", exc_info=failure)
        await self._end(trip)

    async def _end(self, failure: BaseException) -> None:
        """Stop with a named exit code; close what can be closed in a bounded time."""
        code = exit_code_of(failure)
        self.watch.enter(Phase.ENDING, self._call_s)
        try:
            await asyncio.wait_for(self._call(self.engine.close), 5.0)
        except BaseException as second:  # noqa: BLE001 - the first failure is the one to tell
            log.warning("closing: %s", second)
        end_process(code, failure)

    async def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)

    async def on_stop(self) -> None:
        """End between two cycles, then close the consumer and the stores."""
        await self.idle.wait()
        self.watch.enter(Phase.ENDING, self._call_s)
        await self._call(self.engine.close)
        self._thread.shutdown(wait=False)
