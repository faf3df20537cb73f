"""What a source tells of itself: probes that tell the truth, and meters."""

from __future__ import annotations

import httpx
import pytest

from connectors.runner.health.serving import served
from connectors.runner.health.slot import Behind, SlotFigures, SlotWatch
from connectors.runner.health.source import STILL_S, SourceHealth
from connectors.runner.health.source_told import SourceTold
from connectors.runner.source_config import SourceConfig
from streams.runtime import clock
from streams.runtime.settings import HealthSettings

pytestmark = pytest.mark.urs("M5.6")

CONFIG = SourceConfig("erp", "", "P1", "", "slot", "pub", 0, version="1.2.3")
RUN = {
    "mode": "initial",
    "rows": 50,
    "tables": [{"rows": 20, "expected": 70}, {"rows": 0, "expected": 10}],
}


def told(health: SourceHealth, slot: SlotFigures | None = None) -> SourceTold:
    watch = SlotWatch("", "slot", lambda: health.stored)
    watch.figures = slot
    return SourceTold(CONFIG, health, watch)


def slot(server: int = 1_000, state: str = "reserved", safe: int | None = 99) -> SlotFigures:
    return SlotFigures(server, state, True, 600, 500, safe, 7, 2.5)


def well(health: SourceHealth, figures: SlotFigures | None = None) -> tuple[bool, bool, bool]:
    report = told(health, figures).report()
    return report["started"], report["live"], report["ready"]


def test_probes_follow_the_state_and_say_why() -> None:
    health = SourceHealth(seen_ms=clock.now_ms())
    assert well(health) == (False, True, False)
    health.commits, health.position = 1, {"phase": "snapshot", "snapshot": {"runs": [RUN]}}
    assert well(health) == (True, True, False)
    assert "50 of about 110 rows" in told(health).report()["reasons"]["ready"][0]
    health.state, health.position = "reading", {"lsn": 700}
    assert well(health) == (True, True, True)
    assert well(health, slot(state="lost")) == (True, True, False)
    health.state, health.detail = "waiting", "the broker is away"
    assert well(health) == (True, True, False)
    assert told(health).report()["reasons"]["ready"] == ["waiting: the broker is away"]
    health.state = "ended"
    assert well(health) == (True, False, False)


def test_only_a_loop_that_reads_and_does_not_look_up_is_dead() -> None:
    long_ago = clock.now_ms() - int(STILL_S * 1000) - 1_000
    health = SourceHealth(state="reading", seen_ms=long_ago, commits=1)
    assert not told(health).report()["live"]
    for waits in ("starting", "waiting"):
        health.state = waits
        assert told(health).report()["live"], "what is away never ends a process"


def test_lag_is_the_age_of_the_oldest_log_that_is_not_stored() -> None:
    behind = Behind()
    assert behind.at(0.0, server=100, stored=100) == 0.0
    assert behind.at(5.0, server=200, stored=100) == 0.0
    assert behind.at(9.0, server=300, stored=100) == 4.0
    assert behind.at(10.0, server=300, stored=250) == 1.0
    assert behind.at(11.0, server=300, stored=300) == 0.0


def test_meters_are_read_over_http() -> None:
    health = SourceHealth("reading", rows=5, commits=2, position={"lsn": 700, "snapshot": {}})
    health.dead, health.committed_ms = 1, clock.now_ms()
    with served(
        HealthSettings(health_host="127.0.0.1", health_port=_free()),
        "erp-cdc",
        "erp",
        told(health, slot()),
    ) as port:
        lines = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text.splitlines()
        verbose = httpx.get(f"http://127.0.0.1:{port}/readyz?verbose", timeout=5).json()
    for line in (
        'lotgate_source_rows_total{source="erp"} 5.0',
        'lotgate_source_dead_rows_total{source="erp"} 1.0',
        'lotgate_source_lag_bytes{source="erp"} 300.0',
        'lotgate_source_lag_time_seconds{source="erp"} 2.5',
        'lotgate_source_lsn{of="stored",source="erp"} 700.0',
        'lotgate_source_lsn{of="confirmed",source="erp"} 600.0',
        'lotgate_source_slot_retained_bytes{source="erp"} 500.0',
        'lotgate_source_slot_safe_bytes{source="erp"} 99.0',
        'lotgate_source_slot_state{source="erp",state="reserved"} 1.0',
        'lotgate_source_slot_state{source="erp",state="lost"} 0.0',
        'lotgate_source_state{source="erp",state="reading"} 1.0',
    ):
        assert line in lines
    assert any(line.startswith("# HELP lotgate_source_lag_bytes ") for line in lines)
    assert (verbose["status"], verbose["lotgate.source.lag"]) == ("ready", 300.0)


def test_what_is_not_known_is_not_measured() -> None:
    readings = list(told(SourceHealth(commits=1)).readings())
    names = {each.meter.removeprefix("lotgate.source.") for each in readings}
    assert {"lag", "lag.time", "commit.age", "slot.safe", "snapshot.rows"}.isdisjoint(names)
    states = {each.labels["state"]: each.value for each in readings if "slot.state" in each.meter}
    assert (states["unknown"], states["lost"]) == (1.0, 0.0)


def _free() -> int:
    from socket import socket

    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
