"""A customer's limit changes in a large table: one event, and judgements on both sides of it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streams.app import schemas_of, topics_of
from streams.contracts.topics import CUSTOMER_SPECS
from streams.engine import high_watermark, provision
from streams.errors import Transient
from streams.model.specification import Fit, Measurement
from streams.rules.specification import judge
from tests.live.test_cdc_support import Rig, drop_rig, make_rig, until
from tests.live.translation_job import app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack import Addresses

    from streams.model.facts import CustomerSpec

pytestmark = pytest.mark.urs("M5.6")

ROOT = Path(__file__).parents[2]
SPECS, LIMITS_EACH = 2_000, 50
SCHEMA = f"""
create table customer_spec(
    id int primary key, customer_code text, product_code text, revision text, state text,
    sampling_plan text, effective_from timestamptz, effective_to timestamptz, internal_note text);
create table customer_spec_limit(
    id int primary key, spec_id int, characteristic text, lower_limit numeric(12,4),
    upper_limit numeric(12,4), unit text, margin numeric);
insert into customer_spec
    select g, 'C-' || g % 100, 'FG-' || g, 'A', 'approved', 'AQL 1.0', '2026-01-01 00:00+00',
           null, 'not for others'
    from generate_series(1, {SPECS}) g;
insert into customer_spec_limit
    select g, (g - 1) / {LIMITS_EACH} + 1, 'c' || (g - 1) % {LIMITS_EACH}, 1, 20, 'mm', 0.5
    from generate_series(1, {SPECS * LIMITS_EACH}) g;
create publication lotgate for table
    customer_spec (id, customer_code, product_code, revision, state, sampling_plan,
                   effective_from, effective_to),
    customer_spec_limit (id, spec_id, characteristic, lower_limit, upper_limit, unit);
"""


@pytest.fixture
def rig(database: Addresses, broker: str, registry: str) -> Iterator[Rig]:
    rig = make_rig(database.admin_dsn, broker, registry, SCHEMA)
    yield rig
    drop_rig(rig, database.admin_dsn)


@pytest.fixture
def worker(rig: Rig, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker with the translation alone, on the rig's topics."""
    rig.codec.prepare(schemas_of(app), register=True)
    provision(rig.connection, topics_of(app, rig.connection))
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("LOTGATE_")},
        "LOTGATE_BOOTSTRAP": rig.bootstrap,
        "LOTGATE_REGISTRY_URL": rig.registry_url,
        "LOTGATE_PREFIX": rig.name,
        "LOTGATE_GROUP": rig.connection.group,
        "LOTGATE_REPLICATION_FACTOR": "1",
        "LOTGATE_MIN_INSYNC": "1",
        "LOTGATE_DATA_DIR": str(tmp_path / "data"),
        "LOTGATE_INSTANCE_ID": "a",
    }
    command = [
        str(Path(sys.executable).with_name("lotgate")),
        "worker",
        "--app",
        "tests.live.translation_job:app",
    ]
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    yield process
    process.kill()
    process.wait(10)


def _specs(rig: Rig) -> list[CustomerSpec]:
    return [
        rig.codec.decode(CUSTOMER_SPECS, record.value or b"")
        for record in rig.records(CUSTOMER_SPECS.name)
    ]


def _events(rig: Rig) -> int:
    """An upper bound of the events there are: transaction marks count too."""
    name = CUSTOMER_SPECS.full_name(rig.name, rig.connection.group)
    try:
        return sum(
            high_watermark(rig.connection, name, number)
            for number in range(CUSTOMER_SPECS.partitions)
        )
    except Transient:
        return 0


def _measured(value: str, at: datetime) -> Measurement:
    return Measurement("c6", Decimal(value), at, "mm")


def test_one_changed_limit_of_a_hundred_thousand_is_one_event_with_its_effectivity(
    rig: Rig, worker: subprocess.Popen[bytes]
) -> None:
    assert rig.rows("select count(*) from customer_spec_limit") == [(100_000,)]
    with rig.running(source="crm", translator="crm") as running:
        until(lambda: _events(rig) >= SPECS and len(_specs(rig)) == SPECS, "the snapshot", 60)
        rig.sql(
            "begin; update customer_spec_limit set upper_limit = 15 where id = 36 * 50 + 7;"
            "update customer_spec set revision = 'B', effective_from = '2026-07-01 00:00+00' "
            "where id = 37; commit",
            # What is not published, and what does not change a value, is no news.
            "update customer_spec_limit set margin = 1 where spec_id = 38",
            "update customer_spec_limit set upper_limit = 20.0 where spec_id = 39",
            "update customer_spec_limit set upper_limit = 16 where id = 39 * 50 + 7",
        )
        until(lambda: len(_specs(rig)) >= SPECS + 2, "the last change", 20)
        assert running.failure is None
        assert worker.poll() is None
    specs = _specs(rig)
    assert len(specs) == SPECS + 2
    changed = [spec for spec in specs if spec.spec_id == "37"]
    assert [(spec.revision, spec.envelope.subject_version) for spec in changed] == [
        ("A", 1), ("B", 2),
    ]  # fmt: skip
    assert changed[1].effective_from == datetime(2026, 7, 1, tzinfo=UTC)
    assert {len(spec.limits) for spec in changed} == {LIMITS_EACH}
    before, after = datetime(2026, 6, 30, tzinfo=UTC), datetime(2026, 7, 2, tzinfo=UTC)
    assert judge(changed, _measured("18", before)).fit == Fit.WITHIN
    assert judge(changed, _measured("18", after)).fit == Fit.ABOVE
    assert judge(changed, _measured("18", after)).event_id == changed[1].envelope.event_id
    undated = [spec for spec in specs if spec.spec_id == "40"]
    assert undated[1].effective_from == undated[1].envelope.recorded_at
    assert judge(undated, _measured("18", after.replace(year=2026, month=8))).version == 1
