"""What waits behind a dead letter: bounded, in order, released once, whatever dies meanwhile."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from streams.engine import ExitCode, control
from streams.engine.faults import DEATH
from streams.operator.answers.dead_letters import listed
from tests.live import engine_job as job
from tests.live.engine_lab import assert_exact, borrowed, inspections

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.engine import Record
    from tests.live.engine_lab import Lab

pytestmark = pytest.mark.urs("M3.3", "M4.4")

EVENTS = inspections(200)
NEXT = 10_000
LOT = b"L00001"


def event(seq: int, note: str = "", value: int = 20, lot: str = "L00001") -> job.Inspection:
    return job.Inspection(lot, seq, value, 10, note)


def said(record: Record, name: str) -> str:
    return (record.header(f"lotgate-dlq-{name}") or b"").decode()


def standing(lab: Lab) -> list[tuple[bool | None, int | None]]:
    """What `lotgate dlq list --waiting` says."""
    letters = listed(lab.connection, None, 50, waiting=True)
    return [(letter.is_open, letter.waiting) for letter in letters]


@contextmanager
def poisoned(broker: str, folder: Path, **changes: Any) -> Iterator[Lab]:
    with borrowed(broker, folder, **changes) as lab:
        lab.module = "tests.live.poison_job"
        yield lab


def test_a_full_parking_is_a_named_stop_and_a_decision_makes_room(
    broker: str, tmp_path: Path
) -> None:
    first = event(NEXT, "later")
    waiting = [event(NEXT + 1 + n) for n in range(8)]
    with poisoned(broker, tmp_path, parking={"octets": 600}) as lab:
        lab.produce([*EVENTS, first, *waiting])
        assert lab.start().wait(30) == ExitCode.PARKING_FULL
        assert "LOTGATE_PARKING_BYTES" in lab.tail()
        # The dead letter itself was committed, else nobody could decide on it.
        (dead,) = lab.dead()
        before = lab.states()["L00001"]
        assert lab.start().wait(30) == ExitCode.PARKING_FULL
        assert (lab.dead(), lab.states()["L00001"]) == ([dead], before)
        control.replay(lab.connection, dead, actor="quality", reason="repaired")
        lab.start(ENGINE_TEST_BUILD="2")
        lab.wait_consumed(len(EVENTS) + 1 + len(waiting))
        assert_exact(lab, [*EVENTS, event(NEXT), *waiting])


@pytest.mark.parametrize(
    ("fault", "heir"),
    [
        ("in_release:4", "a"),
        ("before_commit:1", "a"),
        ("after_commit:1", "a"),
        ("in_release:2", "b"),
    ],
)
def test_a_release_that_dies_midway_is_released_once_and_in_order(
    broker: str, tmp_path: Path, fault: str, heir: str
) -> None:
    """The original bytes, decided on twice, by a build that can take them; `b` has another disk."""
    first = event(NEXT, "later")
    waiting = [event(NEXT + 1 + n, value=n * 3) for n in range(6)]
    with poisoned(broker, tmp_path) as lab:
        lab.produce([*EVENTS, first, *waiting])
        worker = lab.start()
        lab.wait_consumed(len(EVENTS) + 1 + len(waiting))
        (dead,) = lab.dead()
        assert said(dead, "rule").endswith(":decide@3")
        assert said(dead, "schema").endswith(" reader=test.engine.Inspection")
        assert said(dead, "store") == "lots"
        assert "hunter22" not in said(dead, "message") + said(dead, "stack")
        assert standing(lab) == [(True, len(waiting))]
        worker.kill()
        worker.wait()
        for _ in range(2):
            control.replay(lab.connection, dead, actor="quality", reason="new build")
        assert lab.start(ENGINE_TEST_BUILD="2", LOTGATE_FAULT=fault).wait(30) == DEATH
        lab.start(heir, ENGINE_TEST_BUILD="2")
        last = event(NEXT + 100)
        lab.produce([event(NEXT), *waiting, last])
        lab.wait_consumed(len(EVENTS) + 2 * (1 + len(waiting)) + 1)
        assert_exact(lab, [*EVENTS, event(NEXT), *waiting, last])
        assert lab.dead() == [dead]
        assert standing(lab) == [(False, 0)]


def test_a_stage_without_dedupe_keeps_holes_that_a_replay_fills_once(
    broker: str, tmp_path: Path
) -> None:
    bad, later = event(NEXT, "boom"), [event(NEXT + 1 + n) for n in range(4)]
    with poisoned(broker, tmp_path) as lab:
        lab.produce([bad, *later])
        worker = lab.start(ENGINE_TEST_DEDUPE="0")
        lab.wait_consumed(5)
        assert lab.states()["L00001"].n == 4, "nothing waits: the record left a hole"
        (dead,) = lab.dead()
        worker.kill()
        worker.wait()
        fixed = lab.codec.encode(job.INSPECTIONS, event(NEXT, "repaired"))
        for _ in range(2):
            control.replay(lab.connection, dead, actor="quality", reason="typo", value=fixed)
        died = lab.start(ENGINE_TEST_DEDUPE="0", LOTGATE_FAULT="after_commit:1")
        assert died.wait(30) == DEATH
        lab.start(ENGINE_TEST_DEDUPE="0")
        lab.produce([event(NEXT + 9)])
        lab.wait_consumed(6)
        assert lab.states()["L00001"].n == 6
        assert [(hold.source_seq, hold.note) for hold in lab.holds()] == [(NEXT, "repaired")]


def test_a_record_that_kills_its_process_is_a_dead_letter_after_the_third_death(
    broker: str, tmp_path: Path
) -> None:
    others = [event(NEXT + n, lot="L00002") for n in range(20)]
    with poisoned(broker, tmp_path) as lab:
        lab.produce([*EVENTS, *others[:10], event(NEXT, "kills"), event(NEXT + 1), *others[10:]])
        for _ in range(3):
            assert lab.start().wait(30) < 0, "the record was not tried"
        worker = lab.start()
        lab.wait_consumed(len(EVENTS) + len(others) + 2)
        (dead,) = lab.dead()
        assert (dead.key, said(dead, "code")) == (LOT, "crash_loop")
        assert_exact(lab, [*EVENTS, *others])
        worker.kill()
        worker.wait()
        control.replay(lab.connection, dead, actor="quality", reason="library updated")
        lab.start(ENGINE_TEST_BUILD="2")
        lab.wait(lambda: lab.states()["L00001"].seq == NEXT + 1, "the key is released")
        assert_exact(lab, [*EVENTS, *others, event(NEXT), event(NEXT + 1)])


def test_a_record_that_hangs_is_a_dead_letter_after_the_third_watchdog(
    broker: str, tmp_path: Path
) -> None:
    others = [event(NEXT + n, lot="L00002") for n in range(5)]
    with poisoned(broker, tmp_path, watchdog_s=4) as lab:
        lab.produce([*EVENTS, event(NEXT, "hangs"), *others])
        for _ in range(3):
            assert lab.start().wait(60) == ExitCode.WATCHDOG
        worker = lab.start()
        lab.wait_consumed(len(EVENTS) + 1 + len(others))
        (dead,) = lab.dead()
        assert (dead.key, said(dead, "code")) == (LOT, "crash_loop")
        assert_exact(lab, [*EVENTS, *others])
        assert lab.stop(worker) == 0
