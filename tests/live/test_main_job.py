"""The main job on real parts: the demo's scenarios, undisturbed and with kill -9 in the middle."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import httpx
import orjson
import psycopg
import pytest
from click.testing import CliRunner
from demo import pipeline
from demo.doctor import examine
from demo.drift import drift_named
from demo.run import Demo
from demo.summary import held_stock_request
from localstack import PlainReport, Stack, scenario

from streams.cli import cli
from tests.live.main_job import assert_inspection_ended, hold_documents, quarantined
from tests.live.shipper import Shipper
from tests.parts import temporary_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.evidence_report import Artefact

AT_WORK_FROM_THE_COMMIT = ("worker", "erp-cdc", "broker")
"""Their part is over within a tenth of a second, so they die as soon as the row is committed."""


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


@pytest.mark.urs("M2.5", "M4.1", "M7.6", "X1")
def test_a_failed_inspection_holds_the_lot_and_everything_made_from_it(
    demo: Demo, artefact: Artefact
) -> None:
    outcome = demo.failed_inspection()
    keep(demo, artefact, outcome.table)
    assert outcome.right, outcome.table
    assert_inspection_ended(demo)
    assert_every_read_back_tells_its_hops(demo)
    assert_the_erp_itself_shows_the_held_goods(demo)
    assert_the_shipper_cannot_move_what_is_contained(demo)
    assert_the_doctor_finds_what_is_not_well(demo)


@pytest.mark.urs("M1.6", "M4.1", "M5.4", "X2")
def test_a_hold_waits_for_its_lot_and_ends_only_with_a_signature(
    demo: Demo, artefact: Artefact
) -> None:
    outcome = demo.held_on_arrival()
    keep(demo, artefact, outcome.table)
    assert outcome.right, outcome.table
    assert quarantined(demo) == {}
    states = {document.reference.split(":")[0]: document for document in hold_documents(demo)}
    assert set(states) == {"HOLD", "RELEASE"}
    assert all(document.state == "done" for document in states.values())
    assert all(d.quantity == scenario.LATE_QUANTITY for d in states.values())
    drift = drift_named(demo.stack, PlainReport())
    keep(demo, artefact, outcome.table + drift.table)
    assert drift.right, drift.table


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


def assert_every_read_back_tells_its_hops(demo: Demo) -> None:
    """`lotgate trace event` leads from a read-back over each step to the row's transaction."""
    dsn = demo.stack.addresses().evidence_dsn
    with psycopg.connect(dsn) as connection:
        acks = connection.execute("select event_id from evidence.events where kind = 'ack'")
        ids = [row[0] for row in acks]
    assert ids
    for event_id in ids:
        asked = ["trace", "event", event_id, "--json"]
        answer = CliRunner().invoke(cli, asked, obj=lambda: {"evidence_dsn": dsn})
        assert answer.exit_code == 0, answer.output
        (found,) = orjson.loads(answer.stdout)["events"]
        made = [link["transform"] for link in found["links"] if link["made"]]
        assert made[0] == "source/erp"
        assert made[1:3] == ["tryton", "lotgate.hold"], made
        assert made[-1].endswith("erp-hold")
        assert all(link["place"] for link in found["links"][1:] if link["made"])
        assert found["row"]["table"].endswith("quality_inspection"), found["row"]


def keep(demo: Demo, artefact: Artefact, table: str) -> None:
    """What a validation person wants to see of the run: the table, the ERP's rows, the acks."""
    artefact("table.txt", table)
    artefact("erp-hold-documents.json", orjson.dumps(hold_documents(demo)))
    acks = {number: seen.ack for number, seen in demo.watch.acks().items()}
    artefact("acks.json", orjson.dumps(acks))


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


def assert_the_erp_itself_shows_the_held_goods(demo: Demo) -> None:
    """The request that the demo prints for `curl` answers without our code."""
    request = held_stock_request(demo.stack.addresses())
    answer = httpx.get(request.url, headers=request.headers(), timeout=60)
    assert answer.status_code == 200, answer.text
    shown = {move["lot"]["number"] for move in answer.json()}
    assert shown == {w.lot for w in scenario.EXPECTED if w.contained and w.level is not None}


def assert_the_doctor_finds_what_is_not_well(demo: Demo) -> None:
    """All is well; then one process is stopped, and exactly that is found, with its log."""
    assert [found for found in examine(demo.stack) if not found.well] == []
    demo.stack.stop("evidence")
    wrong = [found for found in examine(demo.stack) if not found.well]
    assert [found.name for found in wrong] == ["evidence"]
    assert str(demo.stack.process("evidence").log) in wrong[0].advice
