"""Pending timers: against a plain sorted list, over restarts, and without scans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.engine import Stage, Store, Timer, Topic
from streams.engine.poison.decision import TIMER
from streams.engine.state.disk import Checkpoint, Disk
from streams.engine.timers.asked import UndeclaredTimer, asked
from streams.engine.timers.pending import Pending
from streams.engine.timers.places import (
    ASIDE,
    DUE,
    FAILED,
    NEVER,
    SLOT,
    Place,
    aside,
    aside_of,
    by_due,
    ordered,
    read,
    read_aside,
)
from streams.errors import Misconfigured, Poison

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.urs("M4.4")

KEYS = st.binary(max_size=3) | st.sampled_from([b"\0", b"a\0", b"a\0\0b", b"\xff", b"a", b"ab"])
NAMES = st.text(max_size=2)
PLACES = st.builds(Place, st.integers(0, NEVER - 1), KEYS, NAMES)


@given(PLACES, PLACES)
def test_bytes_sort_as_timers_do_and_come_back(one: Place, other: Place) -> None:
    assert read(ordered(one)) == one
    assert read_aside(aside(one), one.key) == one
    named = [(p.due_us, p.key, p.name.encode()) for p in (one, other)]
    assert (named[0] < named[1]) == (ordered(one) < ordered(other))
    begin, end = aside_of(one.key)
    assert (begin <= aside(other) < end) == (other.key == one.key)


@given(st.builds(Place, st.integers(0, NEVER - 1), KEYS, st.text(min_size=1, max_size=3)))
def test_what_a_dead_letter_names_is_taken_back(place: Place) -> None:
    assert TIMER.fullmatch(ordered(place).hex())


@dataclass
class Shelf:
    """A store in memory that counts what is asked of it."""

    stored: dict[bytes, bytes] = field(default_factory=dict)
    looks: int = 0

    def get(self, key: bytes) -> bytes | None:
        self.looks += 1
        return self.stored.get(key)

    def between(self, begin: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        for item in sorted(self.stored.items(), key=itemgetter(0)):
            if begin <= item[0] < end:
                self.looks += 1
                yield item

    def write(self, changes: dict[bytes, bytes | None]) -> None:
        for key, value in changes.items():
            if value is None:
                self.stored.pop(key, None)
            else:
                self.stored[key] = value


class Cycles:
    """Timers in cycles of a partition, beside the plain list that they must equal."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.changes: dict[bytes, bytes | None] = {}
        self.plain: dict[tuple[bytes, str], int] = {}
        self.blocked: set[bytes] = set()
        self.before = dict(self.plain), set(self.blocked)
        self.freed: set[bytes] = set()
        self.now = 0
        self.has_fired = False
        self.restart()

    def restart(self) -> None:
        """A process that starts knows nothing but the store."""
        self.pending = Pending(self.shelf, self.changes)
        self.abort()

    def abort(self) -> None:
        self.changes.clear()
        self.pending.reset()
        self.plain, self.blocked = dict(self.before[0]), set(self.before[1])
        self.freed.clear()
        self.has_fired = False

    def put(self, key: bytes, name: str, due: int | None) -> None:
        self.pending.put(key, name, due)
        if due is None:
            self.plain.pop((key, name), None)
        else:
            self.plain[key, name] = due

    def advance(self, by: int) -> None:
        self.now += by

    def block(self, key: bytes) -> None:
        self.blocked.add(key)

    def free(self) -> None:
        """As a decision does, so before anything fires."""
        if self.blocked and not self.has_fired:
            key = min(self.blocked)
            self.blocked.discard(key)
            self.freed.add(key)
            self.pending.free(key)

    def fire(self, most: int, again: int | None) -> None:
        """Fire what is due of what was pending when the cycle began, `most` at the most."""
        if self.has_fired:
            return
        self.has_fired = True
        expected = sorted(
            (due, key, name.encode())
            for (key, name), due in self.plain.items()
            if due <= self.now
            and key not in self.freed | self.blocked
            and self.before[0].get((key, name)) == due
        )
        fired: list[tuple[int, bytes, bytes]] = []
        for place in self.pending.due(self.now):
            if place.key in self.blocked:
                self.pending.set_aside(place)
                continue
            if len(fired) == most:
                break
            fired.append((place.due_us, place.key, place.name.encode()))
            self.pending.consume(place)
            del self.plain[place.key, place.name]
            if again is not None:
                self.put(place.key, place.name, place.due_us + again)
        assert fired == expected[:most]

    def commit(self) -> None:
        self.shelf.write(self.changes)
        self.changes.clear()
        self.pending.committed()
        self.before = dict(self.plain), set(self.blocked)
        self.freed.clear()
        self.has_fired = False
        free = [due for (key, _), due in self.plain.items() if key not in self.blocked]
        if self.pending.is_due(self.now):
            assert self.blocked or min(free) <= self.now
        else:
            assert self.pending.next_us > self.now
            assert self.pending.next_us <= min(free, default=NEVER)


STEPS = st.one_of(
    st.tuples(st.just("put"), KEYS, NAMES, st.none() | st.integers(0, 60)),
    st.tuples(st.just("fire"), st.integers(1, 4), st.none() | st.integers(0, 9)),
    st.tuples(st.sampled_from(["commit", "abort", "restart", "free"])),
    st.tuples(st.just("advance"), st.integers(0, 20)),
    st.tuples(st.just("block"), KEYS),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(STEPS, max_size=40))
def test_any_history_equals_a_sorted_list(steps: list[tuple[Any, ...]]) -> None:
    """Set, replace, cancel, fire, block, free, abort and restart, in any order."""
    run = Cycles()
    for name, *arguments in steps:
        getattr(run, name)(*arguments)
    run.commit()
    while run.blocked:
        run.free()
    run.commit()
    run.advance(1_000)
    run.fire(10_000, None)
    run.commit()
    assert not run.plain
    assert not run.shelf.stored


def test_a_million_pending_timers_cost_a_cycle_nothing(tmp_path: Path) -> None:
    """What is read is counted, on a real disk, after as many have fired as are pending."""
    disk = Counted(tmp_path / "store")
    changes: dict[bytes, bytes | None] = {}
    pending = Pending(disk, changes)
    past, count = 100_000, 1_100_000
    for start in range(0, count, past):
        for index in range(start, start + past):
            changes[DUE + index.to_bytes(8) + b"L%07d\0\0late" % index] = b"\1"
        disk.write(changes, Checkpoint(start, "t", 0))
        changes.clear()

    pending.reset()
    assert not list(disk.engine_records())
    assert pending.is_due(5)
    assert disk.looks == 1, "opening a partition takes one look"
    for place, index in zip(pending.due(past), range(past), strict=False):
        assert place == Place(index, b"L%07d" % index, "late")
        pending.consume(place)
    disk.write(changes, Checkpoint(count, "t", 0))
    changes.clear()
    pending.committed()

    disk.looks = 0
    for index in range(1_000):
        assert not pending.is_due(past - 1)
        pending.put(b"other", "late", count + index)
        pending.committed()
    assert disk.looks == 1, "whether the other timer was set before"
    assert pending.is_due(past)
    assert disk.looks == 2, "the first one that is due"
    # A hundred thousand removed records lie before it: the seek began behind them.
    assert disk.begun >= by_due(Place(past, b"", ""))


class Counted(Disk):
    """A disk that counts what is read from it, and says where its last seek began."""

    looks = 0
    begun = b""

    def get(self, key: bytes) -> bytes | None:
        self.looks += 1
        return super().get(key)

    def between(self, begin: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        self.begun = begin
        for item in super().between(begin, end):
            self.looks += 1
            yield item


@dataclass(frozen=True, slots=True)
class Nothing:
    lot: str


SCHEMA = {
    "type": "record",
    "name": "Nothing",
    "namespace": "test.timers",
    "fields": [{"name": "lot", "type": "string"}],
}
INPUT = Topic("{group}-nothing", Nothing, SCHEMA, lambda event: event.lot)
STATES = Store("nothing", Nothing, SCHEMA)
TIMED = Stage("timed", INPUT, print, STATES, due=print)


@pytest.mark.parametrize("store", [STATES, None], ids=["no due", "no store"])
def test_a_timer_in_a_stage_without_due_is_a_mistake_in_the_program(
    store: Store[Nothing] | None,
) -> None:
    with pytest.raises(UndeclaredTimer, match="stage plain"):
        asked(Stage("plain", INPUT, print, store), [Timer("late", 5)], b"L1")


def test_due_without_a_store_is_refused_where_it_is_declared() -> None:
    with pytest.raises(Misconfigured, match="no place") as refused:
        Stage("stateless", INPUT, print, due=print)
    assert refused.value.code == "timers_without_store"


@pytest.mark.parametrize(
    ("timer", "key", "what"),
    [
        (Timer("late", -1), b"L1", "is not due at a number"),
        (Timer("late", 2**63), b"L1", "is not due at a number"),
        (Timer("late", 1.5), b"L1", "is not due at a number"),  # type: ignore[arg-type]
        (Timer("", 5), b"L1", "has no name"),
        (Timer("late", 5, "L2"), b"L1", "another key"),
        (Timer("late", 5), None, "names no key"),
    ],
)
def test_a_timer_that_cannot_be_is_the_records_fault(
    timer: Timer, key: bytes | None, what: str
) -> None:
    with pytest.raises(Poison, match=what) as refused:
        asked(TIMED, [Timer("good", 1, "L1"), timer], key)
    assert refused.value.code == "bad_timer"


def test_a_key_of_any_bytes_has_timers() -> None:
    (found,) = asked(TIMED, [Timer("late", 5, b"\xff\0".decode(errors="surrogateescape"))], None)
    assert found == (b"\xff\0", "late", 5)
    assert len({DUE, SLOT, ASIDE, FAILED}) == len({DUE[1], SLOT[1], ASIDE[1], FAILED[1]})
