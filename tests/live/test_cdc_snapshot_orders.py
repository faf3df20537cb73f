"""`lotgate cdc snapshot` on real parts: kill -9 in a snapshot, orders, and a lost slot mended."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner

from connectors.cdc.group import cdc
from connectors.runner.source_config import BatchLimits
from streams.errors import Misconfigured, Transient
from tests.live.snapshot_lab import FILL, SCHEMA, Writers, judged, table_of
from tests.live.test_cdc_support import Rig, drop_rig, make_rig, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack import Addresses

pytestmark = pytest.mark.urs("M4.4", "M5.6")

ROWS = 8_000
SMALL: dict[str, Any] = {
    "translator": "",
    "snapshot_rows": 1_000,
    "window_rows": 500,
    "idle_store_s": 0.5,
    "limits": BatchLimits(snapshot_rows=2_000),
}


@pytest.fixture
def rig(database: Addresses, broker: str, registry: str) -> Iterator[Rig]:
    rig = make_rig(database.admin_dsn, broker, registry, *SCHEMA, FILL.format(rows=ROWS))
    yield rig
    drop_rig(rig, database.admin_dsn)


def said(rig: Rig, *arguments: str) -> tuple[int, str]:
    """Run `lotgate cdc snapshot erp-cdc …`; exit code and what it printed."""
    environment = {
        "LOTGATE_BOOTSTRAP": rig.bootstrap,
        "LOTGATE_REGISTRY_URL": rig.registry_url,
        "LOTGATE_PREFIX": rig.name,
        "LOTGATE_REPLICATION_FACTOR": "1",
        "LOTGATE_MIN_INSYNC": "1",
        "LOTGATE_SOURCE_DSN": rig.dsn,
        "LOTGATE_SOURCE_SLOT": rig.name,
        "LOTGATE_SOURCE_SITE": "P1",
    }
    result = CliRunner(env=environment).invoke(cdc, ["snapshot", "erp-cdc", *arguments])
    if isinstance(result.exception, Misconfigured):
        raise result.exception
    return result.exit_code, result.output


def wrong(rig: Rig) -> dict[str, int]:
    """What is wrong with the topic; empty if it is the table."""
    values = []
    for record in rig.table("goods"):
        value = rig.decoded(record.value)
        if value is not None:
            if value["op"] == "d":
                # Of a row that vanished while the log was lost the key alone is known.
                value["before"] = value["before"] or rig.decoded(record.key)
            values.append(((record.header("event_id") or b"").decode(), value))
    found = judged(values, table_of(rig))
    return {name: count for name, count in found.items() if count and name not in COUNTED}


COUNTED = ("records", "reads")


def phase(rig: Rig) -> str:
    """What the source does; empty before it stored anything."""
    try:
        found = rig.records("lotgate-cdc-offsets")
    except Transient:
        return ""  # its topic was just made
    return str(rig.position().get("phase")) if found else ""


def carried(rig: Rig) -> bool:
    """All that is committed was carried, and nothing is left to read."""
    end = rig.rows("select pg_current_wal_lsn() - '0/0'::pg_lsn")[0][0]
    rig.sql("select pg_logical_emit_message(true, 'other', 'moves the log')")

    def done() -> bool:
        position = rig.position()
        return position.get("lsn", 0) >= end and not position.get("snapshot", {}).get("runs")

    return bool(until(done, "all carried", 60))


def marks(rig: Rig) -> list[str]:
    return [
        rig.decoded(record.value)["source"]["snapshot"]
        for record in rig.table("goods")
        if record.value is not None
    ]


def test_a_killed_snapshot_goes_on_and_orders_are_obeyed(rig: Rig) -> None:
    with Writers(rig, ROWS, count=2):
        limits = {"limits": asdict(SMALL["limits"])}
        deaths = rig.die(["in_snapshot:5", "after_commit:2", "after_commit:3"], **SMALL | limits)
        _, errors = deaths.communicate(timeout=90)
        assert deaths.returncode == 0, errors.decode()
        stored = rig.position()
        assert stored["snapshot"]["runs"][0]["rows"] > 0
        read = len(rig.table("goods"))
        assert read > 0
        with rig.running(**SMALL) as running:
            until(lambda: not rig.position().get("snapshot", {}).get("runs"), "the rest", 60)
            assert running.failure is None
            assert said(rig, "public.goods", "--where", "site = 'B'")[0] == 0
            until(lambda: rig.position().get("signals") == 1, "the order taken", 30)
            rig.sql(
                "select pg_logical_emit_message(true, 'lotgate.signal',"
                """ '{"type": "execute", "tables": ["public.goods"], "where": "site = ''C''"}')"""
            )
            running.stop()
    with rig.running(**SMALL):
        carried(rig)
        values = [rig.decoded(record.value) for record in rig.table("goods") if record.value]
        again = [each for each in values if each["source"]["snapshot"] == "incremental"]
        assert {each["after"]["site"] for each in again} == {"B", "C"}
        assert said(rig, "--status")[0] == 3
    assert wrong(rig) == {}


def test_a_paused_snapshot_waits_and_says_how_far_it_is(rig: Rig) -> None:
    with rig.running(**SMALL | {"window_rows": 50}):
        until(lambda: phase(rig) == "stream", "the stream", 60)
        assert said(rig, "--pause") == (0, "erp-cdc: pause\n")
        assert said(rig, "public.goods")[0] == 0
        until(lambda: rig.position().get("snapshot", {}).get("runs"), "the order", 30)
        code, text = said(rig, "--status", "--json")
        (found,) = json.loads(text)
        assert (code, found["paused"], found["rows"]) == (0, True, 0)
        assert "paused" in said(rig, "--status")[1]
        assert said(rig, "--stop") == (0, "erp-cdc: stop\n")
        carried(rig)
        assert "incremental" not in marks(rig)
    with pytest.raises(Misconfigured, match="not in publication"):
        said(rig, "public.unknown")


def test_a_lost_slot_is_mended_with_the_deletes_in_between(rig: Rig) -> None:
    with rig.running(**SMALL):
        until(lambda: phase(rig) == "stream", "the stream", 60)
        carried(rig)
    with psycopg.connect(rig.dsn, autocommit=True) as server:
        until(lambda: _dropped(server, rig.name), "the slot dropped")
    rig.sql(
        "delete from goods where id % 3 = 0",
        "update goods set n = nextval('version') where id % 7 = 0",
        "insert into goods values ('Q', 1, nextval('version'))",
    )
    with rig.running(**SMALL) as running:
        failure = running.ended(60)
        assert isinstance(failure, Misconfigured)
        assert failure.code == "slot_missing"
    assert said(rig, "--recover", "--yes")[0] == 0
    with rig.running(**SMALL):
        until(lambda: phase(rig) == "stream", "the stream", 60)
        rig.sql("update goods set n = nextval('version') where id % 11 = 0")
        carried(rig)
    assert wrong(rig) == {}


def _dropped(server: psycopg.Connection[Any], slot: str) -> bool:
    try:
        server.execute("select pg_drop_replication_slot(%s)", (slot,))
    except psycopg.errors.ObjectInUse:
        return False
    return True
