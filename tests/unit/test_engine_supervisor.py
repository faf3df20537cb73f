"""The light process above a worker: real processes, real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.urs("M4.4")

ROOT = Path(__file__).parents[2]
LIMIT_S = 2.0


def until(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


@contextmanager
def process(what: str) -> Iterator[subprocess.Popen[str]]:
    """A supervised process that has begun to do it."""
    started = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.supervised_process", what],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert started.stdout is not None
        assert started.stdout.readline().strip() == what
        yield started
    finally:
        started.kill()
        started.communicate()


def child(parent: int) -> int:
    (found,) = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(found)


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "gone"


def resident_mb(pid: int) -> float:
    line = next(
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in line
    )
    return int(line.split()[1]) / 1024


def test_a_hang_in_c_code_is_dumped_and_ended() -> None:
    with process("hang") as parent:
        worker = child(parent.pid)
        _, told = parent.communicate(timeout=30)
        assert parent.returncode == 12
        assert state(worker) == "gone"
        assert "in backtrack" in told
        assert "limit 2 s" in told


def test_the_exit_code_is_passed_on_and_a_start_is_not_judged() -> None:
    with process("silent") as parent:
        assert parent.wait(10) == 7


def test_signals_reach_the_worker_and_its_death_is_told() -> None:
    with process("beat") as parent:
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(10) == -signal.SIGTERM
    with process("beat") as parent:
        os.kill(child(parent.pid), signal.SIGKILL)
        assert parent.wait(10) == -signal.SIGKILL


def test_the_worker_dies_with_its_supervisor() -> None:
    with process("beat") as parent:
        worker = child(parent.pid)
        assert resident_mb(worker) > 64
        # The worker may speak before its parent has put the light program in its own place.
        kept = "the supervisor keeps nothing of what was imported"
        until(lambda: resident_mb(parent.pid) < 20, kept, 5)
        parent.kill()
        assert parent.wait(10) == -signal.SIGKILL
        until(lambda: state(worker) in ("gone", "Z"), "the worker is gone", 5)


def test_who_was_stopped_does_not_hang_and_stacks_are_told_on_demand() -> None:
    with process("beat") as parent:
        worker = child(parent.pid)
        for stopped in ([worker], [parent.pid], [parent.pid, worker]):
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(1.5 * LIMIT_S)
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
            time.sleep(LIMIT_S / 2)
            assert parent.poll() is None
        parent.send_signal(signal.SIGQUIT)
        assert parent.stderr is not None
        assert any(line.endswith("in beat\n") for line in parent.stderr)
        assert state(worker) in ("S", "R"), "it goes on"
