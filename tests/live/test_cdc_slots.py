"""Slots and servers in doubt: each is a named refusal with a way out, or is come through."""

from __future__ import annotations

import subprocess
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from localstack.parts import postgres
from psycopg.conninfo import make_conninfo

from connectors.runner.source_position import forget_position
from connectors.runner.source_topics import SourceTopics
from connectors.sources.postgres.database.catalog import Catalog
from streams.engine import arm
from streams.errors import LotgateError, Misconfigured, Transient
from tests.live.own_database import Servers, own_servers
from tests.live.silent_proxy import proxied
from tests.live.test_cdc_support import Rig, drop_rig, make_rig, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localstack import Addresses

pytestmark = [pytest.mark.urs("M4.4"), pytest.mark.timeout(180)]

SCHEMA = (
    "create table item(id int primary key, v text)",
    "insert into item values (1, 'one')",
    "create publication lotgate for table item",
)
OWN = {"max_slot_wal_keep_size": "1MB", "fsync": "off"}


@pytest.fixture
def rig(database: Addresses, broker: str, registry: str) -> Iterator[Rig]:
    rig = make_rig(database.admin_dsn, broker, registry, *SCHEMA)
    yield rig
    drop_rig(rig, database.admin_dsn)


@pytest.fixture
def servers(parts_cache: Path) -> Iterator[Servers]:
    with own_servers(parts_cache, OWN) as servers:
        yield servers


def _once(rig: Rig, rows: int = 0, **more: Any) -> None:
    with rig.running(**more) as running:
        until(
            lambda: (
                (running.health.state == "reading" and running.health.rows >= rows)
                or running.failure
            ),
            "the start",
        )
        assert running.failure is None


def _stop(rig: Rig, **more: Any) -> LotgateError:
    with rig.running(**more) as running:
        failure = running.ended()
    assert isinstance(failure, Misconfigured), failure
    assert failure.kept
    assert failure.advice
    return failure


def _ids(rig: Rig) -> list[int]:
    found = (rig.decoded(record.value) for record in rig.table("item"))
    return sorted(value["after"]["id"] for value in found if value is not None)


def test_a_slot_that_lost_its_log_is_refused_and_a_new_snapshot_fills_the_gap(
    servers: Servers, broker: str, registry: str
) -> None:
    rig = make_rig(servers.dsn("database"), broker, registry, *SCHEMA)
    _once(rig, 1)
    for number in range(2, 8):
        rig.sql(f"insert into item values ({number}, 'late')", "select pg_switch_wal()")
    rig.sql("checkpoint")
    lost = f"select wal_status from pg_replication_slots where slot_name = '{rig.name}'"
    until(lambda: rig.rows(lost) == [("lost",)], "the slot to lose its log")
    failure = _stop(rig)
    assert failure.code == "slot_lost"
    assert "max_slot_wal_keep_size" in failure.advice
    assert f"pg_drop_replication_slot('{rig.name}')" in failure.advice
    rig.sql(f"select pg_drop_replication_slot('{rig.name}')")
    topics = SourceTopics(rig.config(), rig.connection, rig.registry)
    assert forget_position(rig.connection, topics, rig.config()) is not None
    _once(rig, 7)
    assert set(_ids(rig)) == set(range(1, 8))
    rig.end()


def test_a_slot_made_again_by_someone_else_is_named_with_what_it_is(rig: Rig) -> None:
    _once(rig)
    rig.sql(
        f"select pg_drop_replication_slot('{rig.name}')",
        f"select pg_create_physical_replication_slot('{rig.name}')",
    )
    failure = _stop(rig)
    assert failure.code == "slot_foreign"
    assert "physical, plugin none" in failure.message


def test_a_slot_that_someone_else_reads_is_waited_for_and_then_refused(rig: Rig) -> None:
    _once(rig)
    reader = subprocess.Popen(
        [
            str(postgres.install() / "pg_recvlogical"),
            *("--start", "-S", rig.name, "-f", "/dev/null", "-n", "-d", make_conninfo(rig.dsn)),
            *("-o", "proto_version=1", "-o", "publication_names=lotgate"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        active = f"select active_pid from pg_replication_slots where slot_name = '{rig.name}'"
        ((pid,),) = until(lambda: [row for row in rig.rows(active) if row[0]], "the reader")
        failure = _stop(rig, slot_wait_s=1.0)
        assert failure.code == "slot_in_use"
        assert f"process {pid}" in failure.message
        assert "pg_recvlogical" in failure.message
    finally:
        reader.terminate()
        reader.wait(10)


def test_a_connection_string_that_makes_no_sense_is_refused_at_once(rig: Rig) -> None:
    failure = _stop(rig, dsn=make_conninfo(rig.dsn) + " sslmode=maybe")
    assert failure.code == "source_dsn"
    assert "sslmode" in failure.message
    failure = _stop(rig, dsn=make_conninfo(rig.dsn, sslmode="require"))
    assert failure.code == "source_refused"
    assert "SSL" in failure.message


def test_nothing_is_confirmed_before_it_is_stored_while_other_databases_write(
    rig: Rig, database: Addresses
) -> None:
    """The server has sent far more than what is stored; its keepalives are no confirmation."""
    confirmed = (
        "select confirmed_flush_lsn - '0/0'::pg_lsn from pg_replication_slots "
        f"where slot_name = '{rig.name}'"
    )
    with rig.running(idle_store_s=0.1) as running:
        until(lambda: running.health.state == "reading", "the start")
        commits = running.health.commits
        arm("before_commit:1~3")
        try:
            before = rig.rows("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")[0][0]
            rig.sql("insert into item values (2, 'held')")
            behind = rig.rows("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")[0][0]
            with psycopg.connect(database.admin_dsn, autocommit=True) as elsewhere:
                elsewhere.execute("create table if not exists noise(v text)")
                elsewhere.execute(
                    "insert into noise select repeat('x', 90) from generate_series(1, 9999)"
                )
                elsewhere.execute("drop table noise")
            deadline = time.monotonic() + 2.0
            while time.monotonic() < deadline and running.health.commits == commits:
                assert rig.rows(confirmed)[0][0] <= before
                time.sleep(0.05)
        finally:
            arm("")
        until(lambda: rig.rows(confirmed)[0][0] > behind + 500_000, "the slot to follow")
        assert rig.position()["lsn"] >= rig.rows(confirmed)[0][0]
    assert _ids(rig) == [1, 2]


def test_a_server_that_says_nothing_any_more_is_connected_to_again(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.sql(f"alter database {rig.name} set wal_sender_timeout = '1s'")
    with proxied(rig.dsn) as (proxy, dsn), rig.running(dsn=dsn, check_s=3600) as running:
        until(lambda: running.health.state == "reading", "the start")
        proxy.go_silent()
        rig.sql("insert into item values (2, 'unheard')")
        until(lambda: "has been silent for" in caplog.text, "the silence to be noticed")
        until(lambda: running.health.rows >= 2, "the row")
        assert running.failure is None
    assert _ids(rig) == [1, 2]


def test_a_server_that_says_nothing_to_a_question_is_connected_to_again(rig: Rig) -> None:
    rig.sql(f"alter database {rig.name} set wal_sender_timeout = '1s'")
    with proxied(rig.dsn) as (proxy, dsn), closing(Catalog(dsn)) as catalog:
        catalog.patience_s = 0.5
        assert catalog.value("select 1 as one") == 1
        proxy.go_silent()
        with pytest.raises(Transient, match=r"has been silent for 0\.5 s"):
            catalog.value("select 1 as one")
    with proxied(rig.dsn) as (proxy, dsn), rig.running(dsn=dsn, check_s=0.1) as running:
        until(lambda: running.health.state == "reading", "the start")
        rig.sql("select pg_terminate_backend(pid) from pg_stat_replication")
        proxy.go_silent()
        rig.sql("insert into item values (2, 'unheard')")
        until(lambda: running.health.rows >= 2, "the row")
        assert running.failure is None
    assert _ids(rig) == [1, 2]
