"""A hold sink's topics on a real broker, and a running loop to be looked at from outside."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import tenacity
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from connectors.runner.sink import run_sink
from connectors.runner.sink.config import Retrying, SinkConfig
from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.file_registry import FileRegistry
from streams.contracts.provenance import HEADER, begun
from streams.contracts.provisioning import dead_letter_spec, topic_spec
from streams.contracts.topics import HOLD_ACKS, HOLD_COMMANDS
from streams.engine import Record, Transaction, provision
from streams.engine.kafka import clients
from streams.engine.kafka.records import record_of
from streams.model.hold import Enforcement
from streams.runtime.connection import KafkaConnection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from connectors.base import Sink
    from streams.model.hold import HoldAck, HoldCommand

_numbers = itertools.count()
QUICK = Retrying(first_s=0.05, longest_s=0.3, unknown_s=0.3, reads=2, read_pause_s=0.1)


class Bench:
    """The topics of one installation.

    Args:
        bootstrap: The broker.
        folder: For the schema registry's file.
        prefix: Installation prefix; a new one if none is given.
        writes: False for a process that only needs the settings.
    """

    def __init__(
        self, bootstrap: str, folder: Path, prefix: str = "", *, writes: bool = True
    ) -> None:
        self.prefix = prefix or f"sink{os.getpid()}x{next(_numbers)}"
        self.connection = KafkaConnection(bootstrap, self.prefix)
        self.registry = folder / "registry.json"
        self.codec = Codec(Catalog.load(), FileRegistry(self.registry), self.prefix)
        self.codec.prepare([HOLD_COMMANDS, HOLD_ACKS], register=True)
        self.config = SinkConfig(
            prefix=self.prefix,
            enforcement=Enforcement.ENFORCE,
            session_timeout_s=10,
            build="test",
            retrying=QUICK,
        )
        if not writes:
            return
        specs = [
            topic_spec(HOLD_COMMANDS, self.connection),
            topic_spec(HOLD_ACKS, self.connection),
            dead_letter_spec(self.config.component, self.connection),
        ]
        provision(self.connection, specs)
        self._writer = Transaction(self.connection, f"{self.prefix}-writer")
        self._writer.open()
        self._seen = Seen(self.connection, [(spec.name, spec.partitions) for spec in specs])

    def close(self) -> None:
        self._writer.close()
        self._seen.close()

    def send(self, *commands: HoldCommand) -> None:
        """Publish commands in one transaction."""
        self.send_bytes(
            *((c.lot_id.encode(), self.codec.encode(HOLD_COMMANDS, c)) for c in commands)
        )

    def send_bytes(self, *records: tuple[bytes, bytes]) -> None:
        """Publish anything as commands."""
        self._writer.begin()
        for key, value in records:
            headers = [("traceparent", b"00-1-2-01"), (HEADER, begun("bench", "1", "e-1"))]
            self._writer.produce(self.config.commands, key, value, headers)
        self._writer.commit()

    def acks(self) -> list[HoldAck]:
        """All acks so far."""
        records = self._seen.of(self.config.acks)
        return [self.codec.decode(HOLD_ACKS, r.value) for r in records if r.value is not None]

    def letters(self) -> list[Record]:
        """All dead letters so far."""
        return self._seen.of(self.config.dead_letters)

    def commands(self) -> list[Record]:
        """All commands so far."""
        return self._seen.of(self.config.commands)

    def results(self) -> dict[str, list[str]]:
        """Results per lot number, in order."""
        found: dict[str, list[str]] = {}
        for ack in self.acks():
            found.setdefault(ack.lot_id.split("/")[-1], []).append(ack.result)
        return found

    @asynccontextmanager
    async def running(self, sink: Sink, **changes: object) -> AsyncIterator[asyncio.Task[None]]:
        """Run the loop while the block runs; what ends it early is raised."""
        config = replace(self.config, **changes)  # type: ignore[arg-type]
        work = asyncio.create_task(run_sink(config, self.connection, self.codec, sink))
        try:
            yield work
        finally:
            work.cancel()
            ended = await asyncio.gather(work, return_exceptions=True)
        for end in ended:
            if isinstance(end, Exception):
                raise end

    async def until(
        self, reached: Callable[[], bool], work: asyncio.Task[None], seconds: float = 30
    ) -> None:
        """Wait until something holds, or the loop ends, or the time is up."""
        deadline = time.monotonic() + seconds
        while not await asyncio.to_thread(reached):
            if work.done():
                work.result()
            assert time.monotonic() < deadline, f"not reached; results: {self.results()}"
            await asyncio.sleep(0.2)


class Seen:
    """Everything committed in some topics so far, read by one consumer that stays open."""

    def __init__(self, connection: KafkaConnection, topics: list[tuple[str, int]]) -> None:
        self._parts = [(name, part) for name, count in topics for part in range(count)]
        self._records: dict[str, list[Record]] = {name: [] for name, _ in topics}
        self._at: dict[tuple[str, int], int] = {}
        extra = {"enable.partition.eof": True}
        self._consumer = Consumer(clients.consumer(connection, "looker-on", extra=extra))
        self._consumer.assign([TopicPartition(*each, OFFSET_BEGINNING) for each in self._parts])

    def of(self, topic: str) -> list[Record]:
        """All records of a topic that are committed now."""
        parts = [each for each in self._parts if each[0] == topic]
        ends = {each: self._end(*each) for each in parts}
        deadline = time.monotonic() + 20
        while any(self._at.get(each, 0) < end for each, end in ends.items()):
            assert time.monotonic() < deadline, f"{topic} was not read to its end"
            self._take(self._consumer.poll(0.2))
        return self._records[topic]

    def close(self) -> None:
        self._consumer.close()

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(KafkaException),
        stop=tenacity.stop_after_delay(20),
        wait=tenacity.wait_fixed(0.2),
        reraise=True,
    )
    def _end(self, topic: str, partition: int) -> int:
        """The end of what is committed; a broker that just came back needs a moment to lead."""
        _, end = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), 10)
        return int(end)

    def _take(self, message: Message | None) -> None:
        if message is None:
            return
        record = record_of(message)
        error = message.error()
        if error is None:
            self._records[record.topic].append(record)
        else:
            assert error.code() == KafkaError._PARTITION_EOF, error
        self._at[record.topic, record.partition] = record.offset + (error is None)
