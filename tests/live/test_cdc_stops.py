"""What stops a source, what only makes it wait, and what costs one row."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from connectors.runner.source_position import forget_position
from connectors.runner.source_topics import SourceTopics
from streams.engine import Transaction
from streams.errors import LotgateError, Misconfigured
from tests.live.test_cdc_support import Rig, drop_rig, make_rig, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack import Addresses, Stack

pytestmark = pytest.mark.urs("M5.6")

SCHEMA = (
    "create table item(id int primary key, v text)",
    "create table other(id numeric primary key, v text)",
    "insert into item values (1, 'one')",
    "create publication lotgate for table item, other",
)


@pytest.fixture
def rig(database: Addresses, broker: str, registry: str) -> Iterator[Rig]:
    rig = make_rig(database.admin_dsn, broker, registry, *SCHEMA)
    yield rig
    drop_rig(rig, database.admin_dsn)


def _once(rig: Rig, **more: Any) -> None:
    """Run a source until it has read everything there is, and end it."""
    with rig.running(**more) as running:
        until(lambda: running.health.state in ("reading", "ended"), "the start")
        assert running.failure is None


def _stop(rig: Rig, **more: Any) -> LotgateError:
    with rig.running(**more) as running:
        failure = running.ended()
    assert isinstance(failure, Misconfigured), failure
    assert failure.advice
    return failure


def _store(rig: Rig, **changes: Any) -> None:
    """Write a stored position that differs from the true one."""
    position = rig.position() | changes
    with Transaction(rig.connection, "forger") as transaction:
        transaction.begin()
        value = json.dumps(position).encode()
        topic = f"{rig.name}.lotgate-cdc-offsets"
        transaction.produce(topic, b"erp", value, partition=0)
        transaction.commit()


def test_a_dropped_slot_and_a_slot_of_someone_else_are_named(rig: Rig) -> None:
    _once(rig)
    rig.sql(f"select pg_drop_replication_slot('{rig.name}')")
    assert _stop(rig).code == "slot_missing"
    rig.sql(
        f"select pg_create_logical_replication_slot('{rig.name}', 'pgoutput')",
        "insert into item values (7, 'lost')",
    )
    rig.sql(f"select pg_replication_slot_advance('{rig.name}', pg_current_wal_lsn())")
    failure = _stop(rig)
    assert failure.code == "slot_ahead"
    assert f"pg_drop_replication_slot('{rig.name}')" in failure.advice
    rig.sql(f"select pg_drop_replication_slot('{rig.name}')")
    topics = SourceTopics(rig.config(), rig.connection, rig.registry)
    assert forget_position(rig.connection, topics, rig.config()) is not None
    _once(rig)
    assert [each.changes[-1].after for each in rig.transactions()][-1] == {"id": 7, "v": "lost"}


def test_a_slot_without_a_position_is_not_touched(rig: Rig) -> None:
    rig.sql(f"select pg_create_logical_replication_slot('{rig.name}', 'pgoutput')")
    assert _stop(rig).code == "slot_without_position"
    assert rig.rows(f"select 1 from pg_replication_slots where slot_name = '{rig.name}'")
    assert rig.table("item") == []


def test_another_server_or_one_that_lost_its_end_is_named(rig: Rig) -> None:
    _once(rig)
    true = rig.position()
    _store(rig, system_id="1234")
    assert _stop(rig).code == "system_changed"
    _store(rig, **true | {"lsn": true["lsn"] + (1 << 40)})
    assert _stop(rig).code == "server_behind"
    _store(rig, **true)
    _once(rig)


def test_missing_things_are_named_with_their_sql(rig: Rig) -> None:
    failure = _stop(rig, publication="none", tables=("public.item",))
    assert 'CREATE PUBLICATION "none" FOR TABLE "public"."item" WITH' in failure.message
    failure = _stop(rig, tables=("public.item", "public.gone"))
    assert 'ALTER PUBLICATION "lotgate" ADD TABLE "public"."gone";' in failure.message
    rig.sql("create table bare(v text)", "alter publication lotgate add table bare")
    failure = _stop(rig)
    assert 'ALTER TABLE "public"."bare" REPLICA IDENTITY FULL;' in failure.message
    rig.sql(
        "alter table bare replica identity full",
        "alter table item enable row level security",
        "alter publication lotgate set (publish = 'insert')",
    )
    assert "SET (publish = 'insert, update, delete, truncate');" in _stop(rig).message
    rig.sql("alter publication lotgate set (publish = 'insert, update, delete, truncate')")
    reader = f"{rig.name}_reader"
    rig.sql(f"create role {reader} login password 'secret'")
    try:
        dsn = make_conninfo(rig.dsn, user=reader, password="secret", passfile="/dev/null")
        failure = _stop(rig, dsn=dsn)
        assert f'ALTER ROLE "{reader}" REPLICATION;' in failure.message
        assert f'GRANT SELECT ON "public"."item" TO "{reader}";' in failure.message
        assert f'ALTER ROLE "{reader}" BYPASSRLS;' in failure.message
        assert "secret" not in str(failure)
        failure = _stop(rig, dsn=dsn.replace("secret", "wrong"))
        assert failure.code == "source_refused"
        assert "wrong" not in str(failure)
    finally:
        rig.sql(f"drop role {reader}")


def test_a_table_that_leaves_the_publication_stops_the_source(rig: Rig) -> None:
    with rig.running(tables=("public.item",), check_s=0.3) as running:
        until(lambda: running.health.state == "reading", "the start")
        rig.sql("alter publication lotgate drop table item")
        failure = running.ended()
    assert isinstance(failure, Misconfigured)
    assert "lacks public.item" in failure.message


@pytest.mark.urs("M4.4")
def test_two_sources_may_not_share_a_partition_of_positions(rig: Rig) -> None:
    _once(rig)
    assert _stop(rig, source="qms").code == "source_partition"
    assert _stop(rig, partition=400).code == "source_partition"


def test_an_idle_slot_follows_the_log_of_other_databases(rig: Rig, database: Addresses) -> None:
    confirmed = (
        "select confirmed_flush_lsn - '0/0'::pg_lsn from pg_replication_slots "
        f"where slot_name = '{rig.name}'"
    )
    with rig.running(idle_store_s=0.3) as running:
        until(lambda: running.health.state == "reading", "the start")
        before = rig.rows(confirmed)[0][0]
        with psycopg.connect(database.admin_dsn, autocommit=True) as elsewhere:
            elsewhere.execute("create table if not exists noise(v text)")
            elsewhere.execute(
                "insert into noise select repeat('x', 100) from generate_series(1,9999)"
            )
            elsewhere.execute("drop table noise")
        until(lambda: rig.rows(confirmed)[0][0] > before + 500_000, "the slot to follow")
        assert running.health.rows == 1
        reached = rig.rows(confirmed)[0][0]
        assert rig.position()["lsn"] >= reached


@pytest.mark.urs("M3.3")
def test_a_row_that_cannot_be_carried_costs_one_row(rig: Rig) -> None:
    with rig.running() as running:
        until(lambda: running.health.state == "reading", "the start")
        rig.sql(
            "begin; insert into item values (2, 'two');"
            "insert into item values (3, repeat('x', 3000000));"
            "insert into other values ('NaN', 'no number');"
            "insert into item values (4, 'four'); commit",
            "insert into item values (5, 'five')",
        )
        until(lambda: running.health.rows >= 6, "the rows")
    found = sorted(rig.decoded(record.value)["after"]["id"] for record in rig.table("item"))
    assert found == [1, 2, 4, 5]
    changes = [change for each in rig.transactions() for change in each.changes]
    assert [change.key.get("id") for change in changes] == [1, 2, 4, 5]
    assert [change.ordinal for change in changes] == [0, 0, 3, 0]
    large, number = rig.records("dlq.lotgate-erp")
    assert large.header("lotgate-dlq-code") == b"row_too_large"
    assert number.header("lotgate-dlq-code") == b"undecodable_row"
    assert number.value is not None
    assert number.value.startswith(b"I")
    assert b"NaN" in number.value
    assert b"no number" in number.value
    assert (number.key or b"").endswith(b":2")
    assert b"public.other" in (number.header("lotgate-dlq-topic") or b"")
    assert number.header("lotgate-dlq-message")
    assert number.header("lotgate-dlq-group") == b"lotgate-erp"


def test_unchanged_large_values_are_named_and_formless_ones_are_text(rig: Rig) -> None:
    rig.sql(
        "create table wide(id int primary key, n int, big text, d date)",
        "alter table wide alter big set storage external",
        "insert into wide values (1, 1, repeat('x', 5000), 'infinity')",
        "alter publication lotgate add table wide",
    )
    with rig.running() as running:
        until(lambda: running.health.state == "reading", "the start")
        rig.sql("update wide set n = 2")
        until(lambda: running.health.rows >= 3, "the update")
    first, second = (rig.decoded(record.value) for record in rig.table("wide"))
    assert first["unavailable"] is None
    assert first["texts"] == second["texts"] == {"after.d": "infinity"}
    assert first["after"]["d"] is None
    assert second["unavailable"] == ["big"]
    assert second["after"] == {"id": 1, "n": 2, "big": None, "d": None}
    last = rig.transactions()[-1].changes[0]
    assert last.unavailable == ("big",)
    assert last.after == {"id": 1, "n": 2, "d": "infinity"}


@pytest.mark.urs("M4.5")
def test_columns_may_come_and_go(rig: Rig) -> None:
    with rig.running() as running:
        until(lambda: running.health.state == "reading", "the start")
        rig.sql(
            "alter table item add column n int not null default 7",
            "insert into item values (2, 'two')",
            "alter table item drop column v",
            "insert into item values (3)",
        )
        until(lambda: running.health.rows >= 3, "the rows")
        assert running.failure is None
    found = [rig.decoded(record.value)["after"] for record in rig.table("item")]
    assert sorted(found, key=lambda row: row["id"]) == [
        {"id": 1, "v": "one"},
        {"id": 2, "v": "two", "n": 7},
        {"id": 3, "n": 7},
    ]


@pytest.mark.urs("M3.3")
def test_a_registry_that_is_away_makes_the_source_wait(rig: Rig) -> None:
    away = Rig(rig.dsn, rig.bootstrap, "http://127.0.0.1:9/apis/ccompat/v7", rig.name)
    with away.running() as running:
        until(lambda: "registry" in running.health.detail, "the wait")
        assert running.health.state == "waiting"
    away.registry.close()
    assert running.failure is None
    _once(rig)
    assert len(rig.table("item")) == 1


@pytest.mark.urs("M4.4")
def test_what_another_writer_has_open_in_a_table_s_topic_stays_its_own(rig: Rig) -> None:
    _once(rig)
    with Transaction(rig.connection, "other", timeout_ms=60_000) as other:
        other.begin()
        for partition in range(2):
            other.produce(f"{rig.name}.cdc.erp.public.item", b"x", b"y", partition=partition)
        other.flush()
        rig.sql("insert into item values (2, 'two')")
        with rig.running() as running:
            until(lambda: running.health.rows >= 1 or running.failure, "the row")
            assert running.failure is None
        other.abort()
    found = sorted(rig.decoded(record.value)["after"]["id"] for record in rig.table("item"))
    assert found == [1, 2]


@pytest.mark.urs("M3.3", "M4.4")
def test_a_broker_restart_in_the_middle_loses_and_doubles_nothing(rig: Rig, stack: Stack) -> None:
    with rig.running() as running:
        until(lambda: running.health.state == "reading", "the start")
        rig.sql(*(f"insert into item values ({n}, 'before')" for n in range(10, 20)))
        stack.kill("broker", signal.SIGKILL)
        stack.start("broker")
        rig.sql(*(f"insert into item values ({n}, 'after')" for n in range(20, 30)))
        until(lambda: running.health.rows >= 21 or running.failure, "the rows", 90)
        assert running.failure is None
    found = sorted(rig.decoded(record.value)["after"]["id"] for record in rig.table("item"))
    assert found == [1, *range(10, 30)]
