"""What a sink tells of itself: a target that is away makes it unready, never dead."""

from __future__ import annotations

import pytest

from connectors.runner.health.sink import STILL_S, SinkHealth, SinkTold
from streams.runtime import clock
from streams.runtime.metrics import Metrics

pytestmark = pytest.mark.urs("M4.4")


def well(health: SinkHealth) -> tuple[bool, bool, bool]:
    report = SinkTold("erp-hold", "1", health).report()
    return report["started"], report["live"], report["ready"]


def why(health: SinkHealth) -> str:
    return " ".join(SinkTold("erp-hold", "1", health).report()["reasons"]["ready"])


def test_probes_follow_the_loop() -> None:
    health = SinkHealth(detail="waits for the broker")
    assert well(health) == (False, True, False)
    assert "broker" in why(health)
    health.turned(assigned=0)
    assert well(health) == (True, True, False)
    assert "no partition" in why(health)
    health.turned(assigned=3, running=1)
    assert well(health) == (True, True, True)
    health.waits("the ERP answers 503")
    assert well(health) == (True, True, False)
    assert "503" in why(health)
    health.turned(assigned=3, running=1)
    assert "503" in why(health), "the command still waits"
    health.committed(records=2, dead=1)
    assert well(health) == (True, True, True)
    health.state = "ended"
    assert well(health)[1:] == (False, False)


def test_a_loop_that_no_longer_turns_is_dead_unless_it_says_that_it_waits() -> None:
    health = SinkHealth()
    health.turned(assigned=1)
    health.seen_ms = clock.now_ms() - int(STILL_S * 1000) - 1_000
    assert well(health)[1] is False
    health.waits("the ERP is away")
    assert well(health)[1] is True


def test_what_waits_for_a_partition_that_left_is_forgotten() -> None:
    health = SinkHealth()
    health.waits("the ERP is away")
    health.turned(assigned=0, running=0)
    assert health.state == "reading"


def test_meters_are_in_prometheus_form() -> None:
    health = SinkHealth()
    health.turned(assigned=3, running=2)
    health.committed(records=5, dead=1)
    told = SinkTold("erp-hold", "1", health)
    lines = Metrics("lotgate-erp-hold", "0", told.meters, told.readings).text().decode()
    for line in (
        'lotgate_sink_records_total{interface="erp-hold"} 5.0',
        'lotgate_sink_dead_letters_total{interface="erp-hold"} 1.0',
        'lotgate_sink_partitions{interface="erp-hold"} 3.0',
        'lotgate_sink_running{interface="erp-hold"} 2.0',
        'lotgate_sink_state{interface="erp-hold",state="reading"} 1.0',
    ):
        assert line in lines.splitlines()
    declared = {meter.name for meter in told.meters}
    assert {each.meter for each in told.readings()} == declared
