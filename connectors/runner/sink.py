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
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from connectors.runner.sink_command import Commands, Settled
from connectors.runner.sink_open import commands_of, last_acks, open_holds, refuse_open
from streams.contracts.provisioning import dead_letter_spec, topic_spec
from streams.contracts.topics import HOLD_ACKS, HOLD_COMMANDS
from streams.engine import OutcomeUnknown, Reader, Transaction, preflight, reach
from streams.errors import Misconfigured, Poison, Transient
from streams.model.hold import Enforcement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from connectors.base import Sink
    from connectors.runner.sink_config import SinkConfig
    from streams.contracts.codec import Codec
    from streams.engine import Record
    from streams.runtime.connection import KafkaConnection

logger = logging.getLogger(__name__)

Partition = tuple[str, int]

IDLE_S = 0.5
BUSY_S = 0.03
"""Longest wait for records while commands are in flight: it delays a finished one's ack."""
COMMIT_PAUSE_S = 0.5


@runtime_checkable
class Prepares(Protocol):
    """A sink that checks its surroundings before the first command."""

    async def prepare(self) -> None:
        """Check address, key, rights."""


async def run_sink(
    config: SinkConfig, connection: KafkaConnection, codec: Codec, sink: Sink
) -> None:
    """Run a hold sink until it is cancelled.

    Args:
        config: The loop's settings.
        connection: Where the broker is.
        codec: Reads commands and writes acks; its schemas are prepared here.
        sink: The target; it is closed at the end.

    Raises:
        Misconfigured: Topics, credentials or open reported holds forbid to start, or a person must
            change something before the next command can work.
        LotgateError: Another process took this one's identity, or positions are gone.
    """
    try:
        partitions = await asyncio.to_thread(_checked, config, connection, codec)
        await _prepared(config, sink)
        commands = Commands(config, codec, sink)
        with Transaction(connection, f"{config.component}-{config.instance_id}") as transaction:
            if config.enforcement is Enforcement.ENFORCE:
                await _place_open(config, connection, codec, partitions, commands, transaction)
            await _Loop(config, connection, commands, transaction).run()
    finally:
        await sink.close()


class _Loop:
    """The partitions of this process and what is going on in each."""

    def __init__(
        self,
        config: SinkConfig,
        connection: KafkaConnection,
        commands: Commands,
        transaction: Transaction,
    ) -> None:
        self._config = config
        self._connection = connection
        self._commands = commands
        self._transaction = transaction
        self._queues: dict[Partition, deque[Record]] = {}
        self._running: dict[Partition, asyncio.Task[Settled]] = {}
        self._ready: dict[Partition, Settled] = {}
        self._lost: set[Partition] = set()
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
        try:
            records = await asyncio.to_thread(reader.poll, BUSY_S if busy else IDLE_S)
        except Transient as error:
            logger.warning("reading commands: %s", error)
            await asyncio.sleep(COMMIT_PAUSE_S)
            records = []
        if records:
            reach("after_poll")
        await self._drop_lost()
        for record in records:
            self._queues.setdefault((record.topic, record.partition), deque()).append(record)
        self._collect()
        if self._ready and time.monotonic() >= self._commit_at:
            await self._commit(reader)
        self._start()
        self._throttle(reader)

    async def _drop_lost(self) -> None:
        """Forget partitions that went to another member: it begins at the committed position."""
        lost, tasks = list(self._lost), []
        self._lost.clear()
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
            if queue and partition not in self._running and partition not in self._ready:
                record = queue.popleft()
                self._running[partition] = asyncio.create_task(self._commands.settle(record))

    def _throttle(self, reader: Reader) -> None:
        """Read ahead a little and no more; polling goes on, so the membership is kept."""
        full = [p for p, queue in self._queues.items() if len(queue) >= self._config.backlog]
        short = [p for p, queue in self._queues.items() if len(queue) <= self._config.backlog // 2]
        if full:
            reader.pause(full)
        if short:
            reader.resume(short)

    async def _commit(self, reader: Reader) -> None:
        settled = list(self._ready.values())
        try:
            await asyncio.to_thread(_write, self._transaction, settled, reader)
        except OutcomeUnknown as error:
            logger.warning("commit without an answer, reading the position again: %s", error)
            await self._learn(reader)
        except Transient as error:
            logger.warning("nothing was committed, trying again: %s", error)
            self._commit_at = time.monotonic() + COMMIT_PAUSE_S
        else:
            self._ready.clear()

    async def _learn(self, reader: Reader) -> None:
        """Find out what became of a commit, and keep only what was not committed."""
        try:
            await asyncio.to_thread(self._transaction.settle)
            known = await asyncio.to_thread(reader.committed, list(self._ready))
        except Transient as error:
            logger.warning("the position is not known yet: %s", error)
            self._commit_at = time.monotonic() + COMMIT_PAUSE_S
            return
        for partition, position in known.items():
            if position is not None and position > self._ready[partition].record.offset:
                del self._ready[partition]


def _write(transaction: Transaction, settled: list[Settled], reader: Reader | None) -> None:
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


def _checked(config: SinkConfig, connection: KafkaConnection, codec: Codec) -> dict[str, int]:
    """Check topics and schemas; give the number of partitions of each topic."""
    specs = [
        topic_spec(HOLD_COMMANDS, connection),
        topic_spec(HOLD_ACKS, connection),
        dead_letter_spec(config.component, connection),
    ]
    found = preflight(connection, specs)
    codec.prepare([HOLD_COMMANDS, HOLD_ACKS])
    return {name: facts.partitions for name, facts in found.items()}


async def _prepared(config: SinkConfig, sink: Sink) -> None:
    """Let the sink check its target; wait for a target that is away."""
    if not isinstance(sink, Prepares):
        return
    try:
        async for attempt in _patiently(config):
            with attempt:
                await sink.prepare()
    except Poison as error:
        raise Misconfigured(
            f"target {config.target} cannot be used: {error.message}",
            code=error.code,
            kept="no command was read",
            advice=error.advice,
        ) from error


async def _place_open(
    config: SinkConfig,
    connection: KafkaConnection,
    codec: Codec,
    partitions: Mapping[str, int],
    commands: Commands,
    transaction: Transaction,
) -> None:
    """Refuse to enforce over reported holds, or place them first, in the order of their commands.

    Their positions were committed while observing, so these acks go without positions; their ids
    are derived, so a second process doing the same writes the same acks.
    """
    acks = await asyncio.to_thread(last_acks, connection, config, codec, partitions)
    reported = open_holds(acks)
    refuse_open(config, reported)
    if not reported:
        return
    logger.info("placing %d holds that were only reported so far", len(reported))
    found = await asyncio.to_thread(
        lambda: list(commands_of(connection, config, codec, partitions, reported))
    )
    for record in found:
        settled = await commands.settle(record)
        async for attempt in _patiently(config):
            with attempt:
                await asyncio.to_thread(_write, transaction, [settled], None)


def _patiently(config: SinkConfig) -> AsyncRetrying:
    """Retry what passes by itself for ever, with full jitter."""
    retrying = config.retrying
    draw = wait_random_exponential(multiplier=retrying.first_s, max=retrying.longest_s)
    return AsyncRetrying(wait=draw, retry=retry_if_exception_type(Transient), reraise=True)


async def _ended(tasks: Iterable[asyncio.Task[Settled]]) -> None:
    """Cancel tasks and wait until they are over; the target resumes what they began."""
    waiting = list(tasks)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
