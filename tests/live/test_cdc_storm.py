"""Ten deaths of the source at fixed points: `make storm-cdc` has a hundred, with any seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.storm.cdc.field import POINTS, SNAPSHOT_POINT, Plan
from tests.storm.cdc.run import run_storm

if TYPE_CHECKING:
    from pathlib import Path

    from localstack import Stack

pytestmark = [pytest.mark.urs("M4.4"), pytest.mark.timeout(600)]

DEATHS = (
    f"{SNAPSHOT_POINT}:1",
    f"{SNAPSHOT_POINT}:2",
    "before_produce:2",
    "mid_transaction:3",
    "after_produce:2",
    "before_offset:2",
    "before_commit:1",
    "before_commit:3",
    "after_commit:2",
    "after_confirm:1",
)
COUNTERS = (
    "lost",
    "doubled",
    "phantoms",
    "order_violations",
    "metadata_errors",
    "table_mismatch",
    "invariant_violations",
    "dead_letters",
    "wrong_ends",
)


@pytest.mark.usefixtures("database", "broker", "registry")
def test_ten_deaths_lose_and_double_nothing(tmp_path: Path, stack: Stack) -> None:
    plan = Plan(seed=7, kills=len(DEATHS), rows=6_000, points=DEATHS, disturb=0)
    line = run_storm(plan, tmp_path, stack)
    assert {name: line[name] for name in COUNTERS} == dict.fromkeys(COUNTERS, 0)
    assert {
        point for point in (SNAPSHOT_POINT, *POINTS) if not line["kills_per_point"][point]
    } == set()
    assert line["middles_stored"] > 0
    assert line["looks_at_the_invariant"] > 20
    assert line["kills"] >= plan.kills, line
    # The writers count what they meant to write; a delete of a row that is gone is no event.
    assert line["rows"] >= plan.rows // 2, line
