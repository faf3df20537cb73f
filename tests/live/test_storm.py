"""Ninety seconds of storm with fixed seeds: `make storm` runs longer ones with any seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.engine import ExitCode
from tests.storm.run import MUST_HIT, Plan, run_storm

pytestmark = [pytest.mark.urs("M4.4"), pytest.mark.timeout(900)]

LOSSES = (
    "lost",
    "doubled",
    "state_mismatch",
    "order_violations",
    "timers_missed",
    "timers_doubled",
    "timers_early",
    "input_mismatch",
)


def test_nothing_is_lost_or_doubled_in_a_storm(tmp_path: Path, parts_cache: Path) -> None:
    plan = Plan(seed=20, seconds=90, brokers=1, standbys=0, rate=150)
    line = run_storm(plan, tmp_path, parts_cache)
    assert {name: line[name] for name in LOSSES} == dict.fromkeys(LOSSES, 0)
    assert {name for name in MUST_HIT if line[name] == 0} == set()
    assert line["ok"], line
    assert str(int(ExitCode.WATCHDOG)) not in line["exits"], "a worker did not end in order"
