"""The example as its reader runs it: its own commands, LOTGATE_ variables, both kinds of worker."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from examples import lot_hold
from streams.contracts.codec import Codec
from streams.contracts.registry import ConfluentRegistry
from streams.contracts.shipped import shipped_codec
from streams.engine import Record, describe, read_partition
from streams.runtime.connection import KafkaConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
APP = "examples.lot_hold:app"
GROUP = "lot-hold"
LIMIT_S = 60


@dataclass
class Reader:
    """Someone who follows the example's first lines on a broker and a registry."""

    bootstrap: str
    registry: str
    prefix: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Nothing that a Lotgate process reads but LOTGATE_ variables."""
        others = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("LOTGATE_") and name != "BROKER_URL"
        }
        return {
            **others,
            "LOTGATE_BOOTSTRAP": self.bootstrap,
            "LOTGATE_REGISTRY_URL": self.registry,
            "LOTGATE_REPLICATION_FACTOR": "1",
            "LOTGATE_MIN_INSYNC": "1",
            "LOTGATE_PREFIX": self.prefix,
            "LOTGATE_DATA_DIR": str(self.folder / "data"),
            "LOTGATE_INSTANCE_ID": "0",
            "LOTGATE_SESSION_TIMEOUT_MS": "6000",
        }

    @property
    def connection(self) -> KafkaConnection:
        return KafkaConnection(self.bootstrap, self.prefix, GROUP)

    def run(self, *words: str, code: int = 0) -> str:
        """Run a `lotgate` command to its end; give what it says."""
        done = subprocess.run(
            [BIN / "lotgate", *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done.stdout

    @contextmanager
    def worker(self, *command: str, **changed: str | None) -> Iterator[Path]:
        """Lend a running worker's log; afterwards it must end in order when it is asked to."""
        given = {**self.environment, **changed}
        log = self.folder / "worker.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [BIN / command[0], *command[1:]],
                cwd=ROOT,
                env={name: value for name, value in given.items() if value is not None},
                stdout=out,
                stderr=out,
            )
        try:
            yield log
            process.terminate()
            assert process.wait(30) == 0, log.read_text()
        except BaseException:
            sys.stderr.write(log.read_text(errors="replace")[-6_000:])
            raise
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(10)

    @contextmanager
    def codec(self) -> Iterator[Codec]:
        """What any producer with this registry has."""
        codec = shipped_codec(self.registry, self.connection)
        codec.prepare((lot_hold.INSPECTIONS, lot_hold.HOLDS))
        try:
            yield codec
        finally:
            assert isinstance(codec.registry, ConfluentRegistry)
            codec.registry.close()

    def produce(self, inspections: list[lot_hold.Inspection]) -> None:
        topic = lot_hold.INSPECTIONS
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
            }
        )
        with self.codec() as codec:
            for each in inspections:
                value = codec.encode(topic, each)
                producer.produce(topic.full_name(self.prefix, GROUP), value, each.lot.encode())
        assert producer.flush(30) == 0

    def records(self, topic: str, partitions: int) -> list[Record]:
        """Every committed record of a topic."""
        return [
            record
            for number in range(partitions)
            for record in read_partition(self.connection, topic, number)
            if record is not None
        ]

    def holds(self) -> list[lot_hold.HoldRequested]:
        topic = lot_hold.HOLDS
        found = self.records(topic.full_name(self.prefix, GROUP), topic.partitions)
        with self.codec() as codec:
            return [codec.decode(topic, record.value or b"") for record in found]

    def is_provisioned(self) -> bool:
        """Whether the topics are there and producers find the schemas."""
        topics = (lot_hold.INSPECTIONS, lot_hold.HOLDS)
        names = {topic.full_name(self.prefix, GROUP) for topic in topics}
        registry = ConfluentRegistry(self.registry)
        try:
            known = registry.subjects()
        finally:
            registry.close()
        there = describe(self.connection, names)
        return len(there) == len(names) and {f"{name}-value" for name in names} <= set(known)

    def consumed(self) -> int:
        """Records behind the committed positions of the group."""
        consumer = Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": f"{self.prefix}.{GROUP}"}
        )
        name = lot_hold.INSPECTIONS.full_name(self.prefix, GROUP)
        wanted = [TopicPartition(name, n) for n in range(lot_hold.INSPECTIONS.partitions)]
        try:
            return sum(max(0, each.offset) for each in consumer.committed(wanted, 5))
        except KafkaException:
            # The group is not there yet, or its positions are within an open transaction.
            return -1
        finally:
            consumer.close()


@pytest.fixture
def reader(broker: str, registry: str, tmp_path: Path) -> Reader:
    return Reader(broker, registry, f"example-{tmp_path.name}-{os.getpid()}", tmp_path)


def inspections(count: int, start: int = 0) -> list[lot_hold.Inspection]:
    """Fixed results of 20 lots, three in ten outside the limits, one in nine delivered twice."""
    dice = random.Random(start)
    found = []
    for number in range(start, start + count):
        value = 99.0 if dice.random() < 0.3 else 5.0
        each = lot_hold.Inspection(
            inspection_id=f"I-{number}",
            lot=f"L-{dice.randrange(20):02d}",
            source_seq=number + 1,
            characteristic="viscosity",
            unit="mPa.s",
            value=value,
            lower=1.0,
            upper=10.0,
            station="S1",
            inspector="inspector",
            measured_at_ms=1_700_000_000_000 + number,
            remark="",
        )
        found += [each, replace(each)] if number % 9 == 0 else [each]
    return found


def failing(seen: list[lot_hold.Inspection]) -> dict[str, int]:
    """Position of the second different failure of each lot that has one."""
    failures: dict[str, list[int]] = {}
    for seq, each in sorted({each.source_seq: each for each in seen}.items()):
        if not each.lower <= each.value <= each.upper:
            failures.setdefault(each.lot, []).append(seq)
    return {lot: found[1] for lot, found in failures.items() if len(found) > 1}


def wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {LIMIT_S} s: {what}"
        time.sleep(0.2)


def assert_held_once(reader: Reader, seen: list[lot_hold.Inspection]) -> None:
    wait(lambda: reader.consumed() >= len(seen), "every inspection consumed")
    holds = reader.holds()
    assert set(Counter(hold.lot for hold in holds).values()) == {1}
    assert {hold.lot: hold.source_seq for hold in holds} == failing(seen)
    assert reader.records(f"{reader.prefix}.dlq.{GROUP}", 1) == []


@pytest.mark.urs("M3.1")
def test_the_examples_own_commands_prepare_it_and_its_worker_holds_each_lot_once(
    reader: Reader,
) -> None:
    missing = json.loads(reader.run("topology", "plan", "--app", APP, "--json", code=4))
    assert {topic["name"].removeprefix(f"{reader.prefix}.") for topic in missing} == {
        "example.inspection.events",
        "example.hold.commands",
        "lot-hold-lots-changelog",
        "lot-hold-control",
        "dlq.lot-hold",
    }
    assert all(topic["missing"] for topic in missing)
    assert "5 topics created" in reader.run("topology", "apply", "--app", APP)
    assert "there" in reader.run("topology", "plan", "--app", APP)
    unknown = json.loads(reader.run("schema", "check", "--app", APP, "--json", code=4))
    assert {each["state"] for each in unknown["subjects"]} == {"missing"}
    assert "3 subjects are registered" in reader.run("schema", "publish", "--app", APP)
    known = json.loads(reader.run("schema", "check", "--app", APP, "--json"))
    assert {each["state"] for each in known["subjects"]} == {"there"}
    assert all(each["id"] > 0 for each in known["subjects"])

    seen = inspections(300)
    reader.produce(seen)
    with reader.worker("lotgate", "worker", "--app", APP) as log:
        assert_held_once(reader, seen)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["logger"].rpartition(".")[2] for line in lines] == ["worker", "tally"], lines
    assert lines[1]["event"].startswith("4 partitions restored, 0 records")

    # The other kind of worker goes on where this one stopped, with its state.
    more = inspections(200, start=300)
    reader.produce(more)
    with reader.worker("faust", "-A", "examples.lot_hold", "worker") as log:
        assert_held_once(reader, seen + more)
    assert "WARN" not in log.read_text()


@pytest.mark.urs("M3.1")
def test_fausts_own_command_takes_the_broker_from_its_url(reader: Reader) -> None:
    url = {"BROKER_URL": f"lotgate://{reader.bootstrap}", "LOTGATE_BOOTSTRAP": None}
    started = {**url, "LOTGATE_PROVISION": "true"}
    with reader.worker("faust", "-A", "examples.lot_hold", "worker", **started):
        wait(reader.is_provisioned, "its topics and schemas made")
        seen = inspections(300)
        reader.produce(seen)
        assert_held_once(reader, seen)
    assert not (ROOT / "lot-hold-data").exists(), "Faust keeps nothing beside the stores"
