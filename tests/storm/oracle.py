"""What must be true after a storm: a plain run of the same rules, sharing no engine or codec code.

Where a timer fires between two inputs is the engine's choice, so it is recorded with each firing;
the oracle replays the record, and checks the set and the order of the firings apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from streams.model.verdict import Timer
from tests.storm.feeder import Sent
from tests.storm.rules import Lot, Reading, Result, decide, due

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """One record of the results as a reader of committed records sees it."""

    key: str
    fields: dict[str, Any]
    headers: dict[str, str]

    @property
    def row(self) -> Row:
        return tuple(self.fields.values())

    @property
    def is_firing(self) -> bool:
        return "lotgate-timer" in self.headers


@dataclass
class Replay:
    """One partition's history told again."""

    states: dict[str, Lot] = field(default_factory=dict)
    outputs: list[Row] = field(default_factory=list)
    dead: list[tuple[int, bytes]] = field(default_factory=list)
    pending: dict[tuple[str, str], int] = field(default_factory=dict)
    doubled: int = 0
    early: int = 0
    disordered: int = 0
    fired: int = 0
    _set_in: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def input(self, sent: Sent) -> None:
        if sent.reading is None:
            self.dead.append((sent.offset, sent.value))
            return
        reading: Reading = sent.reading
        try:
            verdict = decide(self.states.get(reading.lot), reading)
        except ZeroDivisionError:
            self.dead.append((sent.offset, sent.value))
            return
        self._apply(reading.lot, verdict.state, verdict.emits, verdict.timers, (-1, -1))

    def firing(self, output: Output) -> None:
        """Take a recorded firing if it was to be, and check its time and its place."""
        told = output.headers
        key, name = told["lotgate-timer-key"], told["lotgate-timer"]
        at, now = int(told["lotgate-timer-due"]), int(told["lotgate-timer-now"])
        if self.pending.get((key, name)) != at:
            self.doubled += 1
            return
        batch = (int(told["lotgate-timer-next"]), now)
        self.early += int(now < at)
        # What the same cycle's firings set anew waits for the next cycle, whenever it is due.
        self.disordered += any(
            (other_at, *other) < (at, key, name) and self._set_in.get(other) != batch
            for other, other_at in self.pending.items()
        )
        del self.pending[key, name]
        self.fired += 1
        verdict = due(self.states.get(key), Timer(name, at, key), now)
        self._apply(key, verdict.state, verdict.emits, verdict.timers, batch)

    def _apply(
        self,
        key: str,
        state: Lot | None,
        emits: Iterable[object],
        timers: Iterable[Timer],
        batch: tuple[int, int],
    ) -> None:
        if state is None:
            self.states.pop(key, None)
        else:
            self.states[key] = state
        for result in emits:
            assert isinstance(result, Result)
            self.outputs.append(tuple(asdict(result).values()))
        for timer in timers:
            self._set_in.pop((key, timer.name), None)
            if timer.due_us is None:
                self.pending.pop((key, timer.name), None)
            else:
                self.pending[key, timer.name] = timer.due_us
                self._set_in[key, timer.name] = batch


def replay(inputs: list[Sent], outputs: list[Output]) -> Replay:
    """Run the rules over a partition's input, with its firings where the engine says they were."""
    told = Replay()
    firings = [output for output in outputs if output.is_firing]
    at = 0
    for sent in inputs:
        while at < len(firings) and int(firings[at].headers["lotgate-timer-next"]) <= sent.offset:
            told.firing(firings[at])
            at += 1
        told.input(sent)
    for firing in firings[at:]:
        told.firing(firing)
    return told


def inversions(expected: list[Row], found: list[Row]) -> int:
    """How often a key's outputs stand in another order than they must."""
    places: dict[Row, list[int]] = {}
    for index, row in enumerate(expected):
        places.setdefault(row, []).append(index)
    seen: Counter[Row] = Counter()
    last: dict[str, int] = {}
    count = 0
    for row in found:
        known = places.get(row, [])
        if seen[row] >= len(known):
            continue
        place = known[seen[row]]
        seen[row] += 1
        count += place < last.get(row[0], -1)
        last[row[0]] = place
    return count


def differing(expected: dict[Any, Any], found: dict[Any, Any]) -> list[str]:
    """What two maps say differently, one line each."""
    return [
        f"{key}: expected {expected.get(key)}, found {found.get(key)}"
        for key in sorted({*expected, *found}, key=str)
        if expected.get(key) != found.get(key)
    ]
