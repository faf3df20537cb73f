"""Values of any Avro schema, for properties over all versions that were ever published."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from streams.contracts.wire.plan import Node
from streams.contracts.wire.schema_tree import named_types

TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONG = st.integers(-(2**63), 2**63 - 1)
INSTANT = st.integers(0, 7 * 10**15).map(lambda us: EPOCH + timedelta(microseconds=us))
NUMBER = st.decimals(-(10**9), 10**9, places=3)
PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": LONG,
    "double": st.floats(allow_nan=False),
    "float": st.floats(allow_nan=False, width=32),
    "string": TEXT,
    "bytes": st.binary(max_size=6),
}
NAMED: dict[str, Callable[[Any], st.SearchStrategy[Any]]] = {
    "enum": lambda schema: st.sampled_from(schema["symbols"]),
    "fixed": lambda schema: st.binary(min_size=schema["size"], max_size=schema["size"]),
}


def values(schema: Any, node: Node | None) -> st.SearchStrategy[Any]:
    """Values that a schema allows.

    Args:
        schema: Self-contained.
        node: How today's model reads it, where the model has it: a text may be a number to it.
    """
    return _Maker(schema).of(schema, node)


class _Maker:
    def __init__(self, schema: Any) -> None:
        self._types = named_types(schema)

    def of(self, schema: Any, node: Node | None) -> st.SearchStrategy[Any]:
        part = node.parts[0] if node is not None and node.parts else None
        if isinstance(schema, list):
            inner = part if node is not None and node.kind == "optional" else None
            return st.one_of([self.of(branch, inner) for branch in schema])
        if isinstance(schema, str):
            schema = self._types.get(schema, {"type": schema})
        match schema["type"]:
            case "record":
                return self._record(schema, node)
            case "array":
                return st.lists(self.of(schema["items"], part), max_size=3)
            case "map":
                return st.dictionaries(TEXT, self.of(schema["values"], part), max_size=3)
            case _:
                return _scalar(schema, node)

    def _record(self, schema: dict[str, Any], node: Node | None) -> st.SearchStrategy[Any]:
        parts = dict(zip(node.names, node.parts, strict=True)) if node is not None else {}
        return st.fixed_dictionaries(
            {
                field["name"]: self.of(field["type"], parts.get(field["name"]))
                for field in schema["fields"]
            }
        )


def _scalar(schema: dict[str, Any], node: Node | None) -> st.SearchStrategy[Any]:
    logical = schema.get("logicalType")
    if logical == "decimal":
        scale = schema.get("scale", 0)
        limit = 10 ** (schema["precision"] - scale) - 1
        return st.decimals(-limit, limit, places=scale)
    if logical == "timestamp-micros":
        return INSTANT
    if logical == "timestamp-millis":
        return INSTANT.map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000))
    if node is not None and node.kind == "decimal":
        return NUMBER.map(str)
    if schema["type"] in NAMED:
        return NAMED[schema["type"]](schema)
    return PLAIN[schema["type"]]


def comparable(value: Any) -> Any:
    """A plain value with numbers as text, instants as ISO text and bytes as hex."""
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [comparable(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return value.hex() if isinstance(value, bytes) else value
