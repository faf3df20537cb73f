"""The storm's oracle sees what it is there for: each kind of loss, made by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import orjson
import pytest

from streams.model.verdict import Timer, Verdict
from tests.storm.feeder import Inputs, Sent
from tests.storm.judging import Judgement, _compare_outputs
from tests.storm.oracle import Output, replay
from tests.storm.rules import Lot, Reading, Result, decide, due

BEGAN_US = 1_700_000_000_000_000
STEP_US = 20_000


def sent() -> Iterator[Sent]:
    at = BEGAN_US
    inputs = Inputs(7, lambda: at)
    for offset in range(600):
        _, value, reading = inputs.next()
        yield Sent(0, offset, value, reading)
        at += STEP_US


SENT = list(sent())


class Faithful:
    """Writes what an engine without faults writes."""

    def __init__(self) -> None:
        self.states: dict[str, Lot] = {}
        self.pending: dict[tuple[str, str], int] = {}
        self.outputs: list[Output] = []

    def take(self, key: str, verdict: Verdict[Lot], headers: dict[str, str]) -> None:
        self.states.pop(key, None)
        if verdict.state is not None:
            self.states[key] = verdict.state
        for timer in verdict.timers:
            self.pending.pop((key, timer.name), None)
            if timer.due_us is not None:
                self.pending[key, timer.name] = timer.due_us
        for event in verdict.emits:
            self.outputs.append(Output(key, orjson.loads(orjson.dumps(event)), headers))

    def fire(self, now: int, position: int) -> None:
        for at, key, name in sorted((at, *of) for of, at in self.pending.items() if at <= now):
            del self.pending[key, name]
            headers = {"": name, "-key": key, "-due": at, "-now": now, "-next": position}
            told = {f"lotgate-timer{part}": str(value) for part, value in headers.items()}
            self.take(key, due(self.states.get(key), Timer(name, at, key), now), told)

    def read(self, reading: Reading | None) -> None:
        if reading is not None and reading.act != "boom":
            self.take(reading.lot, decide(self.states.get(reading.lot), reading), {})


def faithful() -> list[Output]:
    """Every tenth input the clock has gone on, and what is due fires first."""
    plain = Faithful()
    for sent in SENT:
        if not sent.offset % 10:
            plain.fire(BEGAN_US + sent.offset * STEP_US, sent.offset)
        plain.read(sent.reading)
    end = BEGAN_US + len(SENT) * STEP_US
    while plain.pending:
        end += 10_000_000
        plain.fire(end, len(SENT))
    return plain.outputs


def judged(outputs: list[Output]) -> dict[str, int]:
    judgement = Judgement()
    _compare_outputs(judgement, replay(SENT, outputs), outputs)
    return {name: count for name, count in judgement.counters().items() if count}


def firing(outputs: list[Output]) -> int:
    return [index for index, each in enumerate(outputs) if each.is_firing][20]


def reading(outputs: list[Output]) -> int:
    return [index for index, each in enumerate(outputs) if not each.is_firing][100]


def lose(outputs: list[Output], at: int) -> list[Output]:
    return outputs[:at] + outputs[at + 1 :]


def double(outputs: list[Output], at: int) -> list[Output]:
    return [*outputs[: at + 1], *outputs[at:]]


def swap_of_one_key(outputs: list[Output], at: int) -> list[Output]:
    other = next(i for i in range(at + 1, len(outputs)) if outputs[i].key == outputs[at].key)
    swapped = list(outputs)
    swapped[at], swapped[other] = outputs[other], outputs[at]
    return swapped


def too_early(outputs: list[Output], at: int) -> list[Output]:
    early = {**outputs[at].headers, "lotgate-timer-now": "1"}
    return [*outputs[:at], replace(outputs[at], headers=early), *outputs[at + 1 :]]


def out_of_turn(outputs: list[Output], at: int) -> list[Output]:
    """The next firing of another key comes first."""
    other = next(
        i
        for i in range(at + 1, len(outputs))
        if outputs[i].is_firing and outputs[i].key != outputs[at].key
    )
    return [*outputs[:at], outputs[other], *outputs[at:other], *outputs[other + 1 :]]


def test_a_run_without_faults_is_clean_and_has_everything_in_it() -> None:
    outputs = faithful()
    told = replay(SENT, outputs)
    assert judged(outputs) == {}
    assert told.fired > 40
    assert len(told.dead) > 3
    assert any(sent.reading and sent.reading.act == "end" for sent in SENT)
    assert {type(Result(**each.fields)) for each in outputs} == {Result}


@pytest.mark.parametrize(
    ("spoil", "where", "seen"),
    [
        (lose, reading, {"lost"}),
        (double, reading, {"doubled"}),
        (swap_of_one_key, reading, {"order_violations"}),
        (lose, firing, {"timers_missed"}),
        (double, firing, {"timers_doubled", "doubled"}),
        (too_early, firing, {"timers_early"}),
        (out_of_turn, firing, {"order_violations"}),
    ],
)
def test_every_fault_is_seen(
    spoil: Callable[[list[Output], int], list[Output]],
    where: Callable[[list[Output]], int],
    seen: set[str],
) -> None:
    outputs = faithful()
    assert seen <= set(judged(spoil(outputs, where(outputs))))
