"""The hold stages on the real broker: topics of one test, facts in, what follows out."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from streams.app import topics_of
from streams.contracts.topics import (
    CAUSE_INPUT,
    GENEALOGY,
    HOLD_COMMANDS,
    HOLD_STATE,
    INSPECTIONS,
    LOT_INPUT,
    LOTS,
    NONCONFORMITIES,
    Topic,
    dead_letters,
    prefixed,
)
from streams.engine import Record, provision, read_compacted, read_partition
from streams.model.hold import HoldCommand
from streams.runtime.connection import KafkaConnection
from tests.laws.hold_oracle import Fact, Held
from tests.live import hold_job as job

ROOT = Path(__file__).parents[2]
FACTS: tuple[Topic[Any], ...] = (LOTS, GENEALOGY, INSPECTIONS, NONCONFORMITIES)
INPUTS: tuple[Topic[Any], ...] = (*FACTS, CAUSE_INPUT, LOT_INPUT)


@dataclass
class HoldLab:
    """One prefix on the broker, its topics and its workers."""

    bootstrap: str
    folder: Path
    prefix: str
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.connection = KafkaConnection(self.bootstrap, self.prefix)
        self.registry = self.folder / "registry.json"
        self.log = self.folder / "worker.log"
        self.codec = job.codec(self.connection, self.registry)
        self.codec.prepare([topic for stage in job.app.stages for topic in stage.topics])
        provision(self.connection, topics_of(job.app, self.connection))

    def name(self, topic: Topic[Any]) -> str:
        return topic.full_name(self.prefix, self.connection.group)

    def produce(self, facts: Sequence[Fact]) -> None:
        topics = {topic.event: topic for topic in FACTS}
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
            }
        )
        for fact in facts:
            topic = topics[type(fact)]
            value = self.codec.encode(topic, fact)
            producer.produce(self.name(topic), value, topic.key(fact).encode())
        assert producer.flush(30) == 0

    def start(self, instance: str) -> subprocess.Popen[bytes]:
        given = {
            "bootstrap": self.bootstrap,
            "prefix": self.prefix,
            "registry": str(self.registry),
            "data": str(self.folder / "data"),
        }
        settings = self.folder / "settings.json"
        settings.write_bytes(orjson.dumps(given))
        own = {"HOLD_TEST_SETTINGS": str(settings), "HOLD_TEST_INSTANCE": instance}
        others = {k: v for k, v in os.environ.items() if not k.startswith("LOTGATE_")}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.live.hold_job"],
                cwd=ROOT,
                env={**others, **own},
                stdout=log,
                stderr=log,
            )
        self.workers.append(process)
        return process

    def end(self) -> None:
        for process in self.workers:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait(10)

    def records(self, topic: Topic[Any]) -> list[Record]:
        """All committed records, partition by partition, each in its order."""
        return [
            record
            for number in range(topic.partitions)
            for record in read_partition(self.connection, self.name(topic), number)
            if record is not None
        ]

    def letters(self) -> list[Record]:
        """Every dead letter of the group."""
        name = prefixed(self.prefix, dead_letters(self.connection.group))
        found = read_partition(self.connection, name, 0)
        return [record for record in found if record is not None]

    def commands(self) -> list[HoldCommand]:
        return [
            self.codec.decode(HOLD_COMMANDS, record.value or b"")
            for record in self.records(HOLD_COMMANDS)
        ]

    def held(self) -> Held:
        """Open causes by lot, as a subscriber of the public state sees them."""
        found: dict[str, frozenset[str]] = {}
        for number in range(HOLD_STATE.partitions):
            for value in read_compacted(self.connection, self.name(HOLD_STATE), number).values():
                state = self.codec.decode(HOLD_STATE, value)
                causes = frozenset(ref.cause_id for ref in state.causes if ref.open)
                if causes:
                    found[state.lot_id] = causes
        return found

    def at_rest(self) -> bool:
        """Whether every record of every input is behind the group's position."""
        return all(self._is_consumed(topic) for topic in INPUTS)

    def _is_consumed(self, topic: Topic[Any]) -> bool:
        last: dict[int, int] = {}
        for record in self.records(topic):
            last[record.partition] = max(record.offset, last.get(record.partition, -1))
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": prefixed(self.prefix, self.connection.group),
                "isolation.level": "read_committed",
            }
        )
        try:
            wanted = [TopicPartition(self.name(topic), number) for number in last]
            return all(each.offset > last[each.partition] for each in consumer.committed(wanted, 5))
        except KafkaException:
            # A dead worker's open transaction hides the positions until it ends.
            return False
        finally:
            consumer.close()

    def rewind(self) -> None:
        """Put the group back to the beginning of every input, as an operator might."""
        group = prefixed(self.prefix, self.connection.group)
        positions = [
            TopicPartition(self.name(topic), number, 0)
            for topic in INPUTS
            for number in range(topic.partitions)
        ]
        admin = AdminClient({"bootstrap.servers": self.bootstrap})

        def altered() -> bool:
            # Refused until the session of the members that went has run out.
            wanted = [ConsumerGroupTopicPartitions(group, positions)]
            with suppress(KafkaException):
                done = admin.alter_consumer_group_offsets(wanted)[group].result(10)
                return all(each.error is None for each in done.topic_partitions)
            return False

        self.wait(altered, "the group rewound")

    def stop(self) -> None:
        """End every worker in order."""
        for process in self.workers:
            with suppress(ProcessLookupError):
                process.terminate()
        for process in self.workers:
            process.wait(30)

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace")[-4_000:]
                raise AssertionError(f"not within {seconds} s: {what}\n{tail}")
            time.sleep(0.2)
