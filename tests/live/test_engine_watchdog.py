"""What hangs is ended with a dump of its stacks; what only waits for others is not."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from streams.engine import ExitCode
from tests.live.engine_lab import assert_exact, borrowed, inspections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack import Stack

    from tests.live.engine_lab import Lab

pytestmark = pytest.mark.urs("M4.4")

JOB = "tests.live.watchdog_job"
EVENTS = inspections(300)
LIMIT_S = 4.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def asked(port: int, path: str) -> tuple[int, dict[str, Any]]:
    """Status and body of a probe; 0 while nobody answers."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}{path}", timeout=3)
    except httpx.HTTPError:
        return 0, {}
    return answer.status_code, answer.json()


def child_of(pid: int) -> int:
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextmanager
def watched(broker: str, folder: Path, **changes: Any) -> Iterator[Lab]:
    with borrowed(broker, folder, **changes) as lab:
        lab.module = JOB
        yield lab


def hangs(note: str) -> Any:
    return replace(EVENTS[0], source_seq=10_000, note=note)


@pytest.mark.parametrize(("note", "function"), [("regex", "backtrack"), ("sleep", "decide")])
def test_a_rule_that_hangs_ends_with_a_dump_that_names_it(
    broker: str, tmp_path: Path, note: str, function: str
) -> None:
    with watched(broker, tmp_path) as lab:
        worker = lab.start()
        lab.produce(EVENTS)
        lab.wait_consumed(len(EVENTS))
        hanging = child_of(worker.pid)
        began = time.monotonic()
        lab.produce([hangs(note)])
        assert worker.wait(30) == ExitCode.WATCHDOG
        assert time.monotonic() - began < 2 * LIMIT_S + 2
        assert not is_alive(hanging)
        told = lab.tail()
        assert f"in {function}" in told
        assert "watchdog_job.py" in told
        assert "exit 12: the worker hung and was killed" in told
        assert_exact(lab, EVENTS)
