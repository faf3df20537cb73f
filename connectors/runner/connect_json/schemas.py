"""An Avro schema as Kafka Connect's own, and its values as Connect's JSON writes them."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from connectors.sources.postgres.shape.columns import COLUMN

_PLAIN = {
    "int": "int32",
    "long": "int64",
    "float": "float",
    "double": "double",
    "string": "string",
    "bytes": "bytes",
    "boolean": "boolean",
}
_META = {"connect.name": "name", "connect.version": "version", "connect.doc": "doc"}
Convert = Callable[[Any], Any]
"""From a decoded value to what JSON holds."""


class Schemas:
    """Translates one Avro schema; named records are met before they are referred to.

    Args:
        avro: The schema.
    """

    def __init__(self, avro: Any) -> None:
        self._named: dict[str, Any] = {}
        self.bare = self._stripped(avro, "")
        """The schema without logical types, so that values come as they are stored."""
        self._avro = avro

    def connect(self) -> dict[str, Any]:
        """The schema in Connect's form."""
        return self._connect(self._avro, "")

    def converter(self) -> Convert:
        """What turns decoded values into JSON's."""
        return self._convert(self._avro, "")

    def _stripped(self, schema: Any, space: str) -> Any:
        if isinstance(schema, list):
            return [self._stripped(each, space) for each in schema]
        if not isinstance(schema, dict):
            return schema
        space = self._meet(schema, space)
        kept = {
            name: each
            for name, each in schema.items()
            if name not in {"logicalType", "precision", "scale"}
        }
        for name in ("type", "items", "values"):
            if name in kept:
                kept[name] = self._stripped(kept[name], space)
        if "fields" in kept:
            kept["fields"] = [
                {**each, "type": self._stripped(each["type"], space)} for each in kept["fields"]
            ]
        return kept

    def _meet(self, schema: dict[str, Any], space: str) -> str:
        if schema.get("type") != "record":
            return space
        space = schema.get("namespace", space)
        self._named[f"{space}.{schema['name']}"] = schema
        return space

    def _resolved(self, schema: Any, space: str) -> tuple[Any, str, bool]:
        """The schema itself, the name space inside it, and whether it may be null."""
        nullable = isinstance(schema, list)
        if nullable:
            schema = next(each for each in schema if each != "null")
        if isinstance(schema, str):
            name = schema if "." in schema else f"{space}.{schema}"
            schema = self._named.get(name, schema)
        if isinstance(schema, dict):
            space = self._meet(schema, space)
        return schema, space, nullable

    def _connect(self, schema: Any, space: str) -> dict[str, Any]:
        schema, space, nullable = self._resolved(schema, space)
        if isinstance(schema, str):
            return {"type": _PLAIN[schema], "optional": nullable}
        out: dict[str, Any] = {}
        match schema["type"]:
            case "record":
                out["type"] = "struct"
                out["fields"] = [self._field(each, space) for each in schema["fields"]]
            case "array":
                out |= {"type": "array", "items": self._connect(schema["items"], space)}
            case "map":
                out |= {"type": "map", "keys": {"type": "string", "optional": False}}
                out["values"] = self._connect(schema["values"], space)
            case kind:
                out["type"] = schema.get("connect.type", _PLAIN[kind])
        out["optional"] = nullable
        out |= {ours: schema[theirs] for theirs, ours in _META.items() if theirs in schema}
        if "connect.parameters" in schema:
            out["parameters"] = schema["connect.parameters"]
        return out

    def _field(self, field: dict[str, Any], space: str) -> dict[str, Any]:
        out = self._connect(field["type"], space)
        default = field.get("default")
        if default is not None:
            if out["type"] == "bytes":
                default = default.encode("latin-1")
            out["default"] = self._convert(field["type"], space)(default)
        out["field"] = _name(field)
        return out

    def _convert(self, schema: Any, space: str) -> Convert:
        schema, space, _ = self._resolved(schema, space)
        kind = schema if isinstance(schema, str) else schema["type"]
        match kind:
            case "record":
                members = [
                    (_name(each), each["name"], self._convert(each["type"], space))
                    for each in schema["fields"]
                ]
                return lambda value: (
                    value and {name: convert(value[field]) for name, field, convert in members}
                )
            case "array":
                each_item = self._convert(schema["items"], space)
                return lambda value: value and [each_item(each) for each in value]
            case "map":
                each_value = self._convert(schema["values"], space)
                return lambda value: (
                    value and {name: each_value(each) for name, each in value.items()}
                )
            case "bytes":
                return _base64
            case "float" | "double":
                return _float
            case _:
                return _same


def _name(field: dict[str, Any]) -> str:
    """What a field is called where more names are allowed than in Avro."""
    return str(field.get(COLUMN, field["name"]))


def _same(value: Any) -> Any:
    return value


def _base64(value: bytes | None) -> str | None:
    return None if value is None else b64encode(value).decode("ascii")


def _float(value: float | None) -> float | str | None:
    """JSON has no word for what is no finite number; Connect's writes Java's."""
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
