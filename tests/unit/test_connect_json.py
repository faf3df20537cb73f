"""Records in Kafka Connect's JSON, made from their Avro form."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import RawRecord
from connectors.runner.connect_json import JsonForm
from connectors.sources.postgres.shape.columns import COLUMN
from streams.errors import Poison

POINT = {
    "type": "record",
    "name": "Point",
    "namespace": "geo",
    "fields": [{"name": "x", "type": "double"}],
    "connect.name": "geo.Point",
    "connect.version": 1,
    "connect.doc": "a point",
}
ROW = {
    "type": "record",
    "name": "Value",
    "fields": [
        {"name": "id", "type": {"type": "int", "connect.type": "int16"}},
        {"name": "_1st", "type": ["null", "string"], "default": None, COLUMN: "1st"},
        {
            "name": "price",
            "type": [
                {
                    "type": "bytes",
                    "scale": 2,
                    "precision": 8,
                    "connect.version": 1,
                    "connect.parameters": {"scale": "2"},
                    "connect.default": "\u0000\u0096",
                    "connect.name": "org.apache.kafka.connect.data.Decimal",
                    "logicalType": "decimal",
                },
                "null",
            ],
            "default": "\u0000\u0096",
        },
        {"name": "at", "type": ["null", POINT], "default": None},
        {"name": "also", "type": ["null", "geo.Point"], "default": None},
        {"name": "many", "type": ["null", {"type": "array", "items": ["null", "long"]}]},
        {"name": "texts", "type": ["null", {"type": "map", "values": "string"}]},
    ],
    "connect.name": "s.t.Value",
}
SCHEMA = {
    "type": "record",
    "name": "Envelope",
    "namespace": "s.t",
    "fields": [
        {"name": "before", "type": ["null", ROW], "default": None},
        {"name": "after", "type": ["null", "Value"], "default": None},
        {"name": "op", "type": "string"},
    ],
    "connect.name": "s.t.Envelope",
    "connect.version": 2,
}
FULL: dict[str, Any] = {
    "id": 7,
    "_1st": "x",
    "price": b"\x01\x02",
    "at": {"x": math.inf},
    "also": {"x": 1.5},
    "many": [1, None],
    "texts": {"after.n": "NaN"},
}


def framed(form: JsonForm, value: dict[str, Any]) -> bytes:
    number = form.register("t-value", SCHEMA)
    body = io.BytesIO()
    bare = json.loads(json.dumps(SCHEMA).replace('"logicalType"', '"meaning"'))
    fastavro.schemaless_writer(body, fastavro.parse_schema(bare), value)
    return b"\0" + number.to_bytes(4, "big") + body.getvalue()


def written(form: JsonForm, value: dict[str, Any]) -> Any:
    (record,) = form.records([RawRecord("t", None, framed(form, value), [])])
    assert record.value is not None
    return json.loads(record.value)


def test_a_value_travels_as_connect_writes_it() -> None:
    found = written(JsonForm(with_schemas=False), {"before": None, "after": FULL, "op": "c"})
    assert found == {
        "before": None,
        "after": {
            "id": 7,
            "1st": "x",
            "price": "AQI=",
            "at": {"x": "Infinity"},
            "also": {"x": 1.5},
            "many": [1, None],
            "texts": {"after.n": "NaN"},
        },
        "op": "c",
    }


def test_a_record_carries_its_schema() -> None:
    found = written(JsonForm(with_schemas=True), {"before": None, "after": FULL, "op": "c"})
    assert found["payload"]["after"]["id"] == 7
    envelope = found["schema"]
    assert (envelope["type"], envelope["name"], envelope["version"]) == (
        "struct",
        "s.t.Envelope",
        2,
    )
    before, after, op = envelope["fields"]
    assert {**before, "field": "after"} == after
    assert op == {"type": "string", "optional": False, "field": "op"}
    fields = {each["field"]: each for each in after["fields"]}
    assert fields["id"] == {"type": "int16", "optional": False, "field": "id"}
    assert fields["1st"] == {"type": "string", "optional": True, "field": "1st"}
    assert fields["price"] == {
        "type": "bytes",
        "optional": True,
        "name": "org.apache.kafka.connect.data.Decimal",
        "version": 1,
        "parameters": {"scale": "2"},
        "default": "AJY=",
        "field": "price",
    }
    assert fields["at"]["doc"] == "a point"
    assert {**fields["also"], "field": "at"} == fields["at"]
    assert fields["many"]["items"] == {"type": "int64", "optional": True}
    assert fields["texts"]["values"] == {"type": "string", "optional": False}


def test_keys_in_headers_are_written_like_keys_and_nothing_else_is_touched() -> None:
    form = JsonForm(with_schemas=False)
    value = framed(form, {"before": None, "after": None, "op": "d"})
    headers = [("event_id", b"\0\0"), ("__debezium.oldkey", value)]
    (record,) = form.records([RawRecord("t", value, None, headers, 3)])
    assert json.loads(record.key or b"") == {"before": None, "after": None, "op": "d"}
    assert record.value is None
    assert record.partition == 3
    assert record.headers == [("event_id", b"\0\0"), ("__debezium.oldkey", record.key)]
    plain = RawRecord("history", b'["erp"]', b"{}", [])
    assert form.records([plain]) == [plain]


def test_schemas_are_numbered_once_and_never_refused() -> None:
    form = JsonForm(with_schemas=False)
    number = form.register("t-value", SCHEMA)
    assert form.register("t-value", dict(SCHEMA)) == number
    assert form.lookup("t-value", SCHEMA) == number
    assert form.lookup("u-value", SCHEMA) is None
    assert form.schema_of(number) == SCHEMA
    assert form.versions("t-value") == (SCHEMA,)
    assert form.compatible("t-value", {})
    assert form.level() == form.subject_level("t-value") == "NONE"
    with pytest.raises(Poison):
        form.schema_of(number + 1)


@given(st.floats(), st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))), st.text())
def test_any_value_is_json(number: float, many: list[int | None], text: str) -> None:
    row = {**FULL, "at": {"x": number}, "many": many, "_1st": text}
    found = written(JsonForm(with_schemas=False), {"before": row, "after": None, "op": "d"})
    assert found["before"]["many"] == many
    assert found["before"]["1st"] == text
    x = found["before"]["at"]["x"]
    assert float(x) == number or (x == "NaN" and math.isnan(number))
