"""The ground of all runs: one broker, one registry, the input produced once."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not declared as exported
    AdminClient,
    NewTopic,
    OffsetSpec,
)
from localstack import Stack
from localstack.layout import REPOSITORY

from tests.bench import job

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PARTITIONS = 4
TOPIC_S = 120.0


@dataclass(frozen=True)
class Ground:
    """Where everything is.

    Attributes:
        bootstrap: The broker.
        registry_url: The schema registry.
        broker_pid: The broker's process, for its CPU seconds.
        folder: For the runs' data and logs; removed at the end.
        admin: A client for topics, groups and positions.
    """

    bootstrap: str
    registry_url: str
    broker_pid: int
    folder: Path
    admin: AdminClient

    def make_topic(self, name: str, **config: str) -> str:
        """Create a topic of four partitions."""
        self.admin.create_topics([NewTopic(name, PARTITIONS, 1, config=config)])[name].result(30)
        deadline = time.monotonic() + TOPIC_S
        while True:
            try:
                self.ends(name)
            except KafkaException:
                # Its partitions have no leader yet.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return name

    def schema_id(self, topic: str) -> int:
        """The registered id of a topic's values."""
        url = f"{self.registry_url}/subjects/{topic}-value/versions/latest"
        found: int = httpx.get(url, timeout=10).raise_for_status().json()["id"]
        return found

    def produce(self, topic: str, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Write records in order; keys are spread as Java clients spread them."""
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 20,
                "batch.size": 256 * 1024,
                "queue.buffering.max.messages": 200_000,
            }
        )
        for key, value in records:
            while True:
                try:
                    producer.produce(topic, value, key)
                except BufferError:
                    producer.poll(0.1)
                else:
                    break
            producer.poll(0)
        if producer.flush(120):
            raise RuntimeError(f"the input of {topic} could not be written")

    def produce_inspections(self, topic: str, records: int, lots: int) -> job.Expected:
        """Write the reference job's input."""
        expected = job.Expected()
        wire = job.Wire(job.INSPECTION, self.schema_id(topic))
        events = job.inspections(records, lots, expected)
        self.produce(topic, ((event["lot"].encode(), wire.encode(event)) for event in events))
        return expected

    def ends(self, topic: str) -> list[int]:
        """The next offset of each partition."""
        latest: Any = OffsetSpec
        wanted = {TopicPartition(topic, n): latest.latest() for n in range(PARTITIONS)}
        # A new client: an older one may know the topic as missing, and stay with that.
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        answers = admin.list_offsets(wanted, request_timeout=30)
        found = {each.partition: answer.result(30).offset for each, answer in answers.items()}
        return [found[number] for number in range(PARTITIONS)]

    def values(self, topic: str, since: list[int]) -> Iterator[bytes]:
        """Every committed value from these offsets on."""
        consumer = self._reader()
        try:
            consumer.assign([TopicPartition(topic, n, start) for n, start in enumerate(since)])
            left = len(since)
            while left:
                for message in consumer.consume(10_000, 0.2):
                    error, value = message.error(), message.value()
                    if error is None:
                        yield value or b""
                    elif error.code() == KafkaError._PARTITION_EOF:
                        left -= 1
                    else:
                        raise RuntimeError(f"{topic}: {error}")
        finally:
            consumer.close()

    def _reader(self) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "bench-reader",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
            }
        )

    def forget(self, group: str, folder: Path) -> None:
        """Remove a run's data and topics, so that the next one pays nothing for them."""
        shutil.rmtree(folder, ignore_errors=True)
        there = self.admin.list_topics(timeout=10).topics
        own = [name for name in there if group in name]
        if own:
            for answer in self.admin.delete_topics(own).values():
                answer.result(30)


@contextmanager
def lent() -> Iterator[Ground]:
    """Start broker and registry in a folder of their own; end all of it, however the block ends."""
    with tempfile.TemporaryDirectory(prefix="lotgate-bench-") as name:
        folder = Path(name)
        stack = Stack(folder, cache=REPOSITORY / ".lotgate" / "parts")
        parts = ("broker", "registry")
        stack.prepare(parts=parts)
        try:
            stack.up(parts)
            addresses = stack.addresses()
            broker = stack.process("broker").identity()
            if broker is None:
                raise RuntimeError("the broker does not run")
            bootstrap = addresses.bootstrap
            admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
            yield Ground(bootstrap, addresses.registry_url, broker.pid, folder, admin)
        finally:
            stack.down()


def clean_environment(**given: str) -> dict[str, str]:
    """This process's environment without what a Lotgate process would read, and the given."""
    others = {k: v for k, v in os.environ.items() if not k.startswith(("LOTGATE_", "BROKER_URL"))}
    return {**others, **given}


def holds(ground: Ground, topic: str, since: list[int]) -> Any:
    """The holds in an output topic, counted."""
    wire = job.Wire(job.HOLD, 0)
    found = (wire.decode(value) for value in ground.values(topic, since))
    return job.counted((each["lot"], each["fails"], each["source_seq"]) for each in found)
