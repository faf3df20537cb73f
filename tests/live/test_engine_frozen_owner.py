"""A worker that is frozen between its positions and its records may still commit both."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.live.engine_lab import assert_exact, borrowed, inspections
from tests.storm.trace import Trace
from tests.storm.workers import Run

pytestmark = pytest.mark.urs("M4.4")

EVENTS = inspections(1_500)


def test_what_a_frozen_owner_still_commits_is_in_the_next_owners_state(
    broker: str, tmp_path: Path
) -> None:
    """The group has its positions, the changelog not yet its records: no end shows them."""
    slow = {"client": {"linger.ms": 30_000}, "transaction_timeout_ms": 60_000}
    with borrowed(broker, tmp_path, cycle_records=100, **slow) as lab:
        lab.produce(EVENTS[:500])
        first = Trace(tmp_path / "trace-a")
        frozen = Run(lab.start("a", LOTGATE_FAULT=f"trace={tmp_path / 'trace-a'}"), first)
        lab.wait_consumed(400)
        first.stand_still_at("after_offsets")
        lab.produce(EVENTS[500:])
        assert frozen.wait_still(20), lab.tail()
        committed = first.count("after_commit")
        second = Trace(tmp_path / "trace-b")
        lab.start("b", LOTGATE_FAULT=f"trace={tmp_path / 'trace-b'}")
        lab.wait(lambda: second.count("assigned") > 0, "the second worker has the partitions")
        asked = second.count("after_poll")
        # Several polls later the changelogs' ends were asked for, and the positions are not stable.
        lab.wait(lambda: second.count("after_poll") > asked + 20, "the second worker polls")
        assert first.count("after_commit") == committed
        # Its commit goes through, and then it is gone: the second worker keeps the partitions.
        first.stand_still_at("after_commit")
        frozen.send(signal.SIGCONT)
        assert frozen.wait_still(20), lab.tail()
        assert first.count("after_commit") == committed + 1
        frozen.process.kill()
        lab.wait_consumed(len(EVENTS))
        assert_exact(lab, EVENTS)
