"""Records as they came from the broker, decoded without any of the source's own code."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import fastavro

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.engine import Record


@dataclass
class Event:
    """A record.

    Attributes:
        topic: Its topic without the server's prefix.
        key: Decoded key, None without one.
        value: Decoded value, None for a tombstone.
        schemas: Schemas of key and value, as its form has them.
        headers: Names and bytes.
        case: The case it came of.
    """

    topic: str
    key: Any
    value: Any
    schemas: tuple[Any, Any] = (None, None)
    headers: dict[str, bytes] = field(default_factory=dict)
    case: str = ""


class Reader:
    """Decodes records.

    Args:
        schema_of: Gives an Avro schema by id.
        json_form: The records are JSON.
    """

    def __init__(self, schema_of: Callable[[int], Any], *, json_form: bool) -> None:
        self._schema_of = schema_of
        self._json = json_form
        self._schemas: dict[int, tuple[Any, Any]] = {}

    def event(self, topic: str, record: Record) -> Event:
        key, key_schema = self._part(record.key)
        value, value_schema = self._part(record.value)
        headers = dict(record.headers or ())
        return Event(topic, key, value, (key_schema, value_schema), headers)

    def _part(self, payload: bytes | None) -> tuple[Any, Any]:
        if payload is None:
            return None, None
        if self._json:
            found = json.loads(payload)
            if isinstance(found, dict) and set(found) == {"schema", "payload"}:
                return found["payload"], found["schema"]
            return found, None
        if payload[:1] != b"\0":
            return payload.decode(), "string"
        schema, parsed = self._schema(int.from_bytes(payload[1:5], "big"))
        rest = io.BytesIO(payload[5:])
        found = fastavro.schemaless_reader(rest, parsed)
        assert rest.read() == b"", "bytes behind the record"
        return plain(schema, found), schema

    def _schema(self, schema_id: int) -> tuple[Any, Any]:
        if schema_id not in self._schemas:
            schema = self._schema_of(schema_id)
            # Without logical types, so that a decimal which Avro itself forbids is read too.
            self._schemas[schema_id] = schema, fastavro.parse_schema(_bare(schema))
        return self._schemas[schema_id]


def _bare(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _bare(each) if name in {"type", "items", "values", "fields"} else each
        for name, each in schema.items()
        if name not in {"logicalType", "precision", "scale"}
    }


def plain(schema: Any, value: Any) -> Any:
    """A value as the oracle's files write it: decimals as text, bytes in base64."""
    return _Plain().of(schema, value)


class _Plain:
    def __init__(self) -> None:
        self._named: dict[str, Any] = {}

    def of(self, schema: Any, value: Any) -> Any:
        if isinstance(schema, list):
            branch = next((each for each in schema if each != "null"), "null")
            self._meet(branch)
            return None if value is None else self.of(branch, value)
        if isinstance(schema, str):
            known = self._named.get(schema.rpartition(".")[2])
            return self._leaf(schema, value) if known is None else self.of(known, value)
        self._meet(schema)
        match schema["type"]:
            case "record":
                return {
                    each["name"]: self.of(each["type"], value[each["name"]])
                    for each in schema["fields"]
                }
            case "array":
                return [self.of(schema["items"], each) for each in value]
            case "map":
                return {name: self.of(schema["values"], each) for name, each in value.items()}
            case _:
                return self._leaf(schema, value)

    def _meet(self, schema: Any) -> None:
        if isinstance(schema, dict) and schema["type"] == "record":
            self._named[schema["name"].rpartition(".")[2]] = schema

    @staticmethod
    def _leaf(schema: Any, value: Any) -> Any:
        if isinstance(value, bytes):
            if isinstance(schema, dict) and schema.get("logicalType") == "decimal":
                return _decimal(value, schema["scale"])
            return {"__bytes_b64": base64.b64encode(value).decode()}
        return value


def _decimal(value: bytes, scale: int) -> str:
    unscaled = int.from_bytes(value, "big", signed=True)
    sign, digits = "-" * (unscaled < 0), str(abs(unscaled)).zfill(scale + 1)
    number = Decimal(sign + digits[: len(digits) - scale] + "." + digits[len(digits) - scale :])
    return format(number, "f") if scale else sign + digits
