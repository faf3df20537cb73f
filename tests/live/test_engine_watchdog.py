"""What hangs is ended with a dump of its stacks; what only waits for others is not."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from streams.engine import ExitCode
from streams.engine.poison.suspects import DEATHS
from tests.live.engine_lab import PARTITIONS, ROOT, assert_exact, borrowed, inspections

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


def has_ended_or_found(lab: Lab, worker: subprocess.Popen[bytes]) -> bool:
    return worker.poll() is not None or bool(lab.dead())


def test_a_rule_that_hangs_is_named_and_its_record_found(broker: str, tmp_path: Path) -> None:
    with watched(broker, tmp_path) as lab:
        worker = lab.start()
        lab.produce(EVENTS)
        lab.wait_consumed(len(EVENTS))
        hanging = child_of(worker.pid)
        began = time.monotonic()
        lab.produce([hangs("regex")])
        assert worker.wait(30) == ExitCode.WATCHDOG
        assert time.monotonic() - began < 2 * LIMIT_S + 2
        assert not is_alive(hanging)
        told = lab.tail()
        assert "in backtrack" in told
        assert "watchdog_job.py" in told
        assert "exit 12: the worker hung and was killed" in told
        assert_exact(lab, EVENTS)
        deaths = 1
        while not lab.dead():
            worker = lab.start()
            lab.wait(partial(has_ended_or_found, lab, worker), "death or dead letter")
            deaths += worker.poll() == ExitCode.WATCHDOG
            assert deaths <= DEATHS + 1
        lab.wait_consumed(len(EVENTS) + 1)
        assert_exact(lab, EVENTS)


@contextmanager
def probed(lab: Lab, **env: str) -> Iterator[tuple[Any, int]]:
    """A worker with probes, which has joined its group."""
    port = free_port()
    worker = lab.start(ENGINE_TEST_HEALTH=str(port), **env)
    lab.wait(lambda: asked(port, "/startupz")[0] == 200, "the worker has started")
    yield worker, port


def test_a_cycle_that_stalls_is_told_and_then_ended(broker: str, tmp_path: Path) -> None:
    """The thread of the cycle waits for ever in a call, while the event loop runs on."""
    with (
        watched(broker, tmp_path) as lab,
        probed(lab, LOTGATE_FAULT="after_poll:40~600", ENGINE_TEST_CALL="1") as (worker, port),
    ):
        lab.wait(lambda: asked(port, "/livez")[0] == 503, "the stall is told", pause=0.2)
        assert worker.poll() is None, "probes should know before the end"
        (reason,) = asked(port, "/livez")[1]["reasons"]
        assert reason.startswith("polling or restoring for ")
        assert worker.wait(30) == ExitCode.WATCHDOG
        told = lab.tail()
        assert "in reach" in told
        assert "in poll" in told
        assert "exit 12: polling or restoring for " in told


def test_a_worker_that_gets_nothing_of_what_there_is_ends(broker: str, tmp_path: Path) -> None:
    with watched(broker, tmp_path) as lab, probed(lab) as (worker, port):
        lab.produce(EVENTS)
        lab.wait_consumed(len(EVENTS))
        lab.produce([replace(EVENTS[0], source_seq=9_999, note="deaf")])
        lab.wait_consumed(len(EVENTS) + 1)
        time.sleep(1.5 * LIMIT_S)
        assert asked(port, "/livez")[0] == 200, "nothing to read is no fault"
        lab.produce(inspections(50, start=20_000))
        assert worker.wait(40) == ExitCode.WATCHDOG
        assert f"{lab.inspections}[" in lab.tail()
        assert "] stands at " in lab.tail()


def test_a_broker_that_does_not_answer_is_no_hang(
    broker: str, stack: Stack, tmp_path: Path
) -> None:
    with (
        watched(broker, tmp_path, cycle_records=20, session_timeout_ms=30_000) as lab,
        probed(lab) as (worker, port),
    ):
        lab.produce(EVENTS[:150])
        lab.wait_consumed(20)
        (pid,) = [part.pid for part in stack.status() if part.name == "broker" and part.pid]
        os.kill(pid, signal.SIGSTOP)
        try:
            until = time.monotonic() + 3 * LIMIT_S
            while time.monotonic() < until:
                assert asked(port, "/livez")[0] == 200
                assert worker.poll() is None
                time.sleep(0.5)
        finally:
            os.kill(pid, signal.SIGCONT)
        lab.produce(EVENTS[150:])
        lab.wait_consumed(len(EVENTS), seconds=60)
        assert_exact(lab, EVENTS)


def test_readiness_follows_the_restore(broker: str, tmp_path: Path) -> None:
    with watched(broker, tmp_path) as lab:
        first = lab.start()
        lab.produce(EVENTS)
        lab.wait_consumed(len(EVENTS))
        assert lab.stop(first) == 0
        shutil.rmtree(tmp_path / "data-a")
        with probed(lab, LOTGATE_FAULT="in_restore:1~2") as (worker, port):
            status, body = asked(port, "/readyz?verbose")
            assert status == 503
            lab.wait(lambda: bool(asked(port, "/readyz?verbose")[1]["restoring"]), "restoring")
            body = asked(port, "/readyz?verbose")[1]
            assert any(why.startswith("not restored yet: ") for why in body["reasons"]["ready"])
            assert set(body["restoring"]) <= set(body["assigned"])
            assert asked(port, "/livez")[0] == 200
            lab.wait(lambda: asked(port, "/readyz")[0] == 200, "ready")
            body = asked(port, "/readyz?verbose")[1]
            assert (body["restoring"], body["unassigned"]) == ([], False)
            assert len(body["assigned"]) == 2
            lab.wait(
                lambda: sorted(asked(port, "/readyz?verbose")[1]["lag"]) == body["assigned"],
                "the lag of each partition",
            )
            assert asked(port, "/version")[1] == {"version": "1"}
            assert asked(port, "/else")[0] == 404
            assert lab.stop(worker) == 0
            assert asked(port, "/livez")[0] == 0


def test_under_fausts_own_command_the_interpreter_itself_ends_it(
    broker: str, tmp_path: Path
) -> None:
    """There is no supervising process, and the exit code is the interpreter's choice."""
    with watched(broker, tmp_path) as lab:
        lab.start()
        lab.end()
        lab.produce([hangs("sleep")])
        with lab.log.open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "faust", "-A", JOB, "worker"],
                cwd=ROOT,
                env={**os.environ, "ENGINE_TEST_SETTINGS": str(tmp_path / "settings-a.json")},
                stdout=log,
                stderr=log,
            )
        lab.workers.append(worker)
        assert worker.wait(40) == 1
        assert "Timeout (0:00:04)!" in lab.tail()
        assert "in decide" in lab.tail()


def test_a_worker_without_partitions_is_ready_and_an_ending_one_is_not(
    broker: str, tmp_path: Path
) -> None:
    with watched(broker, tmp_path) as lab:
        ports = [free_port() for _ in range(PARTITIONS + 1)]
        workers = [
            # Slow, so that its end can be watched.
            lab.start(f"w{port}", ENGINE_TEST_HEALTH=str(port), LOTGATE_FAULT="after_poll:1~0.5")
            for port in ports
        ]

        def told() -> list[dict[str, Any]]:
            return [asked(port, "/readyz?verbose")[1] for port in ports]

        def all_ready() -> bool:
            found = told()
            return (
                all(body.get("ready") for body in found)
                and sum(len(body["assigned"]) for body in found) == PARTITIONS
            )

        lab.wait(all_ready, "all are ready")
        assert sorted(body["unassigned"] for body in told()) == [False, False, True]
        workers[0].send_signal(signal.SIGTERM)
        ending = "the worker is ending"
        lab.wait(
            lambda: ending in asked(ports[0], "/readyz")[1].get("reasons", []), "draining", pause=0
        )
        assert workers[0].wait(30) == 0
