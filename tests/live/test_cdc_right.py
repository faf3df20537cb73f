"""Where Debezium loses a value we do not, unless we are told to do as it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fastavro
import pytest

from tests.conformance.oracle import AVRO, DEFAULT, Case, Oracle
from tests.conformance.stage import Parts, play
from tests.live.test_cdc_support import PUBLICATION, drop_rig, make_rig, until

if TYPE_CHECKING:
    from localstack import Addresses

    from tests.conformance.stage import Play
    from tests.conformance.wire import Event

pytestmark = pytest.mark.urs("M3.1", "M5.6")

SCHEMA = """
create type pair as (a int, b int);
create table t (id int primary key, n numeric, ps numeric(6,2), d date, ts timestamp,
    tz timestamptz, ia int[], p pair);
create table scaled (id int primary key, n numeric(6,-2));
create table indexed (id int primary key, code text not null, v text);
create unique index indexed_code on indexed (code);
alter table indexed replica identity using index indexed_code;
create table large (id int primary key, a int, big text);
alter table large alter big set storage external;
create table parted (id int, region text, primary key (id, region)) partition by list (region);
create table parted_eu partition of parted for values in ('eu');
insert into parted values (1, 'eu');
"""
CASES = {
    "special": "insert into t (id, n, ps) values (1, 'NaN', 'NaN'), (2, '-Infinity', null)",
    "infinite": "insert into t (id, d, ts, tz) values (3, 'infinity', '-infinity', 'infinity')",
    "deep": "insert into t (id, ia) values (4, '{{1,2},{3,4}}'), (5, '[0:1]={7,8}')",
    "composite": "insert into t (id, p) values (6, '(3,4)')",
    "before_image": "alter table t replica identity full; update t set id = 10 where id = 1",
    "scaled": "insert into scaled values (1, -300)",
    "indexed": "insert into indexed values (1, 'C1', 'x'); delete from indexed",
    "large": "insert into large values (1, 1, repeat('x', 9000)); update large set a = 2",
    "moved": "update large set id = 2",
}


@pytest.fixture(scope="module")
def found(database: Addresses, broker: str, registry: str) -> Play:
    cases = tuple(Case(name, sql, None) for name, sql in CASES.items())
    parts = Parts(database.admin_dsn, broker, registry)
    return play(parts, Oracle(SCHEMA, cases, {}), (DEFAULT, AVRO))


@pytest.fixture
def ours(found: Play) -> dict[str, list[Event]]:
    return found.events[DEFAULT.name]


@pytest.fixture
def theirs(found: Play) -> dict[str, list[Event]]:
    return found.events[AVRO.name]


def values(events: list[Event], op: str = "c") -> list[dict[str, Any]]:
    changes = (event.value for event in events if event.topic.startswith("public."))
    return [value for value in changes if value is not None and value["op"] == op]


def test_what_is_no_finite_number_keeps_its_text(
    ours: dict[str, list[Event]], theirs: dict[str, list[Event]]
) -> None:
    first, second = values(ours["special"])
    assert first["after"]["n"] is None
    assert first["texts"] == {"after.n": "NaN", "after.ps": "NaN"}
    assert second["texts"] == {"after.n": "-Infinity"}
    assert first["unavailable"] is None
    for value in values(theirs["special"]):
        assert value["after"]["n"] is None
        assert "texts" not in value


def test_infinity_is_a_value_of_its_own(
    ours: dict[str, list[Event]], theirs: dict[str, list[Event]]
) -> None:
    (value,) = values(ours["infinite"])
    assert value["texts"] == {"after.d": "infinity", "after.ts": "-infinity"}
    assert value["after"]["tz"] == "infinity"
    (mirrored,) = values(theirs["infinite"])
    assert mirrored["after"]["d"] == 2_146_033_979
    assert mirrored["after"]["ts"] == -(2**63)


def test_arrays_keep_their_dimensions_and_bounds(
    ours: dict[str, list[Event]], theirs: dict[str, list[Event]]
) -> None:
    deep, shifted = values(ours["deep"])
    assert deep["texts"] == {"after.ia": "{{1,2},{3,4}}"}
    assert shifted["texts"] == {"after.ia": "[0:1]={7,8}"}
    mirrored = [value["after"]["ia"] for value in values(theirs["deep"])]
    assert mirrored == [[None, None], [7, 8]]


def test_composites_are_text_and_not_left_out(
    ours: dict[str, list[Event]], theirs: dict[str, list[Event]]
) -> None:
    assert values(ours["composite"])[0]["after"]["p"] == "(3,4)"
    assert "p" not in values(theirs["composite"])[0]["after"]


def test_the_row_before_keeps_its_texts_too(ours: dict[str, list[Event]]) -> None:
    (gone,) = values(ours["before_image"], "d")
    assert gone["before"]["id"] == 1
    assert gone["texts"] == {"before.n": "NaN", "before.ps": "NaN"}


def test_a_negative_scale_is_readable(
    ours: dict[str, list[Event]], theirs: dict[str, list[Event]]
) -> None:
    event = next(each for each in ours["scaled"] if each.topic == "public.scaled")
    fastavro.parse_schema(event.schemas[1])
    assert event.value["after"]["n"] == {"scale": 0, "value": {"__bytes_b64": "/tQ="}}
    mirrored = next(each for each in theirs["scaled"] if each.topic == "public.scaled")
    assert mirrored.value["after"]["n"] == "-300." + "0" * 2046


def test_no_key_is_made_up(ours: dict[str, list[Event]], theirs: dict[str, list[Event]]) -> None:
    def keys(events: list[Event]) -> list[Any]:
        return [event.key for event in events if event.topic == "public.indexed"]

    assert keys(ours["indexed"]) == [{"code": "C1"}] * 3
    assert keys(theirs["indexed"]) == [{"id": 1}, {"id": 0}, {"id": 0}]


def test_an_unchanged_large_value_is_named_and_goes_along_to_a_new_key(
    ours: dict[str, list[Event]], theirs: dict[str, list[Event]]
) -> None:
    (update,) = values(ours["large"], "u")
    assert update["after"] == {"id": 1, "a": 2, "big": None}
    assert update["unavailable"] == ["big"]
    (moved,) = values(ours["moved"])
    assert moved["after"] == {"id": 2, "a": 2, "big": "x" * 9000}
    assert moved["unavailable"] is None
    for case, op in (("large", "u"), ("moved", "c")):
        assert values(theirs[case], op)[0]["after"]["big"] == "__debezium_unavailable_value"


def test_a_partitioned_tables_rows_are_read_once(
    ours: dict[str, list[Event]], theirs: dict[str, list[Event]]
) -> None:
    def topics(events: list[Event]) -> list[str]:
        return sorted(event.topic for event in events if event.value["op"] == "r")

    assert topics(ours["snapshot"]) == ["public.parted_eu"]
    assert topics(theirs["snapshot"]) == ["public.parted", "public.parted_eu"]


def test_a_partitioned_table_published_as_one_has_one_topic(
    database: Addresses, broker: str, registry: str
) -> None:
    rig = make_rig(
        database.admin_dsn,
        broker,
        registry,
        "create table parted (id int, region text, primary key (id, region)) "
        "partition by list (region)",
        "create table parted_eu partition of parted for values in ('eu')",
        "create table parted_us partition of parted for values in ('us')",
        "insert into parted values (1, 'eu'), (2, 'us')",
        f"create publication {PUBLICATION} for table parted "
        "with (publish_via_partition_root = true)",
    )
    try:
        with rig.running(raw_partitions=1) as running:
            until(lambda: running.failure or running.health.state == "reading", "the snapshot")
            rig.sql("update parted set region = 'us' where id = 1")
            until(lambda: running.failure or len(rig.table("parted")) >= 5, "the move")
            assert running.failure is None
        found = [(rig.decoded(each.key), rig.decoded(each.value)) for each in rig.table("parted")]
        assert sorted((key["id"], value["op"]) for key, value in found[:2]) == [(1, "r"), (2, "r")]
        assert [(key, value and value["op"]) for key, value in found[2:]] == [
            ({"id": 1, "region": "eu"}, "d"),
            ({"id": 1, "region": "eu"}, None),
            ({"id": 1, "region": "us"}, "c"),
        ]
        assert rig.table("parted_eu") == rig.table("parted_us") == []
    finally:
        drop_rig(rig, database.admin_dsn)
