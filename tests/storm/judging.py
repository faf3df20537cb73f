"""Compare what the broker and the disks hold with the oracle, once the storm is over."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import KafkaException, Message

from tests.storm import reading
from tests.storm.feeder import Feeder, Sent
from tests.storm.oracle import Output, Replay, differing, inversions, replay
from tests.storm.reading import Broker, Place
from tests.storm.rules import AGAIN_US

SHOWN = 5
"""Differences of a kind that are told in words."""


@dataclass
class Judgement:
    """The loss counters of a storm; all must be zero."""

    lost: int = 0
    doubled: int = 0
    state_mismatch: int = 0
    order_violations: int = 0
    timers_missed: int = 0
    timers_doubled: int = 0
    timers_early: int = 0
    input_mismatch: int = 0
    told: list[str] = field(default_factory=list)

    def tell(self, what: str, lines: Iterable[object]) -> int:
        """Note differences; gives their number."""
        found = [str(line) for line in lines]
        self.told += [f"{what}: {line}" for line in found[:SHOWN]]
        return len(found)

    def counters(self) -> dict[str, int]:
        return {name: count for name, count in asdict(self).items() if name != "told"}


@dataclass(frozen=True, slots=True)
class Names:
    """Full names of the topics of a storm."""

    group: str
    partitions: int

    @property
    def readings(self) -> str:
        return f"{self.group}-readings"

    @property
    def results(self) -> str:
        return f"{self.group}-results"

    @property
    def changelog(self) -> str:
        return f"{self.group}-lots-changelog"

    @property
    def dead_letters(self) -> str:
        return f"dlq.{self.group}"

    def places(self, topic: str) -> list[Place]:
        return [(topic, number) for number in range(self.partitions)]

    def all_places(self) -> list[Place]:
        topics = (self.readings, self.results, self.changelog)
        every = [place for topic in topics for place in self.places(topic)]
        return [*every, (self.dead_letters, 0)]


def wait_quiet(broker: Broker, names: Names, feeder: Feeder, seconds: float) -> bool:
    """Wait until all input is consumed and no transaction is open, twice the same."""
    deadline = time.monotonic() + seconds
    last_timer = feeder.latest_due_us + 4 * AGAIN_US
    time.sleep(max(0.0, last_timer / 1e6 + 1.0 - time.time()))
    before: object = None
    while time.monotonic() < deadline:
        now = _reading(broker, names)
        if now is not None and now == before:
            return True
        before = now
        time.sleep(1.2)
    return False


def _reading(broker: Broker, names: Names) -> dict[Place, int] | None:
    """Ends of all topics; None while something is open or not consumed."""
    try:
        ends = broker.ends(names.all_places(), committed=False)
        stable = broker.ends(names.all_places(), committed=True)
        positions = broker.positions(names.places(names.readings))
    except KafkaException:
        return None
    # A partition that never had input has no position beyond its beginning.
    consumed = all(max(at, 0) == ends[place] for place, at in positions.items())
    return ends if consumed and ends == stable else None


def judge(broker: Broker, names: Names, feeder: Feeder) -> Judgement:
    """Compare topics with the oracle."""
    judgement = Judgement()
    dead = broker.read(names.dead_letters, 0)
    inputs = feeder.by_partition()
    for number in range(names.partitions):
        sent = inputs.get(number, [])
        judgement.input_mismatch += _untrue(sent, broker.read(names.readings, number))
        found = reading.outputs(broker.read(names.results, number))
        told = replay(sent, found)
        _compare_outputs(judgement, told, found)
        changelog = broker.read(names.changelog, number)
        expected = {key: _plain(state) for key, state in told.states.items()}
        judgement.state_mismatch += judgement.tell(
            f"state of partition {number}",
            differing(expected, reading.states(reading.kept(changelog))),
        )
        here = [each for each in dead if _header(each, "partition") == str(number)]
        _compare_dead(judgement, told, here)
    return judgement


def judge_disks(judgement: Judgement, broker: Broker, names: Names, disks: Path) -> int:
    """Compare every disk with the changelog up to the position that the disk claims.

    Returns:
        The number of disks compared.
    """
    count = 0
    for number in range(names.partitions):
        changelog = broker.read(names.changelog, number)
        for path in sorted(disks.glob(f"*/{names.group}/lots-{number}")):
            found = reading.disk(path)
            if found is None:
                continue
            position, records = found
            count += 1
            judgement.state_mismatch += judgement.tell(
                f"disk {path} at {position}",
                differing(reading.kept(changelog, position), records),
            )
    return count


def _compare_outputs(judgement: Judgement, told: Replay, found: list[Output]) -> None:
    expected, rows = Counter(told.outputs), Counter(output.row for output in found)
    judgement.lost += judgement.tell("lost", (expected - rows).elements())
    judgement.doubled += judgement.tell("doubled", (rows - expected).elements())
    judgement.order_violations += told.disordered + inversions(
        told.outputs, [output.row for output in found]
    )
    judgement.timers_missed += judgement.tell("timer missed", told.pending.items())
    judgement.timers_doubled += told.doubled
    judgement.timers_early += told.early


def _compare_dead(judgement: Judgement, told: Replay, found: list[Message]) -> None:
    rows = Counter((int(_header(each, "offset")), each.value()) for each in found)
    expected: Counter[Any] = Counter(told.dead)
    judgement.lost += judgement.tell("dead letter lost", (expected - rows).elements())
    judgement.doubled += judgement.tell("dead letter doubled", (rows - expected).elements())


def _untrue(sent: list[Sent], found: list[Message]) -> int:
    """Records of the input that are not what the producer was told."""
    told = {each.offset: each.value for each in sent}
    held = {each.offset() or 0: each.value() for each in found}
    return sum(told.get(offset) != held.get(offset) for offset in {*told, *held})


def _header(message: Message, name: str) -> str:
    return dict(reading.pairs(message))[f"lotgate-dlq-{name}"].decode()


def _plain(state: Any) -> Any:
    return orjson.loads(orjson.dumps(state))
