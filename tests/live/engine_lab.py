"""A group of its own on the real broker for one test: topics, input, workers, oracle, results."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import orjson
from confluent_kafka import (
    Consumer,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from streams.contracts.provisioning import (
    changelog_spec,
    control_spec,
    dead_letter_spec,
    topic_spec,
)
from streams.engine import Record, provision, read_compacted, read_partition
from streams.errors import Transient
from streams.runtime.connection import KafkaConnection
from tests.live import engine_job as job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from streams.engine import Store, Topic

ROOT = Path(__file__).parents[2]
COUNTER = itertools.count(1)
PARTITIONS = 2


@dataclass
class Lab:
    """One group: its settings file, its topics, its workers."""

    INPUT: ClassVar[Topic[Any]] = job.INSPECTIONS
    OUTPUT: ClassVar[Topic[Any]] = job.HOLDS
    STORE: ClassVar[Store[Any]] = job.LOTS

    bootstrap: str
    folder: Path
    group: str
    module: str = "tests.live.engine_job"
    changes: dict[str, Any] = field(default_factory=dict)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.connection = KafkaConnection(self.bootstrap, group=self.group)
        self.codec = job.codec(self.connection, self.folder / "registry.json")
        self.codec.prepare([self.INPUT, self.OUTPUT, self.STORE.topic])
        self.log = self.folder / "worker.log"
        self._admin: AdminClient | None = None

    def name(self, topic: Any) -> str:
        return str(topic.full_name("", self.group))

    @property
    def inspections(self) -> str:
        """The input."""
        return self.name(self.INPUT)

    @property
    def dead_letters(self) -> str:
        return f"dlq.{self.group}"

    @property
    def changelog(self) -> str:
        return f"{self.group}-{self.STORE.name}-changelog"

    @property
    def admin(self) -> AdminClient:
        self._admin = self._admin or AdminClient({"bootstrap.servers": self.bootstrap})
        return self._admin

    def provision(self, partitions: int = PARTITIONS) -> None:
        specs = [
            topic_spec(self.INPUT, self.connection),
            topic_spec(self.OUTPUT, self.connection),
            changelog_spec(self.STORE.name, partitions, self.connection),
        ]
        sized = [type(s)(s.name, partitions, s.replication_factor, s.config) for s in specs]
        provision(
            self.connection,
            [*sized, control_spec(self.connection), dead_letter_spec(self.group, self.connection)],
        )

    def produce(self, events: Iterable[job.Inspection]) -> None:
        self.produce_raw((e.lot.encode(), self.codec.encode(job.INSPECTIONS, e)) for e in events)

    def produce_raw(self, pairs: Iterable[tuple[bytes | None, bytes | None]]) -> None:
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 5,
            }
        )
        for key, value in pairs:
            producer.produce(self.inspections, value, key)
            producer.poll(0)
        assert producer.flush(30) == 0

    def start(self, instance: str = "a", **env: str) -> subprocess.Popen[bytes]:
        data = self.folder / f"data-{instance}"
        given = {
            "bootstrap": self.bootstrap,
            "group": self.group,
            "registry": str(self.folder / "registry.json"),
            "data": str(data),
            **self.changes,
        }
        settings = self.folder / f"settings-{instance}.json"
        settings.write_bytes(orjson.dumps(given))
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", self.module],
                cwd=ROOT,
                env={
                    **{k: v for k, v in os.environ.items() if not k.startswith("LOTGATE_")},
                    "ENGINE_TEST_SETTINGS": str(settings),
                    "ENGINE_TEST_INSTANCE": instance,
                    **env,
                },
                stdout=log,
                stderr=log,
            )
        self.workers.append(process)
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> int:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        return process.wait(30)

    def end(self) -> None:
        for process in self.workers:
            if process.poll() is None:
                process.kill()
            process.wait(10)

    def topic_records(self, topic: str, partitions: int = PARTITIONS) -> list[Record]:
        """Everything that is committed now, and what open transactions commit."""
        found: list[Record] = []
        for number in range(partitions):
            found += self._partition(topic, number)
        return found

    def _partition(self, topic: str, number: int) -> list[Record]:
        """One partition; a broker that has just come back may not know its own epoch yet."""
        found: list[Record] = []

        def is_read() -> bool:
            try:
                read = list(read_partition(self.connection, topic, number))
            except Transient:
                return False
            found.extend(record for record in read if record is not None)
            return True

        self.wait(is_read, f"{topic}[{number}] is read")
        return found

    def holds(self) -> list[job.HoldRequested]:
        records = self.topic_records(self.name(job.HOLDS))
        return [self.codec.decode(job.HOLDS, r.value or b"") for r in records]

    def dead(self) -> list[Record]:
        return self.topic_records(self.dead_letters, 1)

    def kept(self) -> list[dict[bytes, bytes]]:
        """What the changelog holds, by partition."""
        return [
            read_compacted(self.connection, self.changelog, number) for number in range(PARTITIONS)
        ]

    def states(self) -> dict[str, Any]:
        """The state as the changelog tells it."""
        return {
            key.decode(): self.codec.decode(self.STORE.topic, value)
            for entries in self.kept()
            for key, value in entries.items()
            if not key.startswith(b"\0")
        }

    def consumed(self) -> int:
        """Records behind the group's committed positions."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": self.group,
                "isolation.level": "read_committed",
            }
        )
        try:
            wanted = [TopicPartition(self.inspections, n) for n in range(PARTITIONS)]
            return sum(max(0, each.offset) for each in consumer.committed(wanted, 2))
        except KafkaException:
            # A dead worker's open transaction hides the positions until it ends.
            return -1
        finally:
            consumer.close()

    def position(self, partition: int) -> int | None:
        """The group's position in a partition of the input; None if it has none."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.group})
        try:
            (found,) = consumer.committed([TopicPartition(self.inspections, partition)], 5)
        finally:
            consumer.close()
        return int(found.offset) if found.offset >= 0 else None

    def wait(
        self, condition: Callable[[], bool], what: str, seconds: float = 40, pause: float = 0.1
    ) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {what}\n{self.tail()}")
            time.sleep(pause)

    def wait_consumed(self, count: int, seconds: float = 40) -> None:
        self.wait(lambda: self.consumed() >= count, f"{count} records consumed", seconds)

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-6_000:] if self.log.exists() else ""


L = TypeVar("L", bound=Lab)


@contextmanager
def lent(kind: type[L], bootstrap: str, folder: Path, **changes: Any) -> Iterator[L]:
    """A lab of one test, with its topics; every worker is ended, however the test ends."""
    lab = kind(bootstrap, folder, f"engine-{os.getpid()}-{next(COUNTER)}", changes=changes)
    lab.provision()
    try:
        yield lab
    except BaseException:
        sys.stderr.write(lab.tail())
        raise
    finally:
        lab.end()


@contextmanager
def borrowed(bootstrap: str, folder: Path, **changes: Any) -> Iterator[Lab]:
    """A lab of the engine job; see `lent`."""
    with lent(Lab, bootstrap, folder, **changes) as lab:
        yield lab


def inspections(count: int, lots: int = 100, start: int = 0) -> list[job.Inspection]:
    """A fixed sequence with failures and duplicates, in order per lot."""
    events: list[job.Inspection] = []
    for index in range(start, start + count):
        lot = f"L{index * 7919 % lots:05d}"
        failed = index % 37 == 5
        event = job.Inspection(lot, index + 1, 20 if failed else 5, 10, "")
        events.append(event)
        if index % 200 == 3:
            events.append(event)
    return events


def oracle(
    events: Iterable[job.Inspection],
) -> tuple[dict[str, job.LotCount], set[tuple[str, int]]]:
    """What a plain run gives: states and holds (lot, position)."""
    states: dict[str, job.LotCount] = {}
    holds: set[tuple[str, int]] = set()
    for event in events:
        verdict = job.decide(states.get(event.lot), event)
        if verdict.state is not None:
            states[event.lot] = verdict.state
        holds |= {(e.lot, e.source_seq) for e in verdict.emits if isinstance(e, job.HoldRequested)}
    return states, holds


def assert_exact(lab: Lab, events: list[job.Inspection]) -> None:
    """Lost 0, doubled 0, state equal."""
    states, holds = oracle(events)
    found = [(hold.lot, hold.source_seq) for hold in lab.holds()]
    assert len(found) == len(set(found)), "a hold was doubled"
    assert set(found) == holds
    kept = lab.states()
    other = {lot: (kept.get(lot), states.get(lot)) for lot in {*kept, *states}}
    different = {lot: pair for lot, pair in other.items() if pair[0] != pair[1]}
    assert not different, f"lot: (kept, expected): {different}"
