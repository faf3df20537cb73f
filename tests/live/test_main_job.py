"""The main job on real parts: the demo's scenarios, undisturbed and with kill -9 in the middle."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from demo import pipeline
from demo.run import Demo
from localstack import PlainReport, Stack, scenario

from tests.live.main_job import assert_inspection_ended, hold_documents, quarantined
from tests.live.shipper import Shipper
from tests.parts import temporary_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def job_stack(parts_cache: Path) -> Iterator[Stack]:
    """A whole stack for this module alone."""
    with temporary_stack(parts_cache) as stack:
        yield stack


@pytest.fixture
def demo(job_stack: Stack) -> Iterator[Demo]:
    """The job on a fresh plant, its processes running."""
    demo = Demo(job_stack, PlainReport())
    demo.fresh_start()
    yield demo
    for name in pipeline.PROCESSES:
        job_stack.stop(name)


@pytest.mark.urs("M4.1", "M7.6", "X1")
def test_a_failed_inspection_holds_the_lot_and_everything_made_from_it(demo: Demo) -> None:
    outcome = demo.failed_inspection()
    assert outcome.right, outcome.table
    assert_inspection_ended(demo)
    assert_the_shipper_cannot_move_what_is_contained(demo)


@pytest.mark.urs("M4.1", "M5.4")
def test_a_hold_waits_for_its_lot_and_ends_only_with_a_signature(demo: Demo) -> None:
    outcome = demo.held_on_arrival()
    assert outcome.right, outcome.table
    assert quarantined(demo) == {}
    states = {document.reference.split(":")[0]: document for document in hold_documents(demo)}
    assert set(states) == {"HOLD", "RELEASE"}
    assert all(document.state == "done" for document in states.values())
    assert all(d.quantity == scenario.LATE_QUANTITY for d in states.values())


@pytest.mark.urs("M4.1", "M4.4")
@pytest.mark.parametrize("victim", ["worker", "erp-cdc", "erp-hold", "evidence", "broker", "erp"])
def test_a_kill_in_the_middle_changes_nothing(demo: Demo, victim: str) -> None:
    with demo.plant() as plant:
        plant.fail_inspection(scenario.FAILING_LOT)
    demo.watch.until("the first read-back", lambda: bool(demo.watch.acks()), 60, demo.need_running)
    kill_and_start_again(demo, victim)
    held = {wanted.lot for wanted in scenario.EXPECTED if wanted.level is not None}
    demo.watch.until(
        "every read-back", lambda: held <= set(demo.watch.acks()), 120, demo.need_running
    )
    assert_inspection_ended(demo)


@pytest.mark.urs("M4.1", "M4.4")
def test_a_killed_qms_source_misses_nothing(demo: Demo) -> None:
    lots = [(scenario.RESIN, "R-002")]
    demo.qms.open_nonconformity("NC-1", "minor", lots, "entered before the kill")
    demo.stack.kill("qms-cdc", signal.SIGKILL)
    demo.qms.open_nonconformity("NC-2", "minor", lots, "entered while it was dead")
    pipeline.start(demo.stack, "qms-cdc")
    demo.watch.until(
        "both causes at the lot",
        lambda: (
            len(demo.watch.states().get("R-002", {}).get("causes", ())) == 2
            and "R-002" in demo.watch.acks()
        ),
        90,
        demo.need_running,
    )
    references = [d.reference for d in hold_documents(demo) if d.lot == "R-002"]
    assert len(references) == 1


def kill_and_start_again(demo: Demo, victim: str) -> None:
    """kill -9 a process, then start it again as a supervisor would."""
    demo.stack.kill(victim, signal.SIGKILL)
    if victim in pipeline.PROCESSES:
        pipeline.start(demo.stack, victim)
    else:
        demo.stack.start(victim)


def assert_the_shipper_cannot_move_what_is_contained(demo: Demo) -> None:
    """As a colleague with a shipper's rights: assign, pick and ship every contained lot."""
    contained = [w for w in scenario.EXPECTED if w.result == "contained" and w.level is not None]
    before = quarantined(demo)
    with Shipper(demo) as shipper:
        assert shipper.ships("R-002", scenario.RESIN), "else this proves nothing"
        for wanted in contained:
            assert not shipper.ships(wanted.lot, wanted.product), f"{wanted.lot} moved"
    assert quarantined(demo) == before
    assert contained
