"""Several workers, take-overs, fencing, and Faust's own command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from streams.engine import ExitCode
from tests.live.engine_lab import PARTITIONS, ROOT, assert_exact, borrowed, inspections

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.urs("M4.4")

EVENTS = inspections(3_000)


def test_a_take_over_while_the_old_transaction_is_open(broker: str, tmp_path: Path) -> None:
    """The new owner waits for the fate of the open transaction, then has its state whole."""
    with borrowed(broker, tmp_path, cycle_records=200) as lab:
        lab.produce(EVENTS)
        first = lab.start("a", LOTGATE_FAULT="before_commit:5")
        assert first.wait(30) == 137
        assert lab.consumed() == -1, "the dead worker's transaction should still be open"
        lab.start("b")
        lab.wait_consumed(len(EVENTS))
        assert_exact(lab, EVENTS)


def test_two_workers_one_is_killed(broker: str, tmp_path: Path) -> None:
    with borrowed(broker, tmp_path, cycle_records=100) as lab:
        first, second = lab.start("a"), lab.start("b")
        lab.produce(EVENTS[:1_000])
        lab.wait_consumed(1_000)
        lab.produce(EVENTS[1_000:2_000])
        first.kill()
        lab.produce(EVENTS[2_000:])
        lab.wait_consumed(len(EVENTS))
        assert second.poll() is None
        assert_exact(lab, EVENTS)


def test_a_zombie_that_wakes_up_commits_nothing(broker: str, tmp_path: Path) -> None:
    """A worker frozen past its session goes on where the group is, not where it was."""
    with borrowed(broker, tmp_path, cycle_records=100) as lab:
        first = lab.start("a")
        lab.produce(EVENTS[:1_000])
        lab.wait_consumed(1_000)
        first.send_signal(signal.SIGSTOP)
        try:
            lab.start("b")
            lab.produce(EVENTS[1_000:2_000])
            lab.wait_consumed(2_000)
        finally:
            first.send_signal(signal.SIGCONT)
        lab.produce(EVENTS[2_000:])
        lab.wait_consumed(len(EVENTS))
        assert_exact(lab, EVENTS)


def test_the_same_instance_twice_ends_the_older_one(broker: str, tmp_path: Path) -> None:
    with borrowed(broker, tmp_path) as lab:
        first = lab.start("a")
        lab.produce(EVENTS[:1_000])
        lab.wait_consumed(1_000)
        twin = tmp_path / "twin"
        twin.mkdir()
        lab.changes["data"] = str(twin)
        second = lab.start("a")
        lab.produce(EVENTS[1_000:])
        assert first.wait(30) == ExitCode.FENCED
        lab.wait_consumed(len(EVENTS))
        assert second.poll() is None
        assert_exact(lab, EVENTS)


def test_lost_positions_beside_kept_state_are_a_named_stop(broker: str, tmp_path: Path) -> None:
    with borrowed(broker, tmp_path) as lab:
        first = lab.start()
        lab.produce(EVENTS[:500])
        lab.wait_consumed(500)
        lab.stop(first)
        # A static member keeps its place after an orderly end; the group is free without it.
        lab.wait(lambda: _forgotten(broker, lab.group), "the group's positions are deleted")
        assert lab.start().wait(30) == ExitCode.START_POSITION
        assert "has state" in lab.tail()


def _forgotten(broker: str, group: str) -> bool:
    admin = AdminClient({"bootstrap.servers": broker})
    try:
        for answer in admin.delete_consumer_groups([group]).values():
            answer.result()
    except Exception:  # noqa: BLE001 - the group has members until the session ends
        return False
    return True


def test_records_that_retention_removed_are_a_named_stop(broker: str, tmp_path: Path) -> None:
    with borrowed(broker, tmp_path, cycle_records=100) as lab:
        lab.produce(EVENTS[:1_000])
        first = lab.start(LOTGATE_FAULT="after_commit:5")
        assert first.wait(30) == 137
        admin = AdminClient({"bootstrap.servers": broker})
        ends = [TopicPartition(lab.inspections, number, -1) for number in range(PARTITIONS)]
        lab.produce(EVENTS[1_000:])
        for answer in admin.delete_records(ends).values():
            answer.result()
        assert lab.start().wait(30) == ExitCode.START_POSITION
        assert "outside of what the broker retains" in lab.tail()


def test_state_that_is_gone_beside_positions_is_a_named_stop(broker: str, tmp_path: Path) -> None:
    with borrowed(broker, tmp_path) as lab:
        lab.produce(EVENTS[:500])
        first = lab.start()
        lab.wait_consumed(500)
        assert lab.stop(first) == 0
        for answer in lab.admin.delete_topics([lab.changelog]).values():
            answer.result()
        lab.wait(lambda: lab.changelog not in lab.admin.list_topics().topics, "it is deleted")
        lab.provision()
        assert lab.start().wait(60) == ExitCode.START_POSITION
        assert f"its state is gone from {lab.changelog}" in lab.tail()


def test_fausts_own_command_runs_a_job(broker: str, tmp_path: Path) -> None:
    with borrowed(broker, tmp_path) as lab:
        lab.produce(EVENTS)
        worker = lab.start()
        lab.end()
        assert worker.returncode is not None
        with lab.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "faust", "-A", "tests.live.engine_job", "worker"],
                cwd=ROOT,
                env={
                    **os.environ,
                    "ENGINE_TEST_SETTINGS": str(tmp_path / "settings-a.json"),
                },
                stdout=log,
                stderr=log,
            )
        lab.workers.append(process)
        lab.wait_consumed(len(EVENTS))
        assert_exact(lab, EVENTS)
        assert lab.stop(process) == 0
