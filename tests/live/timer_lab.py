"""A group of the job of reminders on the real broker, and what its history must be."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from tests.live import timer_job as job
from tests.live.engine_lab import PARTITIONS, Lab, lent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from streams.engine import Record, Store, Topic

Named = tuple[str, str]


class Firing(NamedTuple):
    """What the headers of a reminder say."""

    due_us: int
    lot: str
    what: str
    now_us: int
    position: int
    partition: int


@dataclass
class TimerLab(Lab):
    """A group of the job of reminders."""

    INPUT: ClassVar[Topic[Any]] = job.WISHES
    OUTPUT: ClassVar[Topic[Any]] = job.REMINDERS
    STORE: ClassVar[Store[Any]] = job.LOTS

    module: str = "tests.live.timer_job"

    def wish(self, wishes: Iterable[job.Wish]) -> None:
        self.produce_raw((w.lot.encode(), self.codec.encode(job.WISHES, w)) for w in wishes)

    def pending(self) -> int:
        """How many timers the changelog has."""
        return sum(key[:2] == b"\0\4" for entries in self.kept() for key in entries)

    def firings(self) -> dict[int, list[Firing]]:
        """What was fired, in order, by partition, as the headers of the reminders tell it."""
        found: dict[int, list[Firing]] = defaultdict(list)
        for record in self.topic_records(self.name(job.REMINDERS)):
            firing = told(record)
            assert record.partition == firing.partition
            found[record.partition].append(firing)
        return found

    def fired(self) -> list[Firing]:
        return [each for firings in self.firings().values() for each in firings]

    def wait_fired(self, count: int, seconds: float = 40) -> None:
        self.wait(lambda: len(self.fired()) >= count, f"{count} timers fired", seconds)


def told(record: Record) -> Firing:
    """What a reminder's headers say."""

    def text(name: str) -> str:
        found = record.header(f"lotgate-timer{name}")
        assert found is not None, name
        return found.decode()

    return Firing(
        int(text("-due")),
        text("-key"),
        text(""),
        int(text("-now")),
        int(text("-next")),
        int(text("-partition")),
    )


@contextmanager
def borrowed(bootstrap: str, folder: Path, **changes: Any) -> Iterator[TimerLab]:
    """A lab of the job of reminders; see `lent`."""
    with lent(TimerLab, bootstrap, folder, **changes) as lab:
        yield lab


class Plain:
    """One partition's history in plain dictionaries; nothing of the engine is in here."""

    def __init__(self) -> None:
        self.timers: dict[Named, int] = {}
        self.states: dict[str, job.Reminded] = {}

    def wish(self, event: job.Wish) -> None:
        state = self.states.get(event.lot, job.NEW)
        if event.seq <= state.seq:
            return
        fresh = job.Reminded(event.seq, state.fired, state.last_due_us, event.gap_us)
        self.states[event.lot] = fresh
        if event.due_us:
            self.timers[event.lot, event.what] = event.due_us
        else:
            self.timers.pop((event.lot, event.what), None)

    def due(self, now_us: int) -> list[tuple[int, str, str]]:
        found = [(due, *named) for named, due in self.timers.items() if due <= now_us]
        return sorted(found)

    def fire(self, due_us: int, lot: str, what: str) -> None:
        del self.timers[lot, what]
        state = self.states[lot]
        if state.gap_us:
            self.timers[lot, what] = due_us + state.gap_us
        self.states[lot] = job.Reminded(state.seq, state.fired + 1, due_us, 0)


def assert_exact(lab: TimerLab) -> None:
    """Replay the history: each timer once, in order, none missed, state equal."""
    fired = lab.firings()
    states: dict[str, job.Reminded] = {}
    for number in range(PARTITIONS):
        plain = Plain()
        records = [r for r in lab.topic_records(lab.inspections) if r.partition == number]
        for (now_us, position), cycle in groupby(fired[number], lambda f: (f.now_us, f.position)):
            while records and records[0].offset < position:
                plain.wish(lab.codec.decode(job.WISHES, records.pop(0).value or b""))
            together = [each[:3] for each in cycle]
            assert together == plain.due(now_us)[: len(together)]
            for each in together:
                plain.fire(*each)
        for record in records:
            plain.wish(lab.codec.decode(job.WISHES, record.value or b""))
        assert not plain.timers, "timers were missed"
        states |= plain.states
    kept = lab.states()
    different = {lot: (kept.get(lot), states.get(lot)) for lot in {*kept, *states}}
    assert not {lot: pair for lot, pair in different.items() if pair[0] != pair[1]}
    assert lab.pending() == 0
