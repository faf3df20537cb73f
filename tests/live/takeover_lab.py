"""A changelog of one test's own, and take-overs of its partitions in the test's process."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.contracts.topic_specs import TopicSpec
from streams.engine import Transaction, describe, provision
from streams.engine.kafka.positions import Questions
from streams.engine.state.disk import Disk
from streams.engine.takeover.takeovers import Takeovers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from streams.engine.kafka.records import TopicPartitionKey
    from streams.runtime.connection import KafkaConnection


@dataclass
class Held:
    """A partition as far as a take-over looks at it."""

    key: TopicPartitionKey
    disk: Disk


@dataclass
class Site:
    """An input and its changelog, written by one transaction's producer."""

    connection: KafkaConnection
    folder: Path
    partitions: int = 1
    config: Mapping[str, str] = field(default_factory=lambda: {"cleanup.policy": "compact"})
    now_ms: int = 1_800_000_000_000

    def __post_init__(self) -> None:
        self.input = f"{self.connection.group}-input"
        self.changelog = f"{self.connection.group}-store-changelog"
        provision(
            self.connection,
            [
                TopicSpec(self.input, self.partitions, 1),
                TopicSpec(self.changelog, self.partitions, 1, self.config),
            ],
        )
        self.facts = describe(self.connection, [self.changelog])[self.changelog]
        self.writer = Transaction(self.connection, f"{self.connection.group}-writer")
        self.disks: list[Disk] = []
        self.member = Consumer(
            {
                "bootstrap.servers": self.connection.bootstrap,
                "group.id": self.connection.group,
                "isolation.level": "read_committed",
            }
        )

    def keep(self, values: Mapping[bytes, bytes | None], partition: int = 0) -> None:
        """Commit changes to the changelog."""
        self.writer.begin()
        for key, value in values.items():
            self.writer.produce(self.changelog, key, value, partition=partition)
        self.writer.commit()

    def commit_position(self, partition: int, offset: int) -> None:
        self.member.commit(
            offsets=[TopicPartition(self.input, partition, offset)], asynchronous=False
        )

    def opened(self, key: TopicPartitionKey) -> Any:
        disk = Disk(self.folder / f"store-{key[1]}")
        self.disks.append(disk)
        return Held(key, disk)

    def takeovers(self) -> Takeovers:
        questions = Questions(self.connection)
        questions.member = self.member
        return Takeovers(self.connection, questions, self.opened, lambda: self.now_ms)

    def begin(self, takeovers: Takeovers, *partitions: int) -> None:
        for number in partitions or range(self.partitions):
            takeovers.begin((self.input, number), self.changelog, self.facts)

    def taken_over(self, *partitions: int) -> dict[int, tuple[Disk, int | None]]:
        """Take partitions over from start to end: disk and position of each."""
        takeovers = self.takeovers()
        self.begin(takeovers, *partitions)
        try:
            return finished(takeovers)
        finally:
            takeovers.close()

    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.connection.bootstrap})

    def close(self) -> None:
        self.writer.close()
        self.member.close()
        for disk in self.disks:
            disk.close()


def finished(takeovers: Takeovers, seconds: float = 60) -> dict[int, tuple[Disk, int | None]]:
    """Step until nothing is on its way."""
    deadline = time.monotonic() + seconds
    found: dict[int, tuple[Disk, int | None]] = {}
    while takeovers:
        assert time.monotonic() < deadline, takeovers.waiting
        for arrival in takeovers.step(0.25, patient=True):
            held = arrival.partition
            found[held.key[1]] = (held.disk, arrival.position)
    return found


@contextmanager
def site(connection: KafkaConnection, folder: Path, **changes: Any) -> Iterator[Site]:
    """A changelog of one test's own."""
    made = Site(connection, folder, **changes)
    made.writer.open()
    try:
        yield made
    finally:
        made.close()
