"""The codec: round trips, an independent oracle, and what does not fit."""

from __future__ import annotations

import io
from dataclasses import make_dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.codec import Codec
from streams.contracts.file_registry import FileRegistry
from streams.contracts.registry import unknown_id
from streams.contracts.topics import (
    HOLD_COMMANDS,
    LOT_INPUT,
    TRANSLATE_INPUT,
    Topic,
)
from streams.errors import LotgateError, Misconfigured, Poison
from streams.model.rows import RowChange, SourceTransaction
from tests.unit.contract_samples import NOON, SAMPLES, plain
from tests.unit.contract_user_type import (
    CATALOG,
    EVERYTHING,
    EXAMPLE,
    TOPICS,
    USER,
    Code,
    Colour,
    Everything,
    Inner,
    prepared,
)

pytestmark = pytest.mark.urs("M3.1")


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    return prepared(tmp_path_factory.mktemp("registry") / "r.json")


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
AMOUNT = st.decimals(-(10**30), 10**30, allow_nan=False) | st.decimals(
    allow_nan=False, allow_infinity=False, places=4
)
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
        ({"amount": Decimal("1E+99999999")}, "a number of gigabytes"),
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


def test_one_topic_has_one_type(codec: Codec) -> None:
    other: Topic[Inner] = Topic(USER.name, Inner, EVERYTHING, lambda inner: inner.code)
    error = refused(codec.decode, other, codec.encode(USER, EXAMPLE))
    assert error.code == "topic_declared_twice"
    assert "Everything" in str(error)
