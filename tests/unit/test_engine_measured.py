"""The worker's meters: every one is told of a worker, started or not, and is declared."""

from __future__ import annotations

import pytest

from streams.engine.watch.measured import METERS, readings
from streams.engine.watch.report import report
from streams.runtime.metrics import Metrics

pytestmark = pytest.mark.urs("M4.4")

RUNNING = {
    "started": True,
    "live": True,
    "ready": False,
    "phase": "cycle",
    "assigned": ["plant.orders[0]", "plant.orders[1]"],
    "restoring": ["plant.orders[1]"],
    "lag": {"plant.orders[0]": 7},
    "parked_keys": 2,
    "fuses": {"plant.orders[0]": "too many"},
    "cycles": 3,
    "records": 40,
    "seconds_since_cycle": 1.5,
}


def test_a_running_workers_numbers_are_in_prometheus_form() -> None:
    text = Metrics("lotgate-worker", "w-0", METERS, lambda: readings(RUNNING)).text().decode()
    for line in (
        'lotgate_worker_lag{partition="0",topic="plant.orders"} 7.0',
        'lotgate_worker_well{probe="ready"} 0.0',
        'lotgate_worker_partitions{of="restoring"} 1.0',
        "lotgate_worker_records_total 40.0",
        "lotgate_worker_cycle_age_seconds 1.5",
        "lotgate_worker_fuses_tripped 1.0",
    ):
        assert line in text.splitlines()
    assert 'service_instance_id="w-0"' in text


def test_a_worker_that_has_not_begun_has_its_numbers_too() -> None:
    told = report(None, None, ends=False, build="1")
    values = {(each.meter, *each.labels.values()): each.value for each in readings(told)}
    assert values["lotgate.worker.well", "ready"] == 0.0
    assert values["lotgate.worker.records",] == 0.0


def test_what_is_read_is_declared() -> None:
    declared = {meter.name for meter in METERS}
    assert {each.meter for each in readings(RUNNING)} == declared
