"""Shapes, their differences and history; which schemas a subject takes; rows kept aside."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import EVERYWHERE, RawRecord, ShapeColumn, TableShape
from connectors.runner.contract.differences import differences
from connectors.runner.contract.history import History, Version
from connectors.runner.contract.parking import Parked, Parking, framed, provisional, version_in
from connectors.runner.contract.subjects import Subjects
from streams.contracts.registry import FULL_TRANSITIVE
from streams.engine import Record
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from streams.contracts.wire.schema_tree import Schema

pytestmark = pytest.mark.urs("M4.5", "M5.6")

ID = ShapeColumn("id", "integer", 23, -1, key=True)
NAME = ShapeColumn("name", "text", 25, -1, key=False)
PRICE = ShapeColumn("price", "numeric(10,2)", 1700, 655366, key=False)
SHAPE = TableShape("public.item", "d", (ID, NAME, PRICE))
TOPIC = "cdc.erp.public.item"


def words(*columns: ShapeColumn, identity: str = "d") -> list[str]:
    return [each.words for each in differences(SHAPE, TableShape("public.item", identity, columns))]


def test_differences_are_told_in_words() -> None:
    assert words(ID, NAME, PRICE) == []
    colour = replace(NAME, name="colour")
    assert words(ID, NAME, PRICE, colour) == ["column colour text was added"]
    assert words(ID, PRICE) == ["column name text was dropped"]
    assert words(ID, colour, PRICE) == ["column name was renamed to colour"]
    assert words(ID, colour) == [
        "column name text was dropped",
        "column price numeric(10,2) was dropped",
        "column colour text was added",
    ]
    wider = replace(PRICE, type="numeric(12,2)", typmod=786438)
    assert words(ID, NAME, wider) == [
        "the type of price changed from numeric(10,2) to numeric(12,2)"
    ]
    assert words(ID, PRICE, NAME) == [
        "column price moved from place 3 to 2",
        "column name moved from place 2 to 3",
    ]
    assert words(ID, replace(NAME, key=True), PRICE) == ["the key changed from (id) to (id, name)"]
    assert words(ID, NAME, PRICE, identity="f") == [
        "the log shows all columns of an old row instead of the primary key"
    ]


COLUMNS = st.lists(
    st.builds(
        ShapeColumn,
        st.sampled_from("abcde"),
        st.just("type"),
        st.sampled_from([23, 25]),
        st.just(-1),
        st.booleans(),
    ),
    max_size=5,
    unique_by=lambda column: column.name,
).map(tuple)


@given(COLUMNS, COLUMNS, st.sampled_from("dfin"), st.sampled_from("dfin"))
def test_shapes_differ_exactly_if_a_difference_is_told(
    old: tuple[ShapeColumn, ...], new: tuple[ShapeColumn, ...], was: str, now: str
) -> None:
    before, after = TableShape("t", was, old), TableShape("t", now, new)
    assert differences(before, before) == ()
    keys = [{each.name for each in columns if each.key} for columns in (old, new)]
    plain = [
        (each.identity, [(column.name, column.oid) for column in each.columns])
        for each in (before, after)
    ]
    # With all columns in the log, what is marked as a key says nothing.
    same = plain[0] == plain[1] and (keys[0] == keys[1] or now == "f")
    assert bool(differences(before, after)) != same


def test_a_history_goes_on_where_it_was_stored() -> None:
    history = History("erp", {})
    first = history.version(TOPIC, SHAPE, "key", {"type": "record"})
    assert history.version(TOPIC, SHAPE, "key", {"type": "record"}) == first
    other = replace(SHAPE, columns=(ID,))
    second = history.version(TOPIC, other, "key", {"type": "record"})
    back = history.version(TOPIC, SHAPE, "key", {"type": "record"})
    assert [each.number for each in (first, second, back)] == [1, 2, 3]
    stored = {history.key(each): each.record() for each in history.begun(TOPIC, "event-1")}
    assert not history.fresh
    again = History("erp", stored)
    assert again.version(TOPIC, SHAPE, "key", {"type": "record"}).number == 3
    assert not again.fresh
    found = again.find(TOPIC, 2)
    assert found == replace(second, first_event="event-1")
    assert again.before(found) == replace(first, first_event="event-1")
    assert Version.of(json.loads(found.record())) == found


class Accepting:
    """A registry that takes everything, as one does whose level is NONE."""

    def __init__(self, *, may_set: bool = True) -> None:
        self.schemas: dict[str, list[Schema]] = {}
        self.levels: dict[str, str] = {}
        self._may_set = may_set

    def register(self, subject: str, schema: Schema) -> int:
        self.schemas.setdefault(subject, []).append(schema)
        return len(self.schemas[subject])

    def lookup(self, subject: str, schema: Schema) -> int | None:
        known = self.schemas.get(subject, [])
        return known.index(schema) + 1 if schema in known else None

    def schema_of(self, schema_id: int) -> Schema:
        raise AssertionError(schema_id)

    def versions(self, subject: str) -> tuple[Schema, ...]:
        return tuple(self.schemas.get(subject, ()))

    def compatible(self, subject: str, schema: Schema) -> bool:
        return bool(subject and schema)

    def level(self) -> str:
        return "NONE"

    def subject_level(self, subject: str) -> str | None:
        return self.levels.get(subject)

    def set_subject_level(self, subject: str, level: str) -> None:
        if not self._may_set:
            raise Misconfigured("no right", code="registry_refused")
        self.levels[subject] = level


def value(kind: Any) -> dict[str, Any]:
    field = {"name": "price", "type": ["null", kind], "default": None}
    return {"type": "record", "name": "Value", "fields": [field]}


def decimal(precision: int, scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def stamp(name: str) -> dict[str, Any]:
    return {"type": "long", "connect.name": f"io.debezium.time.{name}"}


@pytest.mark.parametrize(
    ("old", "new", "taken"),
    [
        (decimal(10, 2), decimal(12, 2), True),
        (decimal(10, 2), decimal(12, 3), False),
        (stamp("Timestamp"), stamp("MicroTimestamp"), False),
        ("int", "long", False),
        ("string", {"type": "string", "connect.name": "io.debezium.data.Uuid"}, True),
        ("string", "long", False),
    ],
)
@pytest.mark.parametrize("may_set", [True, False])
def test_what_reads_old_values_as_others_is_refused_whatever_the_registry_takes(
    old: Any, new: Any, taken: bool, may_set: bool
) -> None:
    registry = Accepting(may_set=may_set)
    subjects = Subjects(registry, guard=True)
    assert subjects.id_of("s", value(old)) == 1
    assert registry.levels == ({"s": FULL_TRANSITIVE} if may_set else {})
    if taken:
        assert subjects.id_of("s", value(new)) == 2
        return
    with pytest.raises(Misconfigured) as caught:
        subjects.id_of("s", value(new))
    assert caught.value.code == "incompatible_schema"
    registry.levels["s"] = "NONE"
    assert subjects.id_of("s", value(new)) == 2
    assert registry.levels == {"s": "NONE"}


def test_without_a_guard_nothing_is_judged_or_set() -> None:
    registry = Accepting()
    subjects = Subjects(registry, guard=False)
    assert [subjects.id_of("s", value(kind)) for kind in ("int", "string")] == [1, 2]
    assert registry.levels == {}


PARKED = Parked(TOPIC, "public.item", "the scale changed", 1, 7)
HEADERS = [("event_id", b"e"), ("event_uuid", b"\xff" * 16)]


def parking(records: int = 10, size: int = 1_000) -> Parking:
    made = Parking("erp", ("parked", 3), (records, size), {})
    made.park(PARKED)
    return made


def read(record: RawRecord, offset: int = 0) -> Record:
    headers = tuple(record.headers)
    return Record(record.topic, record.partition, offset, 0, record.key, record.value, headers)


@given(st.binary(max_size=20), st.integers(1, 2**31), st.booleans())
def test_a_parked_record_comes_back_as_it_was_with_the_right_frames(
    body: bytes, number: int, everywhere: bool
) -> None:
    mark = provisional(number)
    moved = [*HEADERS, ("__debezium.oldkey", mark + b"old")]
    partition = EVERYWHERE if everywhere else -1
    record = RawRecord(TOPIC, mark + b"key", mark + body, moved, partition)
    tombstone = RawRecord(TOPIC, mark + b"key", None, HEADERS)
    other = RawRecord("other", b"\0key", None, [])
    aside = list(parking().divert([record, other, tombstone]))
    assert [(each.topic, each.partition) for each in aside] == [
        ("parked", 3), ("other", -1), ("parked", 3),
    ]  # fmt: skip
    frames = {number: (b"\0KKKK", b"\0VVVV")}
    found = framed(read(aside[0]), frames)
    assert found == RawRecord(
        TOPIC,
        b"\0KKKKkey",
        b"\0VVVV" + body,
        [*HEADERS, ("__debezium.oldkey", b"\0KKKKold")],
        partition,
    )
    assert framed(read(aside[2]), frames) == tombstone._replace(key=b"\0KKKKkey")
    assert version_in(record.value) == number
    assert version_in(b"\0\0\0\0\1x") is None


def test_what_is_parked_is_counted_stored_and_bounded() -> None:
    here = parking(records=2)
    record = RawRecord(TOPIC, None, b"\xff\0\0\0\1x", [])
    assert list(here.divert([record])) != [record]
    ((key, state),) = here.states()
    assert list(here.states()) == []
    assert json.loads(key) == ["erp", TOPIC, "parked"]
    again = Parking("erp", ("parked", 3), (2, 1_000), {key: state or b""})
    assert again.tables == (replace(PARKED, records=1, bytes=6),)
    assert "public.item waits with 1 records" in again.words
    list(again.divert([record]))
    with pytest.raises(Misconfigured) as caught:
        list(again.divert([record]))
    assert caught.value.code == "parking_full"
    again.given_back(TOPIC, 9, [record] * 3)
    assert again.tables[0].records == 0
    again.free(TOPIC)
    assert not again
    assert list(again.states()) == [(key, None)]
    assert again.words == ""


def test_the_registry_is_asked_again_less_and_less_often() -> None:
    here = parking()
    assert not here.due
    waits = []
    for _ in range(8):
        here.refused()
        waits.append(here.wait_s)
    assert waits == sorted(waits)
    assert waits[-1] == 30
