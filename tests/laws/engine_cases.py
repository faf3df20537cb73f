"""A small job for laws of the engine, what a plain run of it gives, and histories for it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from streams.engine import FuseLimits, Stage, Store, Topic, Verdict, View
from streams.engine.poison.fuse import FUSE_KEY
from streams.engine.testing import POINTS, Driver

if TYPE_CHECKING:
    from collections.abc import Iterable

NEVER = FuseLimits(run=10_000, share=1.0)
LOT_NAMES = ("A", "B", "C")


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a lot; `seq` rises with every check of a lot."""

    lot: str
    seq: int
    kind: str


@dataclass(frozen=True, slots=True)
class LotLog:
    """Which checks were applied, in order."""

    applied: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    lot: str
    seq: int
    note: str


def record(name: str, /, **columns: Any) -> dict[str, Any]:
    fields = [{"name": key, "type": kind} for key, kind in columns.items()]
    return {"type": "record", "name": f"test.laws.{name}", "fields": fields}


CHECKS = Topic(
    "{group}-checks",
    Check,
    record("Check", lot="string", seq="long", kind="string"),
    lambda event: event.lot,
)
FAILURES = Topic(
    "{group}-failures",
    Failed,
    record("Failed", lot="string", seq="long", note="string"),
    lambda event: event.lot,
)
LOTS = Store("lots", LotLog, record("LotLog", applied={"type": "array", "items": "long"}))


def judge(state: LotLog | None, event: Check) -> Verdict[LotLog]:
    """Apply what is newer than the state; some kinds of check cannot be applied."""
    state = state or LotLog()
    if state.applied and event.seq <= state.applied[-1]:
        return Verdict(state)
    after = LotLog((*state.applied, event.seq))
    if event.kind == "boom":
        raise ZeroDivisionError("the rule cannot take this")
    if event.kind == "huge":
        return Verdict(after, (Failed(event.lot, event.seq, "x" * 3_000_000),))
    return Verdict(after, (Failed(event.lot, event.seq, ""),) if event.kind == "fail" else ())


def judge_in_view(view: View[LotLog], event: Check) -> tuple[object, ...]:
    """The same for a whole partition; what it wrote before it failed must not stay."""
    before = view.get(event.lot)
    view.put(event.lot, LotLog((-1,)))
    verdict = judge(before, event)
    assert verdict.state is not None
    view.put(event.lot, verdict.state)
    return verdict.emits


BY_KEY = Stage("judge", CHECKS, judge, LOTS, (FAILURES,))
BY_PARTITION = Stage("judge", CHECKS, judge_in_view, LOTS, (FAILURES,), "partition")
PARKING = replace(BY_KEY, dedupes_by_position=True)
PARKING_VIEW = replace(BY_PARTITION, dedupes_by_position=True)


def checks(kinds: Iterable[tuple[int, str]]) -> list[Check]:
    """Number what was drawn, per lot."""
    last: dict[str, int] = defaultdict(int)
    found = []
    for lot, kind in kinds:
        name = LOT_NAMES[lot]
        last[name] += 1
        found.append(Check(name, last[name], kind))
    return found


def histories(*kinds: str, most: int = 30) -> st.SearchStrategy[list[Check]]:
    """Checks of a few lots, in order per lot."""
    one = st.tuples(st.integers(0, len(LOT_NAMES) - 1), st.sampled_from(kinds))
    return st.lists(one, max_size=most).map(checks)


def cut(events: list[Check], cuts: list[int]) -> list[list[Check]]:
    """A history in pieces, each of which is one or more cycles."""
    at = [0, *sorted(each % (len(events) + 1) for each in cuts), len(events)]
    return [events[a:b] for a, b in pairwise(at)]


DEATHS = st.lists(st.sampled_from((None, *POINTS)), min_size=6, max_size=6)
CUTS = st.lists(st.integers(0, 100), min_size=5, max_size=5)


def plain(events: Iterable[Check]) -> tuple[dict[str, LotLog], list[Failed]]:
    """What a run without engine, codec and store gives."""
    states: dict[str, LotLog] = {}
    failures: list[Failed] = []
    for event in events:
        verdict = judge(states.get(event.lot), event)
        if verdict.state is not None:
            states[event.lot] = verdict.state
        failures += [each for each in verdict.emits if isinstance(each, Failed)]
    return states, failures


def story(driver: Driver) -> tuple[Any, ...]:
    """Everything that a run leaves behind, but where its transactions lay in the topics."""
    dead = [
        (each.key, each.value, [pair for pair in each.headers if not pair[0].endswith("stack")])
        for each in driver.dead_letters()
    ]
    # A fuse that nothing ever blew keeps no count of good records over a restart.
    kept = {key: value for key, value in driver.kept().items() if key != FUSE_KEY}
    return driver.states(), driver.emitted(FAILURES), dead, kept


def assert_disk_is_changelog(driver: Driver) -> None:
    """The store never tells another story than its changelog."""
    engine = driver._alive()
    (partition,) = engine.membership.active.values()
    stored = {key: partition.disk.get(key) for key in driver.kept()}
    assert stored == driver.kept()


@dataclass
class Lane:
    """One lot's checks: what is applied, and where it stands behind a dead letter."""

    items: list[Check] = field(default_factory=list)
    applied: list[int] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    at: int = 0

    @property
    def head(self) -> Check | None:
        """The check that blocks the lot."""
        return self.items[self.at] if self.at < len(self.items) else None

    def go_on(self) -> None:
        while (head := self.head) is not None and head.kind not in {"boom", "huge"}:
            self.applied.append(head.seq)
            if head.kind == "fail":
                self.failures.append(head.seq)
            self.at += 1

    def repair(self) -> None:
        self.items[self.at] = replace(self.items[self.at], kind="fail")
        self.go_on()

    def drop(self) -> None:
        self.at += 1
        self.go_on()
