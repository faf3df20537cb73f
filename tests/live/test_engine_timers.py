"""Timers on the real broker: once, in order, whoever dies, and also when nothing arrives."""

from __future__ import annotations

import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from streams.engine import control
from streams.engine.faults import DEATH
from streams.engine.poison.suspects import DEATHS
from streams.runtime.clock import now_us
from tests.live.timer_job import Wish
from tests.live.timer_lab import assert_exact, borrowed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.timer_lab import TimerLab

pytestmark = pytest.mark.urs("M4.4")

SECOND = 1_000_000
CYCLE_POINTS = (
    "after_poll:4",
    "mid_stage:6",
    "before_produce:4",
    "after_produce:4",
    "before_offsets:4",
    "before_commit:4",
    "after_commit:4",
    "after_write:4",
    "timer_cycle:1",
)


def wishes(count: int, due_us: int, spread_us: int, start: int = 0) -> list[Wish]:
    """Timers of fifty lots in no order, some replaced, some cancelled, some that repeat."""
    made = []
    for index in range(start, start + count):
        lot, what = f"L{index * 7919 % 50:03d}", f"t{index % 3}"
        due = 0 if index % 11 == 7 else due_us + index * 31_337 % spread_us
        made.append(Wish(lot, index + 1, what, due, spread_us if index % 5 == 2 else 0))
    return made


def settled(lab: TimerLab, count: int) -> None:
    lab.wait_consumed(count)
    lab.wait(lambda: lab.pending() == 0, "no timer is pending")


@pytest.mark.parametrize("point", CYCLE_POINTS, ids=lambda point: point.partition(":")[0])
def test_death_inside_a_cycle_that_fires_is_not_seen(
    broker: str, tmp_path: Path, point: str
) -> None:
    """Timers are due while events come: the fourth cycle fires and sets."""
    with borrowed(broker, tmp_path, cycle_records=100) as lab:
        lab.wish(wishes(600, now_us() - SECOND, 900_000))
        assert lab.start(LOTGATE_FAULT=point).wait(30) == DEATH
        lab.start()
        settled(lab, 600)
        assert_exact(lab)


def test_timers_fire_on_an_idle_topic_and_not_before_they_are_due(
    broker: str, tmp_path: Path
) -> None:
    with borrowed(broker, tmp_path) as lab:
        lab.start()
        lab.wish([Wish("A", 1, "soon", 1, 0)])
        lab.wait_fired(1)
        begin = now_us() + SECOND
        lab.wish(wishes(200, begin, SECOND))
        settled(lab, 201)
        assert all(each.now_us >= each.due_us for each in lab.fired())
        assert_exact(lab)


def test_what_was_due_while_no_worker_ran_fires_in_order_once_from_the_changelog(
    broker: str, tmp_path: Path
) -> None:
    """The worker is killed and its disk lost; the next one dies once inside the restore."""
    with borrowed(broker, tmp_path) as lab:
        due = now_us() - 5 * SECOND
        first = lab.start(TIMER_TEST_BEHIND_US=str(3_600 * SECOND))
        lab.wish(wishes(300, due, SECOND))
        lab.wait_consumed(300)
        first.kill()
        first.wait()
        shutil.rmtree(tmp_path / "data-a")
        before = lab.pending()
        assert not lab.fired()
        assert lab.start(LOTGATE_FAULT="in_restore").wait(30) == DEATH
        lab.start()
        settled(lab, 300)
        for firings in lab.firings().values():
            first_cycle = [each for each in firings if each.now_us == firings[0].now_us]
            assert [f[:3] for f in first_cycle] == sorted(f[:3] for f in first_cycle)
            assert all(each.now_us > each.due_us + SECOND for each in first_cycle)
        assert len(lab.fired()) >= before
        assert_exact(lab)


def test_another_worker_fires_what_a_killed_one_left(broker: str, tmp_path: Path) -> None:
    with borrowed(broker, tmp_path) as lab:
        first, second = lab.start("a"), lab.start("b")
        due = now_us() + 5 * SECOND
        lab.wish(wishes(300, due, SECOND))
        lab.wait_consumed(300)
        first.kill()
        settled(lab, 300)
        assert second.poll() is None
        assert_exact(lab)


def test_a_worker_that_stood_still_in_a_firing_commits_nothing(broker: str, tmp_path: Path) -> None:
    """Nothing but timers is in its cycle, and its transaction is none that the broker ended.

    Only the position that the cycle carries lets the group refuse it.
    """
    mark = tmp_path / "frozen"
    with borrowed(broker, tmp_path) as lab:
        first = lab.start("a", TIMER_TEST_FREEZE=str(mark))
        lab.wish(wishes(200, now_us() + 2 * SECOND, SECOND))
        lab.wait_consumed(200)
        lab.wish([Wish("Z", 201, "freeze", 1, 0)])
        lab.wait(mark.exists, "it stands still")
        assert "freeze" not in {each.what for each in lab.fired()}
        lab.start("b")
        settled(lab, 201)
        fired = len(lab.fired())
        first.send_signal(signal.SIGCONT)
        lab.wait(lambda: "cycle given up" in lab.tail(), "its cycle is refused")
        lab.wish(wishes(50, now_us(), SECOND, start=201))
        settled(lab, 251)
        assert len(lab.fired()) > fired
        assert_exact(lab)


def test_a_firing_that_fails_is_a_dead_letter_that_is_replayed_or_dropped(
    broker: str, tmp_path: Path
) -> None:
    with borrowed(broker, tmp_path) as lab:
        lab.start()
        lab.wish([Wish("A", 1, "fail", 5, 0), Wish("A", 2, "t0", 6, 0), Wish("B", 1, "t1", 7, 0)])
        lab.wait(lambda: len(lab.dead()) == 1, "a dead letter")
        lab.wait_fired(2)
        (dead,) = lab.dead()
        assert dead.key == b"A"
        assert dead.header("lotgate-dlq-scope") == b"timer"
        assert dead.header("lotgate-dlq-timer") == b"fail"
        assert dead.header("lotgate-dlq-timer-due") == b"5"
        assert b'"timer":"fail"' in (dead.value or b"")
        assert b"the reminder cannot be written" in (dead.header("lotgate-dlq-stack") or b"")
        assert {lot: state.fired for lot, state in lab.states().items()} == {"A": 1, "B": 1}
        control.replay(lab.connection, dead, actor="quality", reason="try again")
        lab.wait(lambda: len(lab.dead()) == 2, "the replay fails again")
        assert lab.dead()[1].header("lotgate-dlq-attempts") == b"2"
        control.drop(lab.connection, dead, actor="quality", reason="not wanted any more")
        control.replay(lab.connection, dead, actor="quality", reason="too late")
        lab.wait(lambda: "no open dead letter" in lab.tail(), "it is closed")
        assert len(lab.dead()) == 2


def test_a_timer_that_kills_its_process_is_a_dead_letter_after_the_third_death(
    broker: str, tmp_path: Path
) -> None:
    """So is its replay by a build that cannot fire it either; a later build fires it once."""
    with borrowed(broker, tmp_path) as lab:
        lab.wish([Wish("A", 1, "kills", 900, 0), *wishes(100, 500, 1_000, start=1)])
        for _ in range(DEATHS):
            assert lab.start().wait(30) < 0, "the timer was not fired"
        lab.start()
        settled(lab, 101)
        (dead,) = lab.dead()
        assert dead.header("lotgate-dlq-timer") == b"kills"
        assert dead.header("lotgate-dlq-code") == b"crash_loop"
        assert len(lab.fired()) == len(set(lab.fired())) > 50
        control.replay(lab.connection, dead, actor="quality", reason="try again")
        # The first of these deaths is at a decision, which may release any record.
        for _ in range(1 + DEATHS):
            lab.wait(lambda: lab.workers[-1].poll() is not None, "the replay is tried")
            lab.start()
        lab.wait(lambda: len(lab.dead()) == 2, "the replay is set aside")
        assert lab.dead()[1].header("lotgate-dlq-code") == b"crash_loop"
        assert lab.stop(lab.workers[-1]) == 0
        control.replay(lab.connection, dead, actor="quality", reason="library updated")
        lab.start(ENGINE_TEST_BUILD="2")
        lab.wait(lambda: "kills" in {each.what for each in lab.fired()}, "it fires")
        assert [each.what for each in lab.fired()].count("kills") == 1


def test_a_reminder_that_only_the_broker_refuses_costs_its_timer_not_the_cycle(
    broker: str, tmp_path: Path
) -> None:
    with borrowed(broker, tmp_path, record_limit_bytes=10_000_000, codec_limit=10_000_000) as lab:
        lab.wish([Wish("A", 1, "huge", 900, 0), *wishes(100, 500, 1_000, start=1)])
        lab.start()
        lab.wait_consumed(101)
        lab.wait(lambda: len(lab.dead()) == 1, "the timer is a dead letter")
        lab.wait(lambda: lab.pending() == 0, "no timer is pending")
        (dead,) = lab.dead()
        assert dead.header("lotgate-dlq-timer") == b"huge"
        assert dead.header("lotgate-dlq-code") == b"output_refused"
        assert "huge" not in {each.what for each in lab.fired()}
        assert len(lab.fired()) > 50
