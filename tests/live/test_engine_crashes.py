"""Death at any instruction of a cycle changes nothing: lost 0, doubled 0, state equal."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from streams.engine.faults import DEATH, ENGINE_POINTS
from tests.live.engine_lab import assert_exact, borrowed, inspections

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.urs("M4.4")

EVENTS = inspections(2_000)
CYCLE_POINTS = {
    "after_poll": "after_poll:4",
    "mid_stage": "mid_stage:9",
    "before_produce": "before_produce:4",
    "after_produce": "after_produce:4",
    "before_offsets": "before_offsets:4",
    "after_offsets": "after_offsets:4",
    "before_commit": "before_commit:4",
    "after_commit": "after_commit:4",
    "after_write": "after_write:4",
}


def test_every_point_of_the_engine_has_a_test_here() -> None:
    assert {*CYCLE_POINTS, "in_restore", "in_revoke"} == set(ENGINE_POINTS)


@pytest.mark.parametrize("point", list(CYCLE_POINTS.values()), ids=list(CYCLE_POINTS))
def test_death_inside_a_cycle_is_not_seen(broker: str, tmp_path: Path, point: str) -> None:
    with borrowed(broker, tmp_path, cycle_records=200) as lab:
        lab.produce(EVENTS)
        assert lab.start(LOTGATE_FAULT=point).wait(30) == DEATH
        lab.start()
        lab.wait_consumed(len(EVENTS))
        assert_exact(lab, EVENTS)


def test_death_between_commit_and_write_is_made_good_from_the_changelog(
    broker: str, tmp_path: Path
) -> None:
    with borrowed(broker, tmp_path, cycle_records=200) as lab:
        lab.produce(EVENTS[:400])
        assert lab.start(LOTGATE_FAULT="after_commit:4").wait(30) == DEATH
        # The transaction is visible, the store of this instance is behind it: what it holds must
        # come from the changelog, or the same lots would be counted again from an old state.
        committed = lab.states()
        assert committed
        lab.produce(EVENTS[400:])
        lab.start()
        lab.wait_consumed(len(EVENTS))
        assert_exact(lab, EVENTS)


def test_death_inside_a_restore_is_not_seen(broker: str, tmp_path: Path) -> None:
    with borrowed(broker, tmp_path) as lab:
        lab.produce(EVENTS[:1_000])
        first = lab.start()
        lab.wait_consumed(1_000)
        assert lab.stop(first) == 0
        shutil.rmtree(tmp_path / "data-a")
        assert lab.start(LOTGATE_FAULT="in_restore").wait(30) == DEATH
        lab.produce(EVENTS[1_000:])
        lab.start()
        lab.wait_consumed(len(EVENTS))
        assert_exact(lab, EVENTS)


def test_death_while_a_partition_is_given_up_is_not_seen(broker: str, tmp_path: Path) -> None:
    with borrowed(broker, tmp_path) as lab:
        lab.produce(EVENTS[:1_000])
        first = lab.start("a", LOTGATE_FAULT="in_revoke")
        lab.wait_consumed(900)
        lab.start("b")
        assert first.wait(30) == DEATH
        lab.produce(EVENTS[1_000:])
        # Its partitions wait for its session's end, then the other one has them all.
        lab.wait_consumed(len(EVENTS))
        assert_exact(lab, EVENTS)


def test_a_killed_worker_is_back_before_its_session_ends(broker: str, tmp_path: Path) -> None:
    with borrowed(broker, tmp_path) as lab:
        lab.produce(EVENTS[:1_000])
        first = lab.start()
        lab.wait_consumed(1_000)
        first.kill()
        first.wait()
        before = lab.consumed()
        lab.produce(EVENTS[1_000:])
        lab.start()
        # How long it takes is measured by `tests.bench.restore`; a session would be 45 s.
        lab.wait(lambda: lab.consumed() > before, "the first record after a kill", 20)
        lab.wait_consumed(len(EVENTS))
        assert_exact(lab, EVENTS)
