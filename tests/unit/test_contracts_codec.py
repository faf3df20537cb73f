"""The codec: round trips, an independent oracle, and bytes that nobody should trust."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, NewType

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.file_registry import FileRegistry
from streams.contracts.registry import unknown_id
from streams.contracts.topics import (
    HOLD_COMMANDS,
    INTERNAL,
    LOT_INPUT,
    NONCONFORMITIES,
    PUBLIC,
    TRANSLATE_INPUT,
    Topic,
)
from streams.errors import LotgateError, Misconfigured, Poison
from streams.model.messages import LotMessage, LotMessageKind
from streams.model.rows import RowChange, SourceTransaction
from tests.unit.contract_samples import NOON, SAMPLES, plain

CATALOG = Catalog.load()
TOPICS = (*PUBLIC, *INTERNAL)
Colour = StrEnum("Colour", ["RED", "GREEN"])
Code = NewType("Code", str)


@dataclass(frozen=True, slots=True)
class Inner:
    code: Code
    weight: Decimal | None = None


@dataclass(frozen=True)
class Everything:
    """One field for every row of the mapping table."""

    text: str
    colour: Colour
    shade: Literal["dark", "light"]
    whole: int
    short: int
    yes: bool
    raw: bytes
    hash: bytes
    double: float
    single: float
    amount: Decimal
    at: datetime
    at_ms: datetime
    cell: str | int | bool | bytes | float | None
    maybe: Inner | None
    many: tuple[Inner, ...]
    listed: list[int]
    table: Mapping[str, str | None]
    nested: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


EVERYTHING = {
    "type": "record",
    "name": "Everything",
    "namespace": "user",
    "fields": [
        {"name": "text", "type": "string"},
        {"name": "colour", "type": {"type": "enum", "name": "Colour", "symbols": ["red", "green"]}},
        {"name": "shade", "type": "string"},
        {"name": "whole", "type": "long"},
        {"name": "short", "type": "int"},
        {"name": "yes", "type": "boolean"},
        {"name": "raw", "type": "bytes"},
        {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 4}},
        {"name": "double", "type": "double"},
        {"name": "single", "type": "float"},
        {"name": "amount", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "at_ms", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "cell", "type": ["null", "boolean", "long", "double", "string", "bytes"]},
        {
            "name": "maybe",
            "type": [
                {
                    "type": "record",
                    "name": "Inner",
                    "fields": [
                        {"name": "code", "type": "string"},
                        {"name": "weight", "type": ["null", "string"], "default": None},
                    ],
                },
                "null",
            ],
        },
        {"name": "many", "type": {"type": "array", "items": "Inner"}},
        {"name": "listed", "type": {"type": "array", "items": "int"}},
        {"name": "table", "type": {"type": "map", "values": ["null", "string"]}},
        {
            "name": "nested",
            "type": {"type": "map", "values": {"type": "array", "items": "long"}},
            "default": {},
        },
    ],
}
USER = Topic("user.everything.events", Everything, EVERYTHING, lambda event: event.text)


class CountingRegistry(FileRegistry):
    """A file registry that counts what it is asked."""

    asked = 0

    def schema_of(self, schema_id: int) -> Any:
        self.asked += 1
        return super().schema_of(schema_id)


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    made = Codec(CATALOG, FileRegistry(tmp_path_factory.mktemp("registry") / "r.json"), "p", "g")
    made.prepare((*TOPICS, USER), register=True)
    return made


def poison(codec: Codec, topic: Topic[Any], payload: bytes) -> str:
    with pytest.raises(Poison) as caught:
        codec.decode(topic, payload)
    assert caught.value.advice
    return caught.value.code


@pytest.mark.urs("M3.1")
@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_an_event_survives_the_wire_and_an_oracle_reads_the_same(
    codec: Codec, topic: Topic[Any]
) -> None:
    event = SAMPLES[topic.schema] if isinstance(topic.schema, str) else None
    payload = codec.encode(topic, event)
    assert codec.decode(topic, payload) == event
    assert type(codec.decode(topic, payload)) is type(event)
    body = io.BytesIO()
    fastavro.schemaless_writer(body, codec.schema(topic), plain(event))
    assert payload[5:] == body.getvalue()
    name, value = codec.decode_any(payload)
    assert name == topic.schema
    assert value == plain(event)


def test_decoded_events_are_frozen_and_hash_as_made_ones(codec: Codec) -> None:
    event = SAMPLES["lotgate.inventory.HoldCommand"]
    decoded = codec.decode(HOLD_COMMANDS, codec.encode(HOLD_COMMANDS, event))
    assert hash(decoded) == hash(event)
    with pytest.raises(AttributeError):
        decoded.lot_id = "another"  # type: ignore[misc]


def test_subjects_carry_prefix_and_group(codec: Codec) -> None:
    assert codec.subject(HOLD_COMMANDS) == "p.inventory.hold.commands-value"
    assert codec.subject(LOT_INPUT) == "p.g-lot-input-value"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
LONG = st.integers(-(2**63), 2**63 - 1)
INSTANT = st.datetimes(
    datetime(1, 1, 2), datetime(9999, 12, 30),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)  # fmt: skip
AMOUNT = st.decimals(allow_nan=False, allow_infinity=False)
INNER = st.builds(Inner, TEXT.map(Code), st.none() | AMOUNT)
EVENTS = st.builds(
    Everything,
    text=TEXT,
    colour=st.sampled_from(Colour),
    shade=st.sampled_from(["dark", "light"]),
    whole=LONG,
    short=st.integers(-(2**31), 2**31 - 1),
    yes=st.booleans(),
    raw=st.binary(max_size=300),
    hash=st.binary(min_size=4, max_size=4),
    double=st.floats(allow_nan=False),
    single=st.floats(allow_nan=False, width=32),
    amount=AMOUNT,
    at=INSTANT,
    at_ms=INSTANT.map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)),
    cell=st.none() | st.booleans() | LONG | st.floats(allow_nan=False) | TEXT | st.binary(),
    maybe=st.none() | INNER,
    many=st.lists(INNER).map(tuple),
    listed=st.lists(st.integers(-(2**31), 2**31 - 1)),
    table=st.dictionaries(TEXT, st.none() | TEXT),
    nested=st.dictionaries(TEXT, st.lists(LONG).map(tuple)),
)


@settings(max_examples=60, deadline=None)
@given(event=EVENTS)
def test_any_value_of_any_supported_type_survives(codec: Codec, event: Everything) -> None:
    payload = codec.encode(USER, event)
    decoded = codec.decode(USER, payload)
    assert decoded == event
    assert type(decoded.cell) is type(event.cell)
    assert str(decoded.amount) == str(event.amount)
    assert isinstance(decoded.colour, Colour)
    body = io.BytesIO(payload)
    body.seek(5)
    oracle: Any = fastavro.schemaless_reader(body, codec.schema(USER), None)
    assert oracle["text"] == event.text
    assert body.read() == b""


CELLS = st.none() | st.booleans() | LONG | TEXT | st.binary(max_size=50)
COLUMNS = st.dictionaries(TEXT, CELLS, max_size=4)
ROWS = st.builds(
    RowChange, st.integers(0, 10**6), TEXT, TEXT, st.sampled_from("cudtr"), COLUMNS,
    st.none() | COLUMNS, st.none() | COLUMNS, st.lists(TEXT, max_size=2).map(tuple),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(changes=st.lists(ROWS, max_size=3).map(tuple), lsn=LONG)
def test_a_source_transaction_keeps_the_type_of_every_cell(
    codec: Codec, changes: tuple[RowChange, ...], lsn: int
) -> None:
    event = SourceTransaction(
        "erp", "t", "s", "d", "1", 1, lsn, NOON, NOON, False, 0, True, changes
    )  # fmt: skip
    decoded = codec.decode(TRANSLATE_INPUT, codec.encode(TRANSLATE_INPUT, event))
    assert decoded == event
    assert repr(decoded) == repr(event)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_mutated_bytes_decode_or_are_poison_and_nothing_else(codec: Codec, data: Any) -> None:
    sample = data.draw(st.sampled_from(sorted({str(topic.schema) for topic in TOPICS})))
    topic = next(topic for topic in TOPICS if topic.schema == sample)
    payload = bytearray(codec.encode(topic, SAMPLES[sample]))
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(5, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        event = codec.decode(topic, bytes(payload))
    except Poison as error:
        assert error.code in {"truncated_body", "trailing_bytes", "bad_value"}  # noqa: PT017
    else:
        assert codec.decode(topic, codec.encode(topic, event)) == event


@pytest.mark.urs("M3.3")
def test_every_cut_of_a_record_is_called_truncated_or_not_framed(codec: Codec) -> None:
    payload = codec.encode(NONCONFORMITIES, SAMPLES["lotgate.quality.Nonconformity"])
    codes = [poison(codec, NONCONFORMITIES, payload[:size]) for size in range(len(payload))]
    assert set(codes[:5]) == {"not_framed"}
    assert set(codes[5:]) == {"truncated_body"}


def test_bytes_after_the_last_value_are_refused(codec: Codec) -> None:
    payload = codec.encode(NONCONFORMITIES, SAMPLES["lotgate.quality.Nonconformity"])
    assert poison(codec, NONCONFORMITIES, payload + b"\0") == "trailing_bytes"


@pytest.mark.parametrize("payload", [b"", b"\0\0\0\0", b'{"json": true}', b"\x01\0\0\0\x01abc"])
def test_bytes_of_another_format_are_not_framed(codec: Codec, payload: bytes) -> None:
    assert poison(codec, HOLD_COMMANDS, payload) == "not_framed"
    with pytest.raises(Poison):
        codec.decode_any(payload)


def test_an_unknown_id_is_asked_once_and_again_only_later(tmp_path: Path) -> None:
    now = [0.0]
    registry = CountingRegistry(tmp_path / "r.json")
    codec = Codec(CATALOG, registry, clock=lambda: now[0])
    payload = b"\0\0\0\xff\xff" + b"\0" * 30
    for _ in range(3):
        assert poison(codec, HOLD_COMMANDS, payload) == "unknown_schema_id"
    assert registry.asked == 1
    now[0] = 31.0
    assert poison(codec, HOLD_COMMANDS, payload) == "unknown_schema_id"
    assert registry.asked == 2


def test_another_topics_schema_is_a_poison_not_a_guess(codec: Codec) -> None:
    payload = codec.encode(NONCONFORMITIES, SAMPLES["lotgate.quality.Nonconformity"])
    assert poison(codec, HOLD_COMMANDS, payload) == "unreadable_schema"


@dataclass(frozen=True, slots=True)
class First:
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Second:
    name: str
    at: datetime
    grade: str = "A"
    cells: Mapping[str, str | int | bool | None] = field(default_factory=dict)


FIRST_FIELDS: list[dict[str, Any]] = [
    {"name": "name", "type": "string"},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
]
SECOND_FIELDS: list[dict[str, Any]] = [
    {"name": "grade", "type": "string", "default": "A"},
    *FIRST_FIELDS,
    {
        "name": "cells",
        "type": {"type": "map", "values": ["null", "boolean", "long", "string"]},
        "default": {},
    },
]


def versions(tmp_path: Path) -> tuple[Codec, Topic[First], Codec, Topic[Second]]:
    old = Topic("u.v", First, {"type": "record", "name": "u.V", "fields": FIRST_FIELDS},
                lambda event: event.name)  # fmt: skip
    new = Topic("u.v", Second, {"type": "record", "name": "u.V", "fields": SECOND_FIELDS},
                lambda event: event.name)  # fmt: skip
    old_codec, new_codec = (Codec(CATALOG, FileRegistry(tmp_path / "r")) for _ in range(2))
    old_codec.prepare([old], register=True)
    new_codec.prepare([new], register=True)
    return old_codec, old, new_codec, new


@pytest.mark.urs("M4.5")
def test_a_newer_build_reads_older_records_with_defaults(tmp_path: Path) -> None:
    old_codec, old, new_codec, new = versions(tmp_path)
    payload = old_codec.encode(old, First("n", NOON))
    assert new_codec.decode(new, payload) == Second("n", NOON)
    assert poison(new_codec, new, payload[:-1]) == "truncated_body"
    assert poison(new_codec, new, payload + b"x") == "trailing_bytes"


@pytest.mark.urs("M4.5")
def test_an_older_build_reads_newer_records_during_a_roll_out(tmp_path: Path) -> None:
    old_codec, old, new_codec, new = versions(tmp_path)
    event = Second("n", NOON, "B", {"a": True, "b": 1, "c": "x", "d": None})
    payload = new_codec.encode(new, event)
    assert old_codec.decode(old, payload) == First("n", NOON)
    assert new_codec.decode(new, payload) == event


def array_bomb(item: Any) -> dict[str, Any]:
    return {
        "type": "record",
        "name": "user.Bomb",
        "fields": [{"name": "items", "type": {"type": "array", "items": item}}],
    }


@pytest.mark.parametrize(
    "item",
    [
        "null",
        {"type": "record", "name": "E", "fields": []},
        {"type": "fixed", "name": "F", "size": 0},
    ],
)
def test_a_writer_schema_whose_items_take_no_bytes_is_never_decoded(
    tmp_path: Path, item: Any
) -> None:
    registry = FileRegistry(tmp_path / "r.json")
    bundle = {"schemas": {"9": array_bomb(item)}, "subjects": {}}
    (tmp_path / "r.json").write_text(json.dumps(bundle))
    codec = Codec(CATALOG, registry)
    assert poison(codec, HOLD_COMMANDS, b"\0\0\0\0\x09" + b"\x80\x80\x80\x80\x10\0") == (
        "unreadable_schema"
    )


def test_a_count_above_the_bytes_left_is_refused_before_anything_is_built(codec: Codec) -> None:
    head = codec.encode(LOT_INPUT, LotMessage("l", LotMessageKind.LOT))[:5]
    many = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"
    assert poison(codec, LOT_INPUT, head + many) == "truncated_body"
    user = codec.encode(USER, EXAMPLE)
    assert poison(codec, USER, user[:-2] + many) == "truncated_body"


@pytest.mark.parametrize(
    ("varint", "code"),
    [
        (b"\x80" * 40 + b"\x00", "bad_value"),
        (b"\xff" * 9 + b"\x7f", "bad_value"),
        (b"\xff" * 11, "bad_value"),
        (b"\x01", "bad_value"),
        (b"\x80" * 7, "truncated_body"),
    ],
)
def test_lengths_that_are_no_lengths(codec: Codec, varint: bytes, code: str) -> None:
    head = codec.encode(LOT_INPUT, LotMessage("l", LotMessageKind.LOT))[:5]
    assert poison(codec, LOT_INPUT, head + varint) == code


def test_blocks_with_a_byte_size_are_read_as_the_format_allows(codec: Codec) -> None:
    payload = codec.encode(USER, EXAMPLE)
    assert payload.endswith(b"\x02\x02k\x02\x02v\x00\x00")
    # The same map as one block of -1 items and 5 bytes.
    blocks = payload.removesuffix(b"\x02\x02k\x02\x02v\x00\x00") + b"\x01\x0a\x02k\x02\x02v\x00\x00"
    assert codec.decode(USER, blocks) == EXAMPLE


EXAMPLE = Everything(
    "t", Colour.RED, "dark", 1, 1, True, b"", b"1234", 1.5, 1.5, Decimal(1), NOON,
    NOON.replace(microsecond=0), None, None, (), [], {"k": "v"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"text": 1}, "number for text"),
        ({"text": None}, "null for text"),
        ({"text": "\ud800"}, "half a surrogate pair"),
        ({"text": b"x"}, "bytes for text"),
        ({"whole": 2**63}, "65 bits"),
        ({"whole": 1.0}, "float for a number"),
        ({"short": 2**31}, "33 bits"),
        ({"yes": 1}, "number for a boolean"),
        ({"hash": b"123"}, "wrong size"),
        ({"amount": 1.5}, "float for an amount"),
        ({"amount": Decimal("NaN")}, "no number"),
        ({"at": NOON.replace(tzinfo=None)}, "naive instant"),
        ({"colour": "blue"}, "unknown symbol"),
        ({"cell": Decimal(1)}, "no branch"),
        ({"maybe": "x"}, "text for a record"),
        ({"many": None}, "null for an array"),
        ({"many": "abc"}, "text for an array"),
        ({"table": {"k": 1}}, "number for text"),
        ({"table": None}, "null for a map"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_event_that_does_not_fit_is_refused_when_written(
    codec: Codec, change: dict[str, Any], why: str
) -> None:
    values = {name: getattr(EXAMPLE, name) for name in EXAMPLE.__dataclass_fields__}
    with pytest.raises(Poison) as caught:
        codec.encode(USER, Everything(**(values | change)))
    assert caught.value.code == "bad_value", why


def test_the_limit_holds_in_both_directions(tmp_path: Path) -> None:
    wide = Codec(CATALOG, FileRegistry(tmp_path / "r.json"))
    wide.prepare([LOT_INPUT], register=True)
    narrow = Codec(CATALOG, FileRegistry(tmp_path / "r.json"), limit=100)
    narrow.prepare([LOT_INPUT])
    event = LotMessage("x" * 200, LotMessageKind.LOT)
    payload = wide.encode(LOT_INPUT, event)
    assert poison(narrow, LOT_INPUT, payload) == "too_large"
    with pytest.raises(Poison, match="too_large"):
        narrow.encode(LOT_INPUT, event)


def refused(call: Any, *arguments: Any) -> LotgateError:
    with pytest.raises(Misconfigured) as caught:
        call(*arguments)
    return caught.value


def test_a_schema_that_was_not_published_names_subject_and_command(tmp_path: Path) -> None:
    codec = Codec(CATALOG, FileRegistry(tmp_path / "r.json"), "site1")
    error = refused(codec.prepare, [HOLD_COMMANDS])
    assert error.code == "schema_not_registered"
    assert "site1.inventory.hold.commands-value" in str(error)
    assert "lotgate schema publish" in str(error)


def test_writing_needs_preparation(tmp_path: Path) -> None:
    codec = Codec(CATALOG, FileRegistry(tmp_path / "r.json"))
    event = SAMPLES["lotgate.inventory.HoldCommand"]
    assert refused(codec.encode, HOLD_COMMANDS, event).code == "topic_not_prepared"


@pytest.mark.parametrize(
    ("avro", "python"),
    [
        ("long", str),
        ("string", int),
        ("double", Decimal),
        ({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, Decimal),
        ("long", datetime),
        ({"type": "long", "logicalType": "timestamp-micros"}, int),
        (["null", "string"], str),
        ("string", str | None),
        (["null", "string", "long"], str | None),
        ({"type": "array", "items": "string"}, tuple[str, str]),
        ({"type": "map", "values": "string"}, dict[int, str]),
        ({"type": "array", "items": "string"}, str),
    ],
)
def test_types_that_do_not_fit_are_refused_with_their_place(
    tmp_path: Path, avro: Any, python: Any
) -> None:
    event = make_dataclass("Event", [("value", python)])
    schema = {"type": "record", "name": "u.Event", "fields": [{"name": "value", "type": avro}]}
    topic: Topic[Any] = Topic("u", event, schema, lambda _: "")
    error = refused(Codec(CATALOG, FileRegistry(tmp_path / "r")).prepare, [topic])
    assert error.code == "model_schema_mismatch"
    assert "u.Event.value" in str(error)


def test_fields_that_differ_are_named(tmp_path: Path) -> None:
    schema = {"type": "record", "name": "u.I", "fields": [{"name": "code", "type": "string"}]}
    topic = Topic("u", Inner, schema, lambda inner: inner.code)
    error = refused(Codec(CATALOG, FileRegistry(tmp_path / "r")).prepare, [topic])
    assert "weight" in str(error)


def test_an_unknown_registry_id_says_where_it_was_asked() -> None:
    assert "https://registry" in str(unknown_id(7, "https://registry"))
