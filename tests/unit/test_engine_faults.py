"""Fault points: dying, waiting, standing still there, and the trace that outlives the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.engine import faults
from streams.errors import Misconfigured
from tests.storm.trace import Passed, Trace

ROOT = Path(__file__).parents[2]
CHILD = """
import sys, time
from streams.engine import faults
faults.arm(sys.argv[1])
while True:
    for point in ("mid_stage", "before_produce", "after_commit", "after_write"):
        faults.reach(point)
    time.sleep(0.001)
"""


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    faults.arm("")


def test_only_the_nth_pass_of_a_point_is_deadly() -> None:
    deaths: list[int] = []
    faults.arm("before_commit:3,after_poll", deaths.append)
    for _ in range(5):
        faults.reach("before_commit")
    assert deaths == [faults.DEATH]
    faults.reach("after_poll")
    assert deaths == [faults.DEATH] * 2


def test_a_point_waits_from_the_nth_pass_on() -> None:
    deaths: list[int] = []
    faults.arm("after_commit:2~0.05", deaths.append)
    took = []
    for _ in range(3):
        began = time.monotonic()
        faults.reach("after_commit")
        took.append(time.monotonic() - began >= 0.05)
    assert took[1:] == [True, True]
    assert deaths == []


@pytest.mark.parametrize("setting", ["after_poll~soon", "after_poll:0~1", "before_commit,mid:x"])
def test_what_is_no_number_is_refused(setting: str) -> None:
    with pytest.raises(Misconfigured, match="LOTGATE_FAULT"):
        faults.arm(setting)


def test_a_trace_counts_and_tells_where_the_cycle_is(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace")
    faults.arm(f"trace={tmp_path / 'trace'}")
    for point in ("after_poll", "mid_stage", "before_produce"):
        faults.reach(point)
    assert trace.in_open_cycle()
    assert trace.in_open_transaction()
    faults.reach("after_commit")
    assert trace.between_commit_and_write()
    assert not trace.in_open_transaction()
    faults.reach("after_write")
    faults.reach("after_poll")
    assert trace.points()["after_poll"] == Passed(2, 6)
    assert trace.last_point() == "after_poll"
    assert not trace.between_commit_and_write()


def test_a_process_stands_still_where_it_is_asked_to_and_its_trace_outlives_it(
    tmp_path: Path,
) -> None:
    file = tmp_path / "trace"
    trace = Trace(file)
    child = subprocess.Popen([sys.executable, "-c", CHILD, f"trace={file}"], cwd=ROOT)
    try:
        trace.stand_still_at("after_commit")
        stopped, status = os.waitpid(child.pid, os.WUNTRACED)
        assert (stopped, os.WIFSTOPPED(status)) == (child.pid, True)
        passed = trace.count("after_commit")
        child.send_signal(signal.SIGCONT)
        deadline = time.monotonic() + 20
        while trace.count("after_commit") <= passed:
            assert time.monotonic() < deadline, "it does not go on"
            time.sleep(0.01)
        trace.stand_still_at("after_commit")
        os.waitpid(child.pid, os.WUNTRACED)
    finally:
        child.kill()
        child.wait()
    assert trace.between_commit_and_write()
