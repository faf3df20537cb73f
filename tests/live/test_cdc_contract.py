"""What readers are promised: shapes with a history, and refused schemas that cost one table."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from click.testing import CliRunner

from connectors.cdc.shapes import shapes
from connectors.runner.contract.history import Version
from streams.operator.answers.decoding import shown
from tests.live.test_cdc_support import Rig, drop_rig, make_rig, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result
    from localstack import Addresses, Stack

pytestmark = pytest.mark.urs("M4.5", "M5.6")

SCHEMA = (
    "create table item(id int primary key, v text, n numeric(10,2))",
    "create table other(id int primary key, v text)",
    "insert into item values (1, 'one', 1.25)",
    "create publication lotgate for table item, other",
)


@pytest.fixture
def rig(database: Addresses, broker: str, registry: str) -> Iterator[Rig]:
    rig = make_rig(database.admin_dsn, broker, registry, *SCHEMA)
    yield rig
    drop_rig(rig, database.admin_dsn)


def _versions(rig: Rig) -> list[Version]:
    contents = [json.loads(record.value or b"{}") for record in rig.records("lotgate-cdc-history")]
    return [Version.of(content) for content in contents if "shape" in content]


def _told(rig: Rig) -> list[dict[str, Any]]:
    return [rig.decoded(record.value) for record in rig.records("cdc.erp.schema-changes")]


def _items(rig: Rig) -> list[dict[str, Any]]:
    """Rows of the table's topic in the order of the source."""
    found = [rig.decoded(record.value) for record in rig.table("item") if record.value]
    return sorted(found, key=_order)


def _order(row: dict[str, Any]) -> tuple[int, ...]:
    places = [int(place or 0) for place in json.loads(row["source"]["sequence"] or "[]")]
    return (*places, (row["transaction"] or {}).get("total_order", 0))


def _permit(rig: Rig, table: str = "item") -> None:
    """Do what the log advises: let the table's subject take the schema."""
    for part in ("key", "value"):
        subject = f"{rig.name}.cdc.erp.public.{table}-{part}"
        answer = httpx.put(f"{rig.registry_url}/config/{subject}", json={"compatibility": "NONE"})
        assert answer.status_code == 200


def test_each_shape_is_told_of_and_kept_also_what_changed_while_the_source_was_down(
    rig: Rig,
) -> None:
    with rig.running() as running:
        until(lambda: running.health.state == "reading", "the start")
        rig.sql(
            "begin; insert into item values (2, 'two', 2); alter table item add column w int;"
            "insert into item values (3, 'three', 3, 3); commit",
        )
        until(lambda: running.health.rows >= 3, "the rows")
    rig.sql(
        "alter table item rename column w to weight",
        "insert into item values (4, 'four', 4, 4)",
        "alter table item drop column v",
        "insert into item values (5, 5, 5)",
    )
    with rig.running() as running:
        until(lambda: running.health.rows >= 2, "the rows after")
    with rig.running() as running:
        until(lambda: running.health.state == "reading", "another start")
    told = _told(rig)
    assert [(each["version"], each["status"], each["summary"]) for each in told] == [
        (1, "accepted", "public.item is seen for the first time"),
        (2, "accepted", "public.item: column w integer was added"),
        (3, "accepted", "public.item: column w was renamed to weight"),
        (4, "accepted", "public.item: column v text was dropped"),
    ]
    assert told[1]["changes"] == [
        {"kind": "column_added", "column": "w", "was": "", "now": "integer"}
    ]
    assert told[1]["columns"][2] == {"name": "n", "type": "numeric(10,2)", "key": False}
    first = {record.header("event_id"): record for record in rig.table("item")}
    rows = [rig.decoded(first[each["first_event"].encode()].value)["after"] for each in told]
    assert [row["id"] for row in rows] == [1, 3, 4, 5]
    versions = _versions(rig)
    assert [each.number for each in versions] == [1, 2, 3, 4]
    assert [each.first_event for each in versions] == [each["first_event"] for each in told]
    assert versions[3].shape.columns[0].key
    assert (versions[3].shape.columns[1].oid, versions[3].shape.columns[1].type) == (
        1700,
        "numeric(10,2)",
    )
    answer = httpx.get(f"{rig.registry_url}/config/{rig.name}.cdc.erp.public.item-value")
    assert answer.json()["compatibilityLevel"] == "FULL_TRANSITIVE"


@pytest.mark.parametrize(
    "change",
    ["alter column v type int using id", "alter column n type numeric(12,3)"],
    ids=["type", "scale"],
)
def test_a_refused_schema_parks_its_table_and_no_other(rig: Rig, change: str) -> None:
    with rig.running() as running:
        until(lambda: running.health.state == "reading", "the start")
        rig.sql(
            f"alter table item {change}",
            "begin; insert into item(id, n) values (2, 2); insert into other values (1, 'a');"
            "update item set id = 20 where id = 2; commit",
            "delete from item where id = 20",
            "insert into item(id, n) values (3, 3)",
            "truncate item",
            "insert into item(id, n) values (4, 4)",
            "insert into other values (2, 'b')",
        )
        until(lambda: len(rig.table("other")) == 2, "the other table")
        until(lambda: running.health.rows >= 9, "all rows")
        assert "public.item waits with" in running.health.detail
        assert len(_items(rig)) == 1
        assert _told(rig)[-1]["status"] == "parked"
        assert _told(rig)[-1]["reason"]
        seen = _shapes(rig)
        assert seen.exit_code == 4, seen.output
        assert "public.item  version 2: the type of" in seen.output
        assert re.search("public.item waits since .*\n  [89] records", seen.output), seen.output
        _permit(rig)
        until(lambda: _told(rig)[-1]["status"] == "resumed", "the table to flow")
        rig.sql("insert into item(id, n) values (5, 5)")
        until(lambda: running.health.rows >= 10, "the row after")
        assert running.health.detail == ""
    assert _shapes(rig).exit_code == 0
    _same_as_never_parked(rig)


def _shapes(rig: Rig) -> Result:
    """What an operator sees."""
    environment = {
        "LOTGATE_BOOTSTRAP": rig.bootstrap,
        "LOTGATE_REGISTRY_URL": rig.registry_url,
        "LOTGATE_PREFIX": rig.name,
        "LOTGATE_SOURCE_DSN": rig.dsn,
        "LOTGATE_SOURCE_SITE": "P1",
    }
    return CliRunner().invoke(shapes, ["erp-cdc", "--table", "public.item"], env=environment)


def _same_as_never_parked(rig: Rig) -> None:
    records = rig.table("item")
    rows = _items(rig)
    told = [(row["op"], (row["after"] or row["before"] or {}).get("id")) for row in rows]
    # A truncate has one copy in each of the two partitions.
    assert told == [
        ("r", 1), ("c", 2), ("d", 2), ("c", 20), ("d", 20), ("c", 3), ("t", None), ("t", None),
        ("c", 4), ("c", 5),
    ]  # fmt: skip
    moved = [rig.decoded(each.header("__debezium.oldkey")) for each in records]
    assert [each for each in moved if each] == [{"id": 2}]
    moved = [rig.decoded(each.header("__debezium.newkey")) for each in records]
    assert [each for each in moved if each] == [{"id": 20}]
    assert {rig.decoded(each.key)["id"] for each in records if each.key} == {1, 2, 20, 3, 4, 5}
    ids = [each.header("event_id") for each in records if each.value and each.key]
    assert len(ids) == len(set(ids)) == 8
    assert [row["transaction"]["total_order"] for row in rows[1:4]] == [1, 3, 4]
    assert not [name for each in records for name, _ in each.headers if "parked" in name]


@pytest.mark.urs("M3.3")
def test_what_is_parked_outlives_kills_and_is_given_back_once(rig: Rig) -> None:
    with rig.running() as running:
        until(lambda: running.health.state == "reading", "the start")
        rig.sql("alter table item alter column v type int using id")
    writes = [f"insert into item select g, g, g from generate_series({n}, {n + 99}) g"
              for n in range(100, 1300, 100)]  # fmt: skip
    rig.sql(*writes[:4], "insert into other values (1, 'a')")
    process = rig.die(["before_commit:1", "after_commit:1", "after_confirm:1"])
    assert process.wait(60) == 0
    rig.sql(*writes[4:8])
    with rig.running() as running:
        until(lambda: running.health.rows >= 400, "rows to park")
        assert "public.item waits" in running.health.detail
    _permit(rig)
    process = rig.die(["in_drain:1", "after_drain:1"])
    assert process.wait(60) == 0
    rig.sql(*writes[8:])
    with rig.running() as running:
        until(lambda: len(rig.table("item")) >= 1201, "all rows")
        assert running.failure is None
    found = [rig.decoded(record.value)["after"] for record in rig.table("item")]
    assert sorted(row["id"] for row in found) == [1, *range(100, 1300)]
    ids = [record.header("event_id") for record in rig.table("item")]
    assert len(set(ids)) == len(ids)
    by_partition: dict[int, list[int]] = {}
    for record in rig.table("item"):
        after = rig.decoded(record.value)["after"]
        by_partition.setdefault(record.partition, []).append(after["id"])
    assert all(ids == sorted(ids) for ids in by_partition.values())
    assert [each["status"] for each in _told(rig) if each["table"] == "public.item"] == [
        "accepted", "parked", "resumed",
    ]  # fmt: skip


def test_a_full_parking_topic_stops_the_source_by_name(rig: Rig) -> None:
    rig.sql("create table wide(id int primary key)", "alter publication lotgate add table wide")
    with rig.running(parked_records=5) as running:
        until(lambda: running.health.state == "reading", "the start")
        rig.sql(
            "alter table item alter column v type int using id",
            *(f"insert into item values ({n}, {n}, {n})" for n in range(10, 20)),
        )
        failure = running.ended()
    assert getattr(failure, "code", "") == "parking_full"
    assert "public.item" in str(failure)
    _permit(rig)
    with rig.running() as running:
        until(lambda: len(rig.table("item")) == 11, "the rows")


@pytest.mark.urs("M3.3")
@pytest.mark.parametrize("translator", ["", "tryton"], ids=["generated", "translated"])
def test_a_bad_row_is_one_letter_that_can_be_read(rig: Rig, translator: str) -> None:
    rig.sql(
        "create table odd(id numeric primary key, v text, w uuid, x text)",
        "insert into odd values ('NaN', 'read', null)",
        "alter publication lotgate add table odd",
    )
    with rig.running(translator=translator) as running:
        until(lambda: running.health.state == "reading", "the start")
        rig.sql(
            "begin; insert into odd values (1, 'one');"
            "insert into odd values ('Infinity', 'two', gen_random_uuid()); commit",
            "update odd set v = 'three' where id = 'NaN'",
            "insert into item values (2, repeat('ä', 1500000), 7)",
            "insert into odd values (2, 'four')",
        )
        until(lambda: running.health.rows >= 7, "the rows")
        assert running.failure is None
    found = [rig.decoded(record.value)["after"]["v"] for record in rig.table("odd")]
    assert sorted(found) == ["four", "one"]
    letters = rig.records("dlq.lotgate-erp")
    story = [
        (
            (letter.header("lotgate-dlq-code") or b"").decode(),
            json.loads(letter.header("lotgate-dlq-row") or b"{}"),
        )
        for letter in letters
    ]
    assert [code for code, _ in story] == [*["undecodable_row"] * 3, "row_too_large"]
    assert story[0][1] == {"new": {"id": "NaN", "v": "read", "w": None, "x": None}}
    assert story[1][1]["new"]["id"] == "Infinity"
    assert story[1][1]["new"]["v"] == "two"
    assert len(story[1][1]["new"]["w"]) == 36
    assert story[1][1]["new"]["x"] is None
    assert story[2][1]["new"]["v"] == "three"
    assert story[3][1]["new"]["v"].endswith("… (3,000,000 bytes)")
    shape = json.loads(letters[1].header("lotgate-dlq-shape") or b"")
    assert [column["type"] for column in shape["columns"]] == ["numeric", "text", "uuid", "text"]
    assert shape["table"] == "public.odd"
    assert (letters[3].value or b"").startswith(b"I")
    text = shown(letters[1], rig.codec.decode_any).text()
    assert "new.id = Infinity" in text
    assert "lotgate-dlq-shape" not in text


@pytest.mark.urs("M3.3")
def test_a_registry_that_is_away_stops_only_the_table_that_waits_for_it(
    rig: Rig, stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    with rig.running() as running:
        until(lambda: running.health.state == "reading", "the start")
        rig.sql(
            "insert into other values (1, 'a')",
            "alter table item alter column v type int using id",
            "insert into item values (2, 2, 2)",
        )
        until(lambda: running.health.rows >= 3, "the parked row")
        stack.kill("registry", signal.SIGKILL)
        try:
            until(lambda: "registry cannot be asked" in caplog.text, "a question to the registry")
            rig.sql("insert into other values (2, 'b')")
            until(lambda: len(rig.table("other")) == 2, "the other table")
            assert running.health.state == "reading"
        finally:
            stack.start("registry")
        _permit(rig)
        until(lambda: len(rig.table("item")) == 2, "the table to flow")
        assert running.failure is None
