"""A job of reminders: an event sets, replaces or cancels a timer of its key; a firing says so."""

from __future__ import annotations

import logging
import os
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from streams.engine import EngineSettings, Lotgate, Store, Timer, Topic, Verdict, run_worker
from streams.runtime.clock import now_us
from tests.live.engine_job import record, settings


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked: `due_us` 0 cancels; `gap_us` over 0 makes the timer set itself once more."""

    lot: str
    seq: int
    what: str
    due_us: int
    gap_us: int


@dataclass(frozen=True, slots=True)
class Reminded:
    """How often a lot was reminded, and of what last."""

    seq: int
    fired: int
    last_due_us: int
    gap_us: int


@dataclass(frozen=True, slots=True)
class Reminder:
    lot: str
    what: str
    due_us: int
    now_us: int
    fired: int


WISHES = Topic(
    "{group}-wishes",
    Wish,
    record("Wish", lot="string", seq="long", what="string", due_us="long", gap_us="long"),
    lambda event: event.lot,
)
REMINDERS = Topic(
    "{group}-reminders",
    Reminder,
    record("Reminder", lot="string", what="string", due_us="long", now_us="long", fired="long"),
    lambda event: event.lot,
)
LOTS = Store(
    "reminded",
    Reminded,
    record("Reminded", seq="long", fired="long", last_due_us="long", gap_us="long"),
)
NEW = Reminded(0, 0, 0, 0)


def wish(state: Reminded | None, event: Wish) -> Verdict[Reminded]:
    state = state or NEW
    if event.seq <= state.seq:
        return Verdict(state)
    if event.what == "boom":
        raise ZeroDivisionError("the rule cannot take this")
    timer = Timer(event.what, event.due_us or None)
    return Verdict(replace(state, seq=event.seq, gap_us=event.gap_us), timers=(timer,))


def remind(state: Reminded | None, timer: Timer, now: int) -> Verdict[Reminded]:
    state = state or NEW
    if timer.name == "freeze":
        freeze_once()
    if timer.name == "kills" and os.environ.get("ENGINE_TEST_BUILD", "1") != "2":
        os.abort()
    if timer.name == "fail":
        raise ZeroDivisionError("the reminder cannot be written")
    due_us = timer.due_us or 0
    after = replace(state, fired=state.fired + 1, last_due_us=due_us, gap_us=0)
    again = (replace(timer, due_us=due_us + state.gap_us),) if state.gap_us else ()
    what = "x" * 3_000_000 if timer.name == "huge" else timer.name
    said = Reminder(timer.key, what, due_us, now, after.fired)
    return Verdict(after, (said,), again)


def freeze_once() -> None:
    """Stand still inside a firing, as a machine that is suspended does; the test wakes it."""
    mark = os.environ.get("TIMER_TEST_FREEZE")
    if mark and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGSTOP)


def set_back() -> EngineSettings:
    """Settings with a clock that is behind by as much as the test says: nothing is due yet."""
    behind = int(os.environ.get("TIMER_TEST_BEHIND_US", "0"))
    return replace(settings(), clock=lambda: now_us() - behind)


def topics() -> tuple[Topic[Any], ...]:
    return (WISHES, REMINDERS, LOTS.topic)


app = Lotgate("timer-test")
app.configure_from(set_back)
app.stage(
    WISHES, store=LOTS, emits=(REMINDERS,), dedupes_by_position=True, name="reminders", due=remind
)(wish)

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    sys.exit(run_worker(app))
