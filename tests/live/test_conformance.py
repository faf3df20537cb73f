"""The source's records against Debezium's own, and every type of the server against the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.oracle import AVRO, DEBEZIUM, DEFAULT, HERE, JSON, load
from tests.conformance.run import run
from tests.conformance.stage import Parts

if TYPE_CHECKING:
    from localstack import Addresses

pytestmark = pytest.mark.urs("M3.1", "M5.6")


@pytest.fixture(scope="module")
def parts(database: Addresses, broker: str, registry: str) -> Parts:
    return Parts(database.admin_dsn, broker, registry)


def test_records_schemas_and_topics_equal_debeziums(parts: Parts) -> None:
    oracle = load(DEBEZIUM)
    report = run(parts, oracle, (AVRO, JSON))
    assert not report.failed, "\n".join(report.lines())
    recorded = [case for case in oracle.cases if case.expected is not None]
    assert len(report.compared) > 2 * len(recorded) > 100
    assert len(report.alone) == 2 * (len(oracle.cases) - len(recorded))


def test_every_type_adds_up_to_what_the_server_selects(parts: Parts) -> None:
    report = run(parts, load(HERE / "own"), (AVRO, DEFAULT))
    assert not report.failed, "\n".join(report.lines())
    assert len(report.alone) > 70
    assert report.rows > 500
