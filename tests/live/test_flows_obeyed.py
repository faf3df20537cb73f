"""Flows on a real broker: a manual one waits for its order, also over a death; all are found."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from connectors.runner.declared import policy_of
from connectors.runner.declared.flow import declared
from streams.contracts.interfaces import Release
from streams.contracts.interfaces.advice import measured
from streams.contracts.interfaces.orders import audit_topic
from streams.contracts.interfaces.routes import route_findings
from streams.contracts.topic_specs import TopicSpec
from streams.engine import Reader, provision, read_partition
from streams.operator.flows.gathering import as_named, interfaces_in, internal_of, live_in
from streams.operator.flows.interfaces import give_order, samples
from tests.live.flow_process import Shelf
from tests.live.sink_bench import Bench
from tests.live.tryton_goods import command

if TYPE_CHECKING:
    from collections.abc import Iterator


ROOT = Path(__file__).parents[2]
CONTRACTS = ROOT / "deploy" / "contracts"
KEY = base64.b64encode(bytes(range(64))).decode()


@pytest.fixture
def bench(broker: str, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(broker, tmp_path)
    yield bench
    bench.close()


@pytest.mark.urs("M1.1")
async def test_a_manual_flow_waits_for_its_order_and_carries_each_command_once_over_a_restart(
    bench: Bench,
) -> None:
    shelf, flow = Shelf(), {"flow": "erp-hold", "release": Release("manual")}
    bench.send(command("L1"))
    async with bench.running(shelf, **flow) as work:
        await asyncio.to_thread(_joined, bench)
        await _still(shelf, [])
        give_order(bench.connection, "erp-hold", datetime.now(UTC), "shift lead", "checked")
        await bench.until(lambda: len(bench.acks()) == 1, work)
        bench.send(command("L2"))
    async with bench.running(shelf, **flow) as work:
        await asyncio.to_thread(_joined, bench)
        await _still(shelf, ["L1"])
        upto = datetime.now(UTC) + timedelta(seconds=1)
        give_order(bench.connection, "erp-hold", upto, "shift lead", "checked")
        await bench.until(lambda: len(bench.acks()) == 2, work)
    assert [each.number for each in shelf.seen] == ["L1", "L2"]


@pytest.mark.urs("M1.1")
async def test_a_death_between_effect_and_position_neither_loses_nor_doubles_an_answer(
    bench: Bench, tmp_path: Path
) -> None:
    bench.send(command("L1"), command("L2"))
    give_order(bench.connection, "erp-hold", datetime.now(UTC), "shift lead", "checked")
    told = {
        "bootstrap": bench.connection.bootstrap,
        "folder": str(tmp_path),
        "prefix": bench.prefix,
        "fault": "before_commit",
    }
    died = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.live.flow_process", json.dumps(told)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert died.returncode not in {0, 1, 2}, died.stderr
    assert bench.acks() == []
    shelf = Shelf()
    async with bench.running(shelf, flow="erp-hold", release=Release("manual")) as work:
        await bench.until(lambda: len(bench.acks()) == 2, work)
        bench.send(command("L3"))
        await _still(shelf, sorted(each.number for each in shelf.seen))
    assert bench.results() == {"L1": ["contained"], "L2": ["contained"]}
    assert {each.number for each in shelf.seen} == {"L1", "L2"}


@pytest.mark.urs("M1.4")
async def test_a_denied_field_becomes_a_dead_letter_and_persons_become_tokens(
    bench: Bench, tmp_path: Path
) -> None:
    for name in ("interfaces.yaml", "zones.yaml"):
        text = (CONTRACTS / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("erp: site", "erp: cloud"), encoding="utf-8")
    flow = declared(tmp_path, "erp-hold", "erp", bench.connection)
    policy = policy_of(tmp_path, flow, "lotgate.inventory.HoldCommand", KEY)
    shelf = Shelf()
    bench.send(command("L1"))
    async with bench.running(shelf, policy=policy) as work:
        await bench.until(lambda: len(bench.letters()) == 1, work)
    (letter,) = bench.letters()
    assert letter.value == bench.commands()[0].value
    assert letter.header("lotgate-dlq-code") == b"zone_denied"
    assert b"CLOUD-1" in (letter.header("lotgate-dlq-message") or b"")
    assert shelf.seen == []
    assert [ack.result for ack in bench.acks()] == ["refused"]


@pytest.mark.urs("M1.5")
def test_an_excluded_system_does_not_start_and_leaves_an_audit_entry(
    bench: Bench, tmp_path: Path
) -> None:
    text = (CONTRACTS / "interfaces.yaml").read_text(encoding="utf-8")
    criterion = "criterion: It can ship"
    text = text.replace(f"scope: in\n    {criterion}", f"scope: excluded\n    {criterion}")
    (tmp_path / "interfaces.yaml").write_text(text, encoding="utf-8")
    variables = {
        "LOTGATE_BOOTSTRAP": bench.connection.bootstrap,
        "LOTGATE_REGISTRY_URL": "http://localhost:1",
        "LOTGATE_PREFIX": bench.prefix,
        "LOTGATE_CONTRACTS": str(tmp_path),
        "LOTGATE_REPLICATION_FACTOR": "1",
        "LOTGATE_MIN_INSYNC": "1",
        "LOTGATE_ERP_URL": "http://localhost:1/plant",
        "LOTGATE_ERP_KEY": "k",
    }
    ended = subprocess.run(
        [sys.executable, "-c", "from connectors.cli import main; main()", "connect", "erp-hold"],
        env={**os.environ, **variables}, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2, ended.stderr
    assert "[excluded_system]" in ended.stderr
    (entry,) = [
        json.loads(record.value or b"")
        for record in read_partition(
            bench.connection, audit_topic(bench.prefix, bench.connection.group), 0
        )
        if record is not None
    ]
    assert (entry["what"], entry["code"]) == ("connector erp-hold", "excluded_system")


@pytest.mark.urs("M1.3")
async def test_a_group_and_a_topic_that_no_flow_declares_are_found(bench: Bench) -> None:
    document = as_named(interfaces_in(CONTRACTS), bench.connection.group)
    bench.send(command("L1"))
    async with bench.running(Shelf()) as work:
        await bench.until(lambda: len(bench.acks()) == 1, work)
    found = measured(list(samples(bench.connection, [(bench.config.acks, 4)])))
    assert found.records == 1
    assert found.p95_s is not None
    raw = f"{bench.prefix}.cdc.erp.public.stock_lot"
    provision(bench.connection, [TopicSpec(raw, 1, 1), TopicSpec(f"{bench.prefix}.guest", 1, 1)])
    with (
        Reader(bench.connection, "past", [raw]) as past,
        Reader(bench.connection, "guest", [bench.config.commands]) as guest,
    ):
        deadline = time.monotonic() + 20
        while not (past.assignment and guest.assignment):
            assert time.monotonic() < deadline, "the readers did not join"
            await asyncio.to_thread(past.poll, 0.1)
            await asyncio.to_thread(guest.poll, 0.1)
        live = await asyncio.to_thread(live_in, bench.connection)
    internal = internal_of(bench.connection)
    routes = route_findings(document, (), datetime.now(UTC).date(), live, internal)
    shown = {(each.kind, each.subject) for each in routes if each.kind != "idle_group"}
    assert shown == {
        ("direct_route", "past"),
        ("unknown_group", "guest"),
        ("unknown_topic", "guest"),
    }


def _joined(bench: Bench) -> None:
    """Wait until the sink reads: its group shows the topic on the broker."""
    deadline = time.monotonic() + 20
    while "inventory.hold.commands" not in live_in(bench.connection).groups.get(
        "lotgate-erp-hold", ()
    ):
        assert time.monotonic() < deadline, "the sink did not join"
        time.sleep(0.1)


async def _still(shelf: Shelf, numbers: list[str]) -> None:
    """See for a second that the target was told of these lots alone."""
    for _ in range(10):
        await asyncio.sleep(0.1)
        assert sorted(each.number for each in shelf.seen) == numbers
