"""What the driver without a broker shows is what a worker on a real broker does."""

from __future__ import annotations

import os
import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from streams.engine import FuseLimits, Record, control, read_compacted
from streams.engine.poison.ledger import WAIT_PREFIX
from streams.engine.poison.stored import unpacked
from streams.engine.testing import Driver
from tests.live import driver_job
from tests.live import engine_job as job
from tests.live.engine_lab import COUNTER, Lab

pytestmark = pytest.mark.urs("M4.4", "M3.3")

FUSE = {"run": 10_000, "share": 1.0}
LOTS = ("L1", "L2", "L3", "L4")
PIECES = 3
RECORDS = 60


@dataclass
class Twins:
    """The same job twice: on the broker, and in the driver. Whatever happens, happens to both."""

    lab: Lab
    driver: Driver
    chance: random.Random
    seq: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LOTS, 0))

    @property
    def clock(self) -> Path:
        return self.lab.folder / "clock"

    def send(self, pairs: list[tuple[bytes | None, bytes | None]]) -> None:
        self.lab.produce_raw(pairs)
        for pair in pairs:
            self.driver.send_raw(*pair)

    def advance(self, microseconds: int) -> None:
        beside = self.clock.with_suffix(".new")
        beside.write_text(str(self.driver.now_us + microseconds))
        beside.replace(self.clock)
        self.driver.now_us += microseconds

    def decide(self, at: int, what: str) -> None:
        """Replay, replay repaired, or drop the same dead letter on both."""
        here, there = self.driver.dead_letters()[at], self.dead()[at]
        why = {"actor": "quality", "reason": what}
        if what == "drop":
            control.drop(self.lab.connection, there, **why)
            self.driver.drop(here, **why)
            return
        repaired = None
        if what == "repair" and here.key is not None and here.header("lotgate-dlq-timer") is None:
            lot = here.key.decode()
            event = job.Inspection(lot, self.seq[lot], 20, 10, "")
            repaired = self.lab.codec.encode(job.INSPECTIONS, event)
        control.replay(self.lab.connection, there, value=repaired, **why)
        self.driver.replay(here, value=repaired, **why)

    def settle(self, what: str) -> None:
        self.driver.settle()
        expected = self.here()
        deadline = time.monotonic() + 20
        while (found := self.there()) != expected and time.monotonic() < deadline:
            time.sleep(0.2)
        for name, told_there in found.items():
            assert told_there == expected[name], f"{name} after {what}\n{self.lab.tail()}"

    def dead(self) -> list[Record]:
        return self.lab.topic_records(self.lab.dead_letters, 1)

    def here(self) -> dict[str, Any]:
        records = self.driver.records(job.HOLDS)
        return told(self.lab.group, records, self.driver.dead_letters(), self.driver.kept())

    def there(self) -> dict[str, Any]:
        group = self.lab.group
        kept = read_compacted(self.lab.connection, f"{group}-lots-changelog", 0)
        records = self.lab.topic_records(self.lab.name(job.HOLDS), 1)
        return told(group, records, self.dead(), kept)


def told(
    group: str, outputs: list[Record], dead: list[Record], kept: dict[bytes, bytes]
) -> dict[str, Any]:
    """All that is left of a run but what must differ: the broker's stamps, the group's name, and
    the module of the rule, which is `__main__` in the worker's process."""

    own = group.encode()

    def headers(record: Record) -> list[tuple[str, bytes]]:
        return [
            (name, value.replace(b"driver", own).replace(own, b"GROUP"))
            for name, value in record.headers
            if not name.endswith(("-stack", "-timestamp", "-rule"))
        ]

    def plain(key: bytes, value: bytes) -> Any:
        if not key.startswith(WAIT_PREFIX):
            return value
        waiting = unpacked(value)
        return (waiting.at, waiting.octets_key, waiting.octets, waiting.pairs)

    return {
        "outputs": [(each.key, each.value, headers(each)) for each in outputs],
        "dead letters": [(each.key, each.value, headers(each)) for each in dead],
        "store": {key: plain(key, value) for key, value in kept.items()},
    }


def drawn(twins: Twins) -> tuple[bytes | None, bytes | None]:
    """One record: mostly good, some old, some with timers, some that cannot be used."""
    chance, codec = twins.chance, twins.lab.codec
    lot = chance.choice(LOTS)
    twins.seq[lot] += chance.random() > 0.1
    due = f"in {twins.driver.now_us + chance.randrange(1_000)}"
    note = chance.choices(["", due, "never", "boom", "huge"], [60, 20, 5, 4, 2])[0]
    event = job.Inspection(lot, twins.seq[lot], chance.choice([5, 20]), 10, note)
    key = lot.encode()
    if note == "huge":
        return key, codec.encode(job.INSPECTIONS, event)
    value = codec.encode(job.INSPECTIONS, event)
    broken: list[tuple[bytes | None, bytes | None]] = [
        (key, value[:-1]),
        (key, None),
        (key, b"no frame"),
        (None, value),
    ]
    return chance.choice(broken) if chance.random() < 0.05 else (key, value)


def live_through(twins: Twins) -> None:
    """Several stretches of records, then time passes, then people decide."""
    chance = twins.chance
    for number in range(PIECES):
        twins.send([drawn(twins) for _ in range(RECORDS)])
        twins.settle(f"records of piece {number}")
        twins.advance(chance.randrange(700))
        twins.settle(f"timers of piece {number}")
        dead = twins.driver.dead_letters()
        for at in chance.sample(range(len(dead)), min(3, len(dead))):
            twins.decide(at, chance.choice(["replay", "repair", "drop"]))
        twins.settle(f"decisions of piece {number}")


@settings(max_examples=2, deadline=None, phases=(Phase.reuse, Phase.generate))
@given(seed=st.integers(0, 2**32))
def test_driver_and_broker_tell_the_same_story(broker: str, seed: int) -> None:
    chance = random.Random(seed)
    scope, dedupes = chance.choice(["key", "partition"]), chance.random() < 0.7
    stage = driver_job.stage("partition" if scope == "partition" else "key", dedupes=dedupes)
    with tempfile.TemporaryDirectory(prefix="lotgate-") as folder:
        lab = Lab(
            broker,
            Path(folder),
            f"twins-{os.getpid()}-{next(COUNTER)}",
            "tests.live.driver_job",
            {"fuse": FUSE},
        )
        lab.provision(1)
        with Driver(stage, codec=lab.codec, build="1", fuse=FuseLimits(10_000, 1.0)) as driver:
            twins = Twins(lab, driver, chance)
            twins.advance(1_000_000)
            try:
                lab.start(
                    DRIVER_TEST_CLOCK=str(twins.clock),
                    DRIVER_TEST_SCOPE=scope,
                    ENGINE_TEST_DEDUPE=str(int(dedupes)),
                )
                live_through(twins)
                assert lab.stop(lab.workers[0]) == 0
                assert twins.there() == twins.here()
                assert driver.emitted(job.HOLDS)
                assert driver.dead_letters()
            finally:
                lab.end()
