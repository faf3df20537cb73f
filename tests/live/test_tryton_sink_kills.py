"""The sink's process killed between any two of its steps: each hold once, each ack once."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from streams.engine.faults import DEATH
from streams.model.hold import AckResult
from tests.live.sink_bench import Bench
from tests.live.tryton_goods import Colleague, Ground, command

if TYPE_CHECKING:
    from pathlib import Path

    from localstack import Stack

pytestmark = pytest.mark.urs("M4.1", "M4.4")

POINTS = (
    "after_poll",
    "before_call",
    "after_call",
    "before_produce",
    "before_commit",
    "after_commit",
)


def process(bench: Bench, erp: Ground, folder: Path, fault: str) -> subprocess.Popen[bytes]:
    told = {
        "fault": fault,
        "bootstrap": bench.connection.bootstrap,
        "folder": str(folder),
        "prefix": bench.prefix,
        "url": erp.url,
        "key": str(erp.holder),
    }
    return subprocess.Popen([sys.executable, "-m", "tests.live.sink_process", json.dumps(told)])


def test_death_between_any_two_steps_doubles_and_loses_nothing(
    broker: str, erp: Ground, shipper: Colleague, tmp_path: Path
) -> None:
    bench = Bench(broker, tmp_path)
    lots = []
    for point in POINTS:
        lots.append(shipper.lot(10))
        bench.send(command(lots[-1]))
        with process(bench, erp, tmp_path, point) as dying:
            assert dying.wait(60) == DEATH, point
    last = process(bench, erp, tmp_path, "")
    try:
        deadline = time.monotonic() + 60
        while len(bench.results()) < len(lots):
            assert last.poll() is None
            assert time.monotonic() < deadline, bench.results()
            time.sleep(0.1)
    finally:
        last.kill()
        last.wait()
    assert bench.results() == {lot: [AckResult.CONTAINED] for lot in lots}
    assert bench.letters() == []
    for lot in lots:
        assert erp.transfers(f"hold-{lot}") == [(f"HOLD:hold-{lot}", "done", 1)]
        assert erp.balance(lot) == {"QUA": 10}
    bench.close()


@pytest.mark.urs("M3.3")
@pytest.mark.parametrize("killed", [("erp", 2), ("broker", 1)], ids=["erp", "broker"])
async def test_a_part_killed_in_the_middle_delays_and_doubles_nothing(
    stack: Stack,
    broker: str,
    erp: Ground,
    shipper: Colleague,
    tmp_path: Path,
    killed: tuple[str, int],
) -> None:
    part, times = killed
    bench = Bench(broker, tmp_path)
    lots = [shipper.lot(10) for _ in range(8)]
    bench.send(*map(command, lots))
    async with bench.running(erp.sink()) as work:
        await bench.until(lambda: bool(bench.acks()), work)
        for _ in range(times):
            stack.kill(part, signal.SIGKILL)
            # The length of the outage: some tries of the loop (at most 0.3 s apart) fall into it.
            await asyncio.sleep(1)
            await asyncio.to_thread(stack.start, part)
            # The length of the respite before the next one, too short to finish all lots.
            await asyncio.sleep(0.5)
        await bench.until(lambda: set(bench.results()) == {*lots}, work, 60)
    assert bench.results() == {lot: [AckResult.CONTAINED] for lot in lots}
    assert bench.letters() == []
    for lot in lots:
        done = [each for each in erp.transfers(f"hold-{lot}") if each[1] == "done"]
        assert done == [(f"HOLD:hold-{lot}", "done", 1)]
        assert erp.balance(lot) == {"QUA": 10}
    bench.close()
