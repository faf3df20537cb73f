"""A job with timers whose clock a test moves: it runs on a broker and in the driver alike."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from streams.engine import Lotgate, Stage, Timer, Verdict, View, run_worker
from streams.engine.declare import Scope
from tests.live import engine_job as job


def judge(state: job.LotCount | None, event: job.Inspection) -> Verdict[job.LotCount]:
    """As the reference job; a note `in <µs>` also sets a timer, `never` cancels it."""
    verdict = job.decide(state, event)
    if event.note.startswith("in "):
        return replace(verdict, timers=(Timer("late", int(event.note[3:])),))
    if event.note == "never":
        return replace(verdict, timers=(Timer("late", None),))
    return verdict


def late(state: job.LotCount | None, timer: Timer, now_us: int) -> Verdict[job.LotCount]:
    """Say it, and count it; an uneven due time cannot be done."""
    if timer.due_us is None or timer.due_us % 2:
        raise ArithmeticError("the rule cannot take this timer")
    counted = replace(state or job.NEW, n=(state or job.NEW).n + 100)
    return Verdict(counted, (job.HoldRequested(timer.key, -1, timer.due_us, str(now_us)),))


def judge_in_view(view: View[job.LotCount], event: job.Inspection) -> tuple[object, ...]:
    """`judge` for a rule that sees the whole partition."""
    return _written(view, event.lot, judge(view.get(event.lot), event))


def late_in_view(view: View[job.LotCount], timer: Timer, now_us: int) -> tuple[object, ...]:
    """`late` for a rule that sees the whole partition."""
    return _written(view, timer.key, late(view.get(timer.key), timer, now_us))


def _written(view: View[job.LotCount], lot: str, verdict: Verdict[Any]) -> tuple[object, ...]:
    if verdict.state is not None:
        view.put(lot, verdict.state)
    for timer in verdict.timers:
        view.set_timer(replace(timer, key=lot))
    return verdict.emits


def stage(scope: Scope, *, dedupes: bool) -> Stage:
    """The stage, in either scope."""
    rule, due = (judge_in_view, late_in_view) if scope == "partition" else (judge, late)
    return Stage(
        "judge", job.INSPECTIONS, rule, job.LOTS, (job.HOLDS,), scope, dedupes, due
    )  # fmt: skip


def moved_clock() -> int:
    """The instant that the test wrote down."""
    return int(Path(os.environ["DRIVER_TEST_CLOCK"]).read_text())


app = Lotgate("driver-test")
app.configure_from(lambda: replace(job.settings(), clock=moved_clock))
app.stages.append(
    stage(
        "partition" if os.environ.get("DRIVER_TEST_SCOPE") == "partition" else "key",
        dedupes=os.environ.get("ENGINE_TEST_DEDUPE", "1") == "1",
    )
)

if __name__ == "__main__":
    sys.exit(run_worker(app))
