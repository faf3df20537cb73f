"""Bytes of every version that was ever published are read by today's model, for ever."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import fastavro
import pytest
from fastavro.validation import validate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.evolution.findings import Direction
from streams.contracts.evolution.levels import findings
from streams.contracts.evolution.upcasters import UPCASTERS
from streams.contracts.file_registry import FileRegistry
from streams.contracts.topics import Topic
from streams.contracts.wire.plan import plan
from tests.avro_values import comparable, values
from tests.unit.contract_samples import GOLDEN, SAMPLES, STATE_SAMPLES, plain

pytestmark = pytest.mark.urs("M4.5")

CATALOG = Catalog.load()
MODELS: dict[str, type] = {name: type(one) for name, one in (SAMPLES | STATE_SAMPLES).items()}
VERSIONS = sorted((d.name, d.version) for d in CATALOG.declarations() if d.name in MODELS)
STEPS = sorted((name, number) for name, steps in UPCASTERS.items() for number in steps)
quick = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def topic_of(name: str) -> Topic[Any]:
    return Topic(f"law.{name.rpartition('.')[2].lower()}", MODELS[name], name, lambda _: "")


class Reading:
    """Today's codec beside a registry that knows every version.

    The versions go in as they were written at their time: a type inside has today's form.
    """

    def __init__(self) -> None:
        self.registry = FileRegistry(Path(mkdtemp()) / "registry.json")
        self.codec = Codec(CATALOG, self.registry)

    def read(self, name: str, writer: Any, body: bytes) -> Any:
        topic = topic_of(name)
        given = self.registry.register(self.codec.subject(topic), writer)
        return self.codec.decode(topic, b"\0" + given.to_bytes(4, "big") + body)


@cache
def reading() -> Reading:
    return Reading()


@cache
def values_of(name: str, version: int) -> st.SearchStrategy[Any]:
    node = plan(CATALOG.schema(name), MODELS[name])
    return values(CATALOG.schema(name, version), node)


def written(schema: Any, value: Any) -> bytes:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema, value)
    return body.getvalue()


def still_says(found: Any, old: Any) -> bool:
    """Whether all of an old value is in a new one; newer fields may stand beside it."""
    if isinstance(old, dict):
        return all(key in found and still_says(found[key], old[key]) for key in old)
    if isinstance(old, list):
        return len(found) == len(old) and all(map(still_says, found, old))
    return bool(found == old)


@pytest.mark.parametrize(("name", "version"), VERSIONS)
@quick
@given(data=st.data())
def test_whatever_a_version_could_say_is_said_by_todays_model(
    name: str, version: int, data: st.DataObject
) -> None:
    value = data.draw(values_of(name, version))
    writer = CATALOG.schema(name, version)
    event = reading().read(name, writer, written(writer, value))
    assert type(event) is MODELS[name]
    assert still_says(comparable(plain(event)), comparable(value))


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_every_golden_is_read_by_todays_model(file: Path) -> None:
    golden = json.loads(file.read_text(encoding="utf-8"))
    body = file.with_suffix(".avro").read_bytes()
    event = reading().read(golden["schema"], golden["writer"], body)
    assert type(event) is MODELS[golden["schema"]]
    assert still_says(comparable(plain(event)), golden["value"])


@pytest.mark.parametrize(("name", "number"), STEPS)
@quick
@given(data=st.data())
def test_a_step_makes_a_value_of_the_next_version_and_leaves_its_input_alone(
    name: str, number: int, data: st.DataObject
) -> None:
    assert number < CATALOG.version_of(name)
    value = data.draw(values_of(name, number))
    before = json.dumps(comparable(value), sort_keys=True)
    made = UPCASTERS[name][number](value)
    schema = fastavro.parse_schema(CATALOG.schema(name, number + 1))
    assert validate(with_defaults(schema, made), schema)
    assert UPCASTERS[name][number](value) == made
    assert json.dumps(comparable(value), sort_keys=True) == before


def with_defaults(schema: Any, value: Any) -> Any:
    """The value as it is written: what it leaves out is filled in by the schema."""
    body = io.BytesIO(written(schema, value))
    return fastavro.schemaless_reader(body, schema)


@pytest.mark.parametrize("name", ["lotgate.quality.Nonconformity", "lotgate.quality.Deviation"])
@quick
@given(data=st.data())
def test_lots_that_version_1_named_are_affected_lots(name: str, data: st.DataObject) -> None:
    value = data.draw(values_of(name, 1))
    writer = CATALOG.schema(name, 1)
    event = reading().read(name, writer, written(writer, value))
    assert tuple(lot.lot_id for lot in event.affected) == tuple(value["lots"])
    assert all(lot.quantity is None and not lot.serials for lot in event.affected)


AMOUNT = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
KINDS: dict[str, tuple[Any, Any]] = {
    "text": ("string", "x"),
    "bytes": ("bytes", "x"),
    "whole": ("long", 1),
    "short": ("int", 1),
    "inexact": ("double", 1.5),
    "optional": (["null", "string"], None),
    "number or text": (["long", "string"], 1),
    "list": ({"type": "array", "items": "long"}, [1]),
    "wide list": ({"type": "array", "items": ["null", "long"]}, []),
    "table": ({"type": "map", "values": "string"}, {}),
    "amount": (AMOUNT, "\u0001"),
    "fine amount": ({**AMOUNT, "scale": 3}, "\u0001"),
    "wide amount": ({**AMOUNT, "precision": 12}, "\u0001"),
    "instant": ({"type": "long", "logicalType": "timestamp-micros"}, 0),
    "coarse instant": ({"type": "long", "logicalType": "timestamp-millis"}, 0),
    "grade": ({"type": "enum", "name": "Grade", "symbols": ["a", "b"]}, "a"),
    "open grade": ({"type": "enum", "name": "Grade", "symbols": ["a", "c"], "default": "a"}, "a"),
    "code": ({"type": "fixed", "name": "Code", "size": 2}, "xy"),
    "long code": ({"type": "fixed", "name": "Code", "size": 3}, "xyz"),
}
"""Types that may take each other's place in a later version, with a default each."""


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    """A version of a record of up to four fields, some with defaults and some with aliases."""
    fields = []
    named: set[str] = set()
    for name in draw(st.lists(st.sampled_from("abcd"), unique=True, max_size=4)):
        kind, default = KINDS[draw(st.sampled_from(sorted(KINDS)))]
        inner = kind["name"] if isinstance(kind, dict) and "name" in kind else ""
        if inner in named:
            continue
        named |= {inner} if inner else set()
        field: dict[str, Any] = {"name": name, "type": kind}
        if draw(st.booleans()):
            field["default"] = default
        if draw(st.integers(0, 5)) == 0:
            field["aliases"] = [draw(st.sampled_from(["e", "f"]))]
        fields.append(field)
    return {"type": "record", "name": "law.R", "fields": fields}


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(records(), records(), st.data())
def test_what_we_let_pass_is_read_by_avros_own_rules(
    old: dict[str, Any], new: dict[str, Any], data: st.DataObject
) -> None:
    """Soundness against an implementation that is not ours: no finding, no failure to read."""
    against = {found.direction for found in findings(old, new)}
    for writer, reader, direction in (
        (old, new, Direction.NEW_READS_OLD),
        (new, old, Direction.OLD_READS_NEW),
    ):
        if direction in against:
            continue
        value = data.draw(values(writer, None))
        body = io.BytesIO(written(writer, value))
        found: Any = fastavro.schemaless_reader(body, writer, reader)
        shared = {f["name"] for f in writer["fields"]} & {f["name"] for f in reader["fields"]}
        for name in shared:
            kept, was = found[name], value[name]
            if kept == "a" and was in {"b", "c"}:
                continue  # a symbol that came later is read as the default symbol
            same = kept == was or (isinstance(was, str | bytes) and as_bytes(kept) == as_bytes(was))
            assert same or isinstance(kept, float), (name, was, kept)


def as_bytes(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value
