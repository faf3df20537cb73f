"""Faust's transport plug-in `lotgate://`: Faust drives agents, the engine drives the data.

Facts about Faust 0.15 that shape this file: a message is skipped in silence when flow control is
not active yet or when its generation is not the app's; the compiled stream iterator acknowledges
by itself, so completion is what the stage said, never what Faust says; its fetcher waits for a
recovery that waits for an assignment, so the cycle has a task of its own.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Final

import faust
from faust.transport import base
from faust.transport.consumer import Consumer as FaustConsumer
from faust.transport.producer import Producer as FaustProducer
from faust.types import TP, ConsumerMessage
from mode import Service

from streams.engine.cycle.fuse import FuseTripped
from streams.engine.ending import end_process, exit_code_of
from streams.errors import Misconfigured, Transient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from streams.engine.cycle.engine import Batch, Engine

log = logging.getLogger(__name__)

__all__ = ["BatchSchema", "Consumer", "Producer", "Transport"]

FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 5.0
COMPLETION_S: Final = 60.0
"""Longest wait for stages to say that they are done; they have a second's work."""


class BatchMessage(ConsumerMessage):  # type: ignore[misc]
    """One partition's share of a cycle, as Faust sees it."""

    __slots__ = ("batch", "completed", "deadline")


class BatchSchema(faust.Schema):  # type: ignore[misc]
    """Gives the stage its batch as it is: the stage decodes, record by record."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> None:
        """A batch has no key."""

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        """The message carries the batch."""
        return message


class Consumer(FaustConsumer):  # type: ignore[misc]
    """Runs the engine's cycles; everything that touches the broker is in one thread of its own."""

    consumer_stopped_errors: ClassVar[tuple[type[BaseException], ...]] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lotgate-cycle")
        self._subscribed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._pause_s = FIRST_PAUSE_S

    @property
    def engine(self) -> Engine:
        """The application's engine."""
        engine: Engine = self.app.engine
        return engine

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Note that the agents are there; the engine knows its topics."""
        self._subscribed.set()

    def assignment(self) -> set[TP]:
        """The partitions that the group gave to this worker."""
        return {TP(*key) for key in self.app.owned}

    @Service.task  # type: ignore[misc]
    async def _cycles(self) -> None:
        await self._subscribed.wait()
        while not self.should_stop:
            batches: list[Batch] = []
            try:
                await self._call(self.engine.start)
                batches = await self._polled()
                if batches:
                    self._idle.clear()
                    await self._cycle(batches)
                self._pause_s = FIRST_PAUSE_S
            except Transient as trouble:
                await self._retry(trouble)
            except FuseTripped as trip:
                await self._tripped(batches, trip)
            except asyncio.CancelledError:
                raise
            except BaseException as failure:  # noqa: BLE001 - fail-stop (law E6)
                await self._end(failure)
            finally:
                self._idle.set()

    async def _polled(self) -> list[Batch]:
        batches: list[Batch] = await self._call(self.engine.poll)
        owned = self.engine.moved()
        if owned is not None:
            self.app.owned = owned
            await self._on_partitions_assigned(self.assignment(), 0)
        return batches

    async def _cycle(self, batches: list[Batch]) -> None:
        began = monotonic()
        while not self.app.flow_control.is_active():
            # Faust opens the flow when its (empty) recovery after an assignment has run.
            await asyncio.sleep(0.005)
        completed = asyncio.Event()
        deadline = monotonic() + self.engine.settings.cycle_work_s
        for batch in batches:
            await self.callback(self._message(batch, batches, deadline, completed))
        try:
            await asyncio.wait_for(completed.wait(), COMPLETION_S)
        except TimeoutError:
            # `commit` names the stage that did not complete.
            pass
        await self._call(self.engine.commit, batches)
        rest = self.engine.settings.cycle_floor_s - (monotonic() - began)
        if rest > 0:
            await asyncio.sleep(rest)

    def _message(
        self, batch: Batch, batches: list[Batch], deadline: float, completed: asyncio.Event
    ) -> BatchMessage:
        topic, number = batch.partition.key
        message = BatchMessage(
            topic, number, max(batch.partition.position, 0), 0.0, 0, [], None, b"", None, 0, 0,
            TP(topic, number),
        )  # fmt: skip
        message.batch = batch
        message.deadline = deadline

        def complete() -> None:
            if all(each.is_done for each in batches):
                completed.set()

        message.completed = complete
        message.generation_id = self.app.consumer_generation_id
        return message

    async def _retry(self, trouble: Transient) -> None:
        """Go back to what is committed, and try again for ever, more slowly each time."""
        log.warning("cycle given up, trying again in %.2f s: %s", self._pause_s, trouble)
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
        try:
            if self.engine.is_started:
                await self._call(self.engine.recover)
        except Transient as still:
            log.warning("not recovered yet: %s", still)
        except BaseException as failure:  # noqa: BLE001 - fail-stop (law E6)
            await self._end(failure)

    async def _tripped(self, batches: list[Batch], trip: FuseTripped) -> None:
        try:
            await self._call(self.engine.record_trip, batches, trip)
        except BaseException as failure:  # noqa: BLE001 - the process ends in either case
            log.exception("the tripped fuse could not be stored", exc_info=failure)
        await self._end(trip)

    async def _end(self, failure: BaseException) -> None:
        """Stop with a named exit code; close what can be closed in a bounded time."""
        code = exit_code_of(failure)
        try:
            await asyncio.wait_for(self._call(self.engine.close), 5.0)
        except BaseException as second:  # noqa: BLE001 - the first failure is the one to tell
            log.warning("closing: %s", second)
        end_process(code, failure)

    async def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)

    async def on_stop(self) -> None:
        """End between two cycles, then close the consumer and the stores."""
        await self._idle.wait()
        await self._call(self.engine.close)
        self._thread.shutdown(wait=False)

    # What follows answers Faust's questions about a data path that it does not have here.

    def ack(self, message: Any) -> bool:
        """Completion is what the stage says."""
        return True

    def track_message(self, message: Any) -> None:
        """Nothing to track: positions are part of the transaction."""

    async def getmany(self, timeout: float) -> AsyncIterator[Any]:
        """Give nothing: the cycle delivers."""
        await asyncio.sleep(timeout)
        return
        yield

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:
        raise NotImplementedError

    def _to_message(self, tp: Any, record: Any) -> Any:
        raise NotImplementedError

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: FBT001, FBT002
        """Commits belong to the cycle."""
        return True

    async def force_commit(self, *args: Any, **options: Any) -> bool:
        """Commits belong to the cycle."""
        return True

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        return True

    async def wait_empty(self) -> None:
        """Wait until no cycle is open."""
        await self._idle.wait()

    async def perform_seek(self) -> None:
        """Positions are the engine's."""

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Positions are the engine's."""
        return {}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Positions are the engine's."""

    async def _seek(self, partition: TP, offset: int) -> None:
        """Positions are the engine's."""

    async def seek_to_beginning(self, *partitions: TP) -> None:
        """Positions are the engine's."""

    async def position(self, tp: TP) -> int | None:
        """Positions are the engine's."""
        return None

    def pause_partitions(self, tps: Iterable[TP]) -> None:
        """Faust pauses for its recovery, which has nothing to do."""

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Faust resumes after its recovery, which has nothing to do."""

    def highwater(self, tp: TP) -> int:
        """Not known here: there are no Faust tables."""
        return 0

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Not known here: there are no Faust tables."""
        return {}

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """Not known here: there are no Faust tables."""
        return {}

    def topic_partitions(self, topic: str) -> int | None:
        """Not known here: there are no Faust tables."""
        return None

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> None:
        """The producer partitions."""

    async def create_topic(self, *args: Any, **options: Any) -> None:
        """Topics are provisioned, never made on the way."""

    def close(self) -> None:
        """`on_stop` closes."""


class Producer(FaustProducer):  # type: ignore[misc]
    """Refuses Faust's own sends: what a stage emits is part of the cycle's transaction."""

    async def on_start(self) -> None:
        """Nothing to start: the engine has the producer."""

    async def flush(self) -> None:
        """Nothing to flush."""

    async def send(self, topic: str, *args: Any, **options: Any) -> Any:
        """Refuse.

        Raises:
            Misconfigured: Always.
        """
        raise Misconfigured(
            f"a send to {topic} outside of the cycle would not be part of its transaction",
            code="send_outside_cycle",
            kept="nothing was sent",
            advice="return the event from the rule, in Verdict.emits",
        )

    async def send_and_wait(self, topic: str, *args: Any, **options: Any) -> Any:
        """Refuse as `send` does."""
        return await self.send(topic)

    async def create_topic(self, *args: Any, **options: Any) -> None:
        """Topics are provisioned, never made on the way."""

    def key_partition(self, topic: str, key: bytes) -> TP:
        """The engine's producer partitions."""
        return TP(topic, 0)


class Transport(base.Transport):  # type: ignore[misc]
    """What Faust loads for broker URLs `lotgate://host:port`."""

    Consumer = Consumer
    Producer = Producer
    default_port = 9092
    driver_version = "lotgate"
