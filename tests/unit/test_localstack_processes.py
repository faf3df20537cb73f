"""A process is recognised by more than its number, and ended whatever it does."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from localstack.errors import PartDidNotStart
from localstack.host import leftovers
from localstack.host.launch import start_ticks
from localstack.host.processes import Command, Identity, Process, boot_id
from localstack.layout import claimed, exclusive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT_SECONDS = 10.0
STUBBORN = 'trap "" TERM; echo deaf; while :; do sleep 0.1; done'


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process("sample", tmp_path / "sample.json", tmp_path / "sample.log")
    yield process
    process.stop(signal.SIGKILL, WAIT_SECONDS)


def shell(script: str) -> Command:
    return Command(["/bin/sh", "-c", script])


def wait_for_log(process: Process, text: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while text not in process.tail():
        assert time.monotonic() < deadline, process.tail()
        time.sleep(0.01)


def test_the_record_names_the_process_itself(process: Process) -> None:
    process.start(Command(["/bin/sleep", "60"]))
    identity = process.identity()
    assert identity is not None
    assert identity.alive()
    assert identity.started == start_ticks(identity.pid)
    assert os.getsid(identity.pid) == identity.pid, "it must not share our session"


def test_a_reused_number_or_another_boot_is_not_the_process() -> None:
    mine = Identity(os.getpid(), start_ticks(os.getpid()), boot_id())
    assert mine.alive()
    assert not replace(mine, started=mine.started + 1).alive()
    assert not replace(mine, boot="another").alive()


def test_a_stranger_with_a_recorded_number_is_left_alone(process: Process) -> None:
    record = {"pid": os.getpid(), "started": 1, "boot": boot_id(), "program": "/bin/false"}
    process.record.write_text(json.dumps(record))
    process.stop(signal.SIGKILL, WAIT_SECONDS)
    assert not process.record.exists(), "a stale record is cleared; this test process lives on"


def test_output_goes_to_the_log(process: Process) -> None:
    process.start(shell("echo out; echo err >&2; sleep 60"))
    wait_for_log(process, "out")
    wait_for_log(process, "err")


def test_stop_asks_first(process: Process) -> None:
    process.start(shell('trap "echo asked; exit 0" TERM; echo up; while :; do sleep 0.05; done'))
    wait_for_log(process, "up")
    process.stop(signal.SIGTERM, WAIT_SECONDS)
    assert not process.running()
    assert "asked" in process.tail()


def test_stop_kills_what_does_not_listen(process: Process) -> None:
    process.start(shell(STUBBORN))
    wait_for_log(process, "deaf")
    process.stop(signal.SIGTERM, 0.3)
    assert not process.running()
    assert process.identity() is None


def test_a_program_that_is_not_there_says_so(process: Process) -> None:
    with pytest.raises(PartDidNotStart, match="/nowhere/program"):
        process.start(Command(["/nowhere/program"]))
    assert process.identity() is None


def test_the_environment_is_the_given_one(process: Process) -> None:
    process.start(Command(["/usr/bin/env"], env={"ONLY": "this"}))
    wait_for_log(process, "ONLY=this")
    assert "PATH" not in process.tail()


def test_what_a_killed_preparation_left_is_ended_and_removed(tmp_path: Path) -> None:
    run = tmp_path / "workshops" / "plant-1" / "run"
    run.mkdir(parents=True)
    abandoned = Process("database", run / "database.json", run / "database.log")
    abandoned.start(Command(["/bin/sleep", "600"]))
    identity = abandoned.identity()
    assert identity is not None
    leftovers.clear(tmp_path / "workshops")
    assert not identity.alive()
    assert not (tmp_path / "workshops").exists()


def test_a_lock_is_claimed_only_when_nobody_holds_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with exclusive(lock), claimed(lock) as free:
        assert not free
    with claimed(lock) as free:
        assert free
    with claimed(tmp_path / "nowhere" / "lock") as free:
        assert not free
