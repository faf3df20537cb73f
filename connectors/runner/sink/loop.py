"""The one loop of sinks: commands in, effects at the target, acks and positions out.

One command is in flight per partition, partitions run side by side. Calls to the target are made
while no Kafka transaction is open; what answers a command (its ack, its dead letter) and its
position are then written in one transaction. A death between effect and ack is harmless: the
command comes again with the same version, and the target resumes it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from connectors.runner.declared.releasing import Releasing
from streams.engine import OutcomeUnknown, Reader, Transaction, reach
from streams.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from connectors.runner.health.sink import SinkHealth
    from connectors.runner.sink.command import Commands, Settled
    from connectors.runner.sink.config import SinkConfig
    from streams.engine import Record
    from streams.runtime.connection import KafkaConnection

logger = logging.getLogger(__name__)

Partition = tuple[str, int]
R = TypeVar("R")

IDLE_S = 0.5
BUSY_S = 0.03
"""Longest wait for records while commands are in flight: it delays a finished one's ack."""
JOINING_S = 0.1
COMMIT_PAUSE_S = 0.5


class Loop:
    """The partitions of this process and what is going on in each."""

    def __init__(
        self,
        config: SinkConfig,
        connection: KafkaConnection,
        commands: Commands,
        transaction: Transaction,
        health: SinkHealth,
    ) -> None:
        self._health = health
        self._config = config
        self._connection = connection
        self._commands = commands
        self._transaction = transaction
        self._releasing = Releasing(config.release, config.flow, connection)
        self._queues: dict[Partition, deque[Record]] = {}
        self._running: dict[Partition, asyncio.Task[Settled]] = {}
        self._ready: dict[Partition, Settled] = {}
        self._lost: set[Partition] = set()
        self._paused: set[Partition] = set()
        self._commit_at = 0.0

    async def run(self) -> None:
        """Poll, settle, commit, until cancelled."""
        reader = Reader(
            self._connection,
            self._config.component,
            [self._config.commands],
            instance_id=self._config.instance_id,
            session_timeout_ms=int(self._config.session_timeout_s * 1000),
            on_revoked=self._lost.update,
        )
        try:
            while True:
                await self._turn(reader)
        finally:
            await _ended(self._running.values())
            await asyncio.to_thread(reader.close)

    async def _turn(self, reader: Reader) -> None:
        busy = bool(self._running or self._ready)
        wait = BUSY_S if busy else IDLE_S if reader.assignment else JOINING_S
        try:
            records = await finished(reader.poll, wait)
        except Transient as error:
            self._health.waits(str(error))
            logger.warning("reading commands: %s", error)
            await asyncio.sleep(COMMIT_PAUSE_S)
            records = []
        else:
            self._health.turned(assigned=len(reader.assignment), running=len(self._running))
        if records:
            reach("after_poll")
        await self._drop_lost()
        for record in records:
            self._queues.setdefault((record.topic, record.partition), deque()).append(record)
        self._collect()
        if self._ready and time.monotonic() >= self._commit_at:
            await self._commit(reader)
        if self._releasing.must_look:
            await finished(self._releasing.look)
        self._start()
        self._throttle(reader)

    async def _drop_lost(self) -> None:
        """Forget partitions that went to another member: it begins at the committed position."""
        lost, tasks = list(self._lost), []
        self._lost.clear()
        self._paused.difference_update(lost)
        for partition in lost:
            self._queues.pop(partition, None)
            self._ready.pop(partition, None)
            if partition in self._running:
                tasks.append(self._running.pop(partition))
        await _ended(tasks)

    def _collect(self) -> None:
        for partition, task in list(self._running.items()):
            if task.done():
                del self._running[partition]
                self._ready[partition] = task.result()

    def _start(self) -> None:
        for partition, queue in self._queues.items():
            is_busy = partition in self._running or partition in self._ready
            if queue and not is_busy and self._releasing.lets(queue[0].timestamp_ms):
                record = queue.popleft()
                self._running[partition] = asyncio.create_task(self._commands.settle(record))

    def _throttle(self, reader: Reader) -> None:
        """Read ahead a little and no more; polling goes on, so the membership is kept."""
        backlog = self._config.backlog
        full = {p for p, queue in self._queues.items() if len(queue) >= backlog} - self._paused
        short = {p for p in self._paused if len(self._queues.get(p, ())) <= backlog // 2}
        if full:
            reader.pause(full)
        if short:
            reader.resume(short)
        self._paused = (self._paused | full) - short

    async def _commit(self, reader: Reader) -> None:
        settled = list(self._ready.values())
        try:
            await finished(write, self._transaction, settled, reader)
        except OutcomeUnknown as error:
            logger.warning("commit without an answer, reading the position again: %s", error)
            await self._learn(reader)
        except Transient as error:
            logger.warning("nothing was committed, trying again: %s", error)
            self._commit_at = time.monotonic() + COMMIT_PAUSE_S
        else:
            self._ready.clear()
            letters = self._config.dead_letters
            dead = sum(1 for each in settled for out in each.outputs if out.topic == letters)
            self._health.committed(len(settled), dead)

    async def _learn(self, reader: Reader) -> None:
        """Find out what became of a commit, and keep only what was not committed."""
        try:
            await finished(self._transaction.settle)
            known = await finished(reader.committed, list(self._ready))
        except Transient as error:
            logger.warning("the position is not known yet: %s", error)
            self._commit_at = time.monotonic() + COMMIT_PAUSE_S
            return
        for partition, position in known.items():
            if position is not None and position > self._ready[partition].record.offset:
                del self._ready[partition]


def write(transaction: Transaction, settled: list[Settled], reader: Reader | None) -> None:
    """Write what answers some records, with their positions, in one transaction."""
    reach("before_produce")
    transaction.begin()
    try:
        for each in settled:
            for output in each.outputs:
                transaction.produce(output.topic, output.key, output.value, output.headers)
        if reader is not None:
            positions = {(s.record.topic, s.record.partition): s.record.offset + 1 for s in settled}
            transaction.send_offsets(positions, reader.group_metadata())
        reach("before_commit")
        transaction.commit()
    except BaseException:
        transaction.abort()
        raise
    reach("after_commit")


async def finished(function: Callable[..., R], *arguments: Any) -> R:
    """Run a blocking call in a thread and, if cancelled meanwhile, wait for its end all the same.

    Reader and transaction are closed right after a cancellation, and must not be in use then.
    """
    work = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        raise


async def _ended(tasks: Iterable[asyncio.Task[Settled]]) -> None:
    """Cancel tasks and wait until they are over; the target resumes what they began."""
    waiting = list(tasks)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
