"""Timers inside cycles: order, limits, failures, parked keys, clocks; by the driver."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from streams.engine import FuseLimits, Stage, Store, Timer, Topic, Verdict, View
from streams.engine.poison.fuse import FuseTripped
from streams.engine.testing import Driver
from streams.engine.timers.asked import UndeclaredTimer
from streams.engine.timers.firing import MOST
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from streams.engine import Record

pytestmark = pytest.mark.urs("M4.4")


@dataclass(frozen=True, slots=True)
class Asked:
    """Asks for a timer; `due` -1 asks for none, -2 cancels, `kind` boom fails."""

    lot: str
    seq: int
    kind: str
    due: int


@dataclass(frozen=True, slots=True)
class Seen:
    """Names of what happened to a lot, in order."""

    seq: int
    happened: str


@dataclass(frozen=True, slots=True)
class Told:
    lot: str
    kind: str
    due: int
    now: int


def schema(title: str, **columns: str) -> dict[str, Any]:
    fields = [{"name": key, "type": kind} for key, kind in columns.items()]
    return {"type": "record", "name": f"test.firing.{title}", "fields": fields}


INPUT = Topic(
    "{group}-asked",
    Asked,
    schema("Asked", lot="string", seq="long", kind="string", due="long"),
    lambda event: event.lot,
)
OUTPUT = Topic(
    "{group}-told",
    Told,
    schema("Told", lot="string", kind="string", due="long", now="long"),
    lambda event: event.lot,
)
LOTS = Store("seen", Seen, schema("Seen", seq="long", happened="string"))


def timers_of(event: Asked) -> tuple[Timer, ...]:
    due = None if event.due == -2 else event.due
    return () if event.due == -1 else (Timer(event.kind, due, event.lot),)


def ask(state: Seen | None, event: Asked) -> Verdict[Seen]:
    if state is not None and event.seq <= state.seq:
        return Verdict(state)
    if event.kind == "boom":
        raise ZeroDivisionError("not this one")
    before = state.happened if state is not None else ""
    return Verdict(Seen(event.seq, before), timers=timers_of(event))


def tell(state: Seen | None, timer: Timer, now_us: int) -> Verdict[Seen]:
    if timer.name == "bad":
        raise ZeroDivisionError("not this one either")
    state = state or Seen(0, "")
    due = timer.due_us or 0
    timers = (replace(timer, due_us=due - 1),) if timer.name == "again" and due else ()
    said = Told(timer.key, timer.name, due, now_us)
    return Verdict(replace(state, happened=f"{state.happened} {timer.name}"), (said,), timers)


def ask_in_view(view: View[Seen], event: Asked) -> tuple[object, ...]:
    view.put(event.lot, Seen(event.seq, ""))
    for timer in timers_of(event):
        view.set_timer(timer)
    if event.kind == "boom":
        raise ZeroDivisionError("not this one")
    return ()


def tell_in_view(view: View[Seen], timer: Timer, now_us: int) -> tuple[object, ...]:
    view.put(timer.key, Seen(0, "told"))
    view.set_timer(Timer("next", now_us + 10, f"{timer.key}-next"))
    if timer.name == "bad":
        raise ZeroDivisionError("not this one either")
    return (Told(timer.key, timer.name, timer.due_us or 0, now_us),)


BY_KEY = Stage("asked", INPUT, ask, LOTS, (OUTPUT,), dedupes_by_position=True, due=tell)
IN_VIEW = Stage("asked", INPUT, ask_in_view, LOTS, (OUTPUT,), "partition", due=tell_in_view)
EASY = FuseLimits(run=10_000, share=1.0)


def told(driver: Driver) -> list[tuple[str, str, int]]:
    return [(each.lot, each.kind, each.now) for each in driver.emitted(OUTPUT)]


def at(driver: Driver, now: int) -> None:
    driver.now_us = now
    driver.settle()


@pytest.mark.parametrize("stage", [BY_KEY, IN_VIEW], ids=["key", "partition"])
def test_timers_fire_in_order_of_due_key_and_name(stage: Stage) -> None:
    with Driver(stage) as driver:
        driver.send(
            Asked("B", 1, "x", 20), Asked("A", 1, "z", 20), Asked("A", 2, "y", 20),
            Asked("C", 1, "late", 40), Asked("D", 1, "first", 10),
        )  # fmt: skip
        at(driver, 9)
        assert not told(driver)
        at(driver, 35)
        wanted = [("D", "first", 35), ("A", "y", 35), ("A", "z", 35), ("B", "x", 35)]
        assert [each for each in told(driver) if each[1] != "next"] == wanted


def test_setting_again_replaces_and_none_cancels() -> None:
    with Driver(BY_KEY) as driver:
        driver.send(Asked("A", 1, "x", 20), Asked("A", 2, "y", 20), Asked("B", 1, "x", 20))
        driver.settle()
        driver.send(Asked("A", 3, "x", 30), Asked("B", 2, "x", -2), Asked("B", 3, "none", -2))
        driver.settle()
        at(driver, 25)
        assert told(driver) == [("A", "y", 25)]
        at(driver, 30)
        assert told(driver) == [("A", "y", 25), ("A", "x", 30)]
        at(driver, 1_000)
        assert len(told(driver)) == 2
        assert driver.timers() == []


def test_one_that_sets_itself_in_the_past_fires_once_a_cycle() -> None:
    with Driver(BY_KEY, now_us=100) as driver:
        driver.send(Asked("A", 1, "again", 3), Asked("B", 1, "other", 4))
        assert driver.cycle()
        assert not told(driver)
        assert driver.cycle()
        assert [each[1] for each in told(driver)] == ["again", "other"]
        assert driver.cycle()
        assert [each[1] for each in told(driver)] == ["again", "other", "again"]
        driver.settle()
        assert driver.state("A") == Seen(1, " again again again again")


def test_the_rest_of_many_waits_for_the_next_cycle() -> None:
    with Driver(BY_KEY) as driver:
        driver.send(*(Asked(f"L{n:05d}", 1, "x", 1 + n) for n in range(MOST + 10)))
        driver.settle()
        driver.now_us = 1_000_000
        driver.send(Asked("new", 1, "y", 5_000_000))
        assert driver.cycle()
        assert len(told(driver)) == MOST
        assert driver.state("new") is not None, "records flow meanwhile"
        driver.settle()
        assert [each[0] for each in told(driver)] == [f"L{n:05d}" for n in range(MOST + 10)]


def test_a_clock_that_goes_back_fires_nothing_twice_and_nothing_late() -> None:
    with Driver(BY_KEY, now_us=1_000) as driver:
        driver.send(Asked("A", 1, "x", 1_000), Asked("B", 1, "y", 1_010))
        driver.settle()
        at(driver, 10)
        driver.send(Asked("C", 1, "z", 1_000))
        driver.settle()
        assert told(driver) == [("A", "x", 1_000), ("C", "z", 1_000)]
        at(driver, 1_010)
        assert told(driver)[2:] == [("B", "y", 1_010)]


@pytest.mark.parametrize("stage", [BY_KEY, IN_VIEW], ids=["key", "partition"])
def test_a_firing_that_fails_changes_nothing_and_blocks_nobody(stage: Stage) -> None:
    with Driver(stage, fuse=EASY) as driver:
        driver.send(Asked("A", 1, "bad", 10), Asked("A", 2, "good", 11))
        at(driver, 15)
        assert [each[:2] for each in told(driver)] == [("A", "good")]
        (dead,) = driver.dead_letters()
        assert story(dead) == ("timer", "bad", "10", "15", "1")
        assert (dead.key, dead.header("lotgate-dlq-code")) == (b"A", b"rule_failed")
        assert (dead.value or b"").startswith(b'{"timer":"bad","key":"A","due_us":10,"now_us":15')
        assert b"tell" in (dead.header("lotgate-dlq-rule") or b"")
        assert driver.state("A").happened.strip() in {"good", "told"}
        driver.now_us = 20
        driver.replay(dead)
        driver.restart()
        driver.settle()
        assert story(driver.dead_letters()[1]) == ("timer", "bad", "10", "20", "2")
        driver.drop(dead)
        driver.replay(dead)
        driver.settle()
        assert len(driver.dead_letters()) == 2


def story(dead: Record) -> tuple[str, ...]:
    names = ("scope", "timer", "timer-due", "timer-now", "attempts")
    return tuple((dead.header(f"lotgate-dlq-{name}") or b"").decode() for name in names)


def test_a_replay_with_a_repaired_rule_is_done_once() -> None:
    with Driver(BY_KEY) as driver:
        driver.send(Asked("A", 1, "bad", 10))
        at(driver, 15)
        (dead,) = driver.dead_letters()
        driver.restart(replace(BY_KEY, due=lambda state, *_: tell(state, Timer("ok", 10, "A"), 1)))
        for _ in range(2):
            driver.replay(dead)
        driver.settle()
        assert told(driver) == [("A", "ok", 1)]
        assert len(driver.dead_letters()) == 1


@pytest.mark.parametrize("lose_disk", [False, True])
@pytest.mark.parametrize("decision", ["replay", "drop"])
def test_timers_of_a_parked_key_wait_and_then_fire_in_order(
    *, lose_disk: bool, decision: str
) -> None:
    with Driver(BY_KEY, fuse=EASY) as driver:
        driver.send(
            Asked("A", 1, "second", 20), Asked("A", 2, "first", 10), Asked("A", 3, "fourth", 40),
            Asked("B", 1, "other", 15), Asked("A", 4, "boom", -1), Asked("A", 5, "third", 30),
        )  # fmt: skip
        at(driver, 25)
        assert told(driver) == [("B", "other", 25)]
        assert not driver.cycle(), "what waits costs no further cycle"
        driver.restart(lose_disk=lose_disk)
        assert not driver.cycle()
        driver.now_us = 45
        (dead,) = driver.dead_letters()
        if decision == "drop":
            driver.drop(dead)
        else:
            driver.replay(dead, event=Asked("A", 4, "sixth", 60))
        driver.settle()
        names = ["first", "second", "third", "fourth"]
        assert told(driver)[1:] == [("A", name, 45) for name in names]
        at(driver, 70)
        assert len(told(driver)) == 5 + (decision == "replay")


def test_a_failed_timer_of_a_parked_key_stays_open() -> None:
    with Driver(BY_KEY, fuse=EASY) as driver:
        driver.send(Asked("A", 1, "bad", 10))
        at(driver, 15)
        driver.send(Asked("A", 2, "boom", -1))
        driver.settle()
        timer, record = driver.dead_letters()
        driver.replay(timer)
        driver.settle()
        assert len(driver.dead_letters()) == 2
        driver.drop(record)
        driver.replay(timer)
        driver.settle()
        assert [each.header("lotgate-dlq-scope") for each in driver.dead_letters()[2:]] == [
            b"timer"
        ]


def test_failing_timers_trip_the_fuse_and_stay_pending() -> None:
    with Driver(BY_KEY, fuse=FuseLimits(run=5)) as driver:
        driver.send(*(Asked(f"L{n}", 1, "bad", 10) for n in range(8)))
        driver.settle()
        driver.now_us = 20
        with pytest.raises(FuseTripped, match="in a row failed"):
            driver.cycle()
        assert not driver.dead_letters()
        assert len(driver.timers()) == 8
        with pytest.raises(FuseTripped):
            driver.cycle()
        driver.restart(replace(BY_KEY, due=lambda state, *_: Verdict(state)), build="2")
        driver.settle()
        assert not driver.timers()


def test_a_view_whose_rule_fails_sets_no_timer() -> None:
    with Driver(IN_VIEW, fuse=EASY) as driver:
        driver.send(Asked("A", 1, "boom", 10), Asked("B", 1, "x", -1))
        at(driver, 20)
        assert not told(driver)
        assert driver.state("A") is None


def test_a_timer_without_due_ends_the_worker_and_consumes_nothing() -> None:
    with Driver(replace(BY_KEY, due=None)) as driver:
        driver.send(Asked("A", 1, "x", 10))
        with pytest.raises(UndeclaredTimer):
            driver.cycle()
        driver.restart(BY_KEY)
        at(driver, 20)
        assert told(driver) == [("A", "x", 20)]


def test_a_release_without_due_is_refused_while_timers_are_pending() -> None:
    with Driver(BY_KEY) as driver:
        driver.send(Asked("A", 1, "x", 10))
        driver.settle()
        driver.restart(replace(BY_KEY, due=None))
        with pytest.raises(Misconfigured, match="has no `due`") as refused:
            driver.cycle()
        assert refused.value.code == "timers_without_due"
        driver.restart(BY_KEY)
        at(driver, 20)
        driver.restart(replace(BY_KEY, due=None))
        driver.settle()


def test_what_a_firing_emits_tells_how_it_came_about() -> None:
    with Driver(BY_KEY) as driver:
        driver.send(Asked("A", 1, "x", 10), Asked("A", 2, "none", -1))
        at(driver, 20)
        (record,) = driver.records(OUTPUT)
        assert [pair for pair in record.headers if pair[0].startswith("lotgate-timer")] == [
            ("lotgate-timer", b"x"),
            ("lotgate-timer-key", b"A"),
            ("lotgate-timer-due", b"10"),
            ("lotgate-timer-now", b"20"),
            ("lotgate-timer-next", b"2"),
            ("lotgate-timer-partition", b"0"),
        ]
