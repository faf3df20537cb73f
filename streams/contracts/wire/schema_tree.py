"""Avro schemas as trees: references inlined, dangerous forms refused, wire shapes compared.

A recursive schema can kill the process that decodes a small crafted record, and an array whose
items take no bytes turns five bytes into millions of items. Both are refused before a decoder is
built, wherever the schema comes from.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable

PRIMITIVES = frozenset(
    {"null", "boolean", "int", "long", "float", "double", "bytes", "string"},
)
NAMED = frozenset({"record", "error", "enum", "fixed"})
_SHAPE_KEYS = ("symbols", "size", "logicalType", "precision", "scale")

Schema = Any
"""An Avro schema as parsed JSON: a name, a list (union) or an object."""


def full_name(schema: dict[str, Any], namespace: str = "") -> str:
    """The full name of a named type declared inside `namespace`."""
    name = str(schema["name"])
    if "." in name:
        return name
    space = str(schema.get("namespace", namespace))
    return f"{space}.{name}" if space else name


def title_of(schema: Schema) -> str:
    """What to call a schema in a message: its full name, or the kind of type it is."""
    if isinstance(schema, dict):
        return full_name(schema) if "name" in schema else str(schema.get("type"))
    return "union" if isinstance(schema, list) else str(schema)


class _Inliner:
    """Copies a schema, writes full names and puts each named type in at its first use."""

    def __init__(self, lookup: Callable[[str], dict[str, Any] | None]) -> None:
        self._lookup = lookup
        self._done: set[str] = set()
        self._open: list[str] = []

    def copy(self, schema: Schema, namespace: str) -> Schema:
        if isinstance(schema, list):
            return [self.copy(branch, namespace) for branch in schema]
        if isinstance(schema, str):
            return self._reference(schema, namespace)
        kind = schema["type"]
        if not isinstance(kind, str) or not _is_a_kind(kind):
            return self.copy(kind, namespace)  # a type wrapped in another object is itself
        if kind in NAMED:
            return self._named(schema, namespace)
        copied = dict(schema)
        for part in ("items", "values"):
            if part in schema:
                copied[part] = self.copy(schema[part], namespace)
        return copied

    def _reference(self, name: str, namespace: str) -> Schema:
        if name in PRIMITIVES:
            return name
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        self._refuse_recursion(full)
        if full in self._done:
            return full
        declared = self._lookup(full)
        if declared is None:
            raise Misconfigured(
                f"The schema refers to {full!r}, which no file declares",
                code="unknown_schema_reference",
                advice="declare the type in schemas/avro or correct the name",
            )
        return self._named(declared, "")

    def _named(self, schema: dict[str, Any], namespace: str) -> Schema:
        full = full_name(schema, namespace)
        self._refuse_recursion(full)
        if full in self._done:
            raise Misconfigured(
                f"The type {full!r} is declared twice in one schema",
                code="duplicate_schema_name",
                advice="declare it once and refer to it by its full name",
            )
        copied = {key: value for key, value in schema.items() if key != "namespace"}
        copied["name"] = full
        self._open.append(full)
        if "fields" in schema:
            space = full.rpartition(".")[0]
            copied["fields"] = [
                {**field, "type": self.copy(field["type"], space)} for field in schema["fields"]
            ]
        self._open.pop()
        self._done.add(full)
        return copied

    def _refuse_recursion(self, full: str) -> None:
        if full in self._open:
            raise Misconfigured(
                f"The schema {self._open[0]!r} contains itself through {full!r}",
                code="recursive_schema",
                advice="flatten it; a recursive schema lets a small record end the process",
            )


def _is_a_kind(name: str) -> bool:
    return name in PRIMITIVES or name in NAMED or name in {"array", "map"}


def inline(schema: Schema, lookup: Callable[[str], dict[str, Any] | None]) -> Schema:
    """Make a schema self-contained.

    Args:
        schema: The schema; it is not changed.
        lookup: Gives the declaration of a full name, or None.

    Returns:
        A copy with full names only, each named type written out at its first use.

    Raises:
        Misconfigured: `unknown_schema_reference`, `duplicate_schema_name`, `recursive_schema`, or
            `zero_size_items` for an array or map whose values take no bytes.
    """
    copied = _Inliner(lookup).copy(schema, "")
    _refuse_zero_size_items(copied, named_types(copied))
    return copied


def self_contained(schema: Schema) -> Schema:
    """`inline` for a schema that must bring all its types itself."""
    return inline(schema, lambda _: None)


def named_types(schema: Schema) -> dict[str, dict[str, Any]]:
    """Every named type of a self-contained schema, by full name."""
    found: dict[str, dict[str, Any]] = {}
    for node in walk(schema):
        if isinstance(node, dict) and "name" in node and node.get("type") in NAMED:
            found[full_name(node)] = node
    return found


def walk(schema: Schema) -> list[Schema]:
    """All schemas inside a self-contained schema, itself first."""
    nodes = [schema]
    if isinstance(schema, list):
        parts = list(schema)
    elif isinstance(schema, dict):
        parts = [field["type"] for field in schema.get("fields", ())]
        parts += [schema[part] for part in ("items", "values") if part in schema]
    else:
        parts = []
    for part in parts:
        nodes += walk(part)
    return nodes


def _refuse_zero_size_items(schema: Schema, types: dict[str, dict[str, Any]]) -> None:
    for node in walk(schema):
        if isinstance(node, dict) and "items" in node and not _takes_bytes(node["items"], types):
            raise Misconfigured(
                f"The schema {title_of(schema)!r} has an array whose items take no bytes",
                code="zero_size_items",
                advice="give the items a value; a few bytes could stand for millions of them",
            )


def _takes_bytes(schema: Schema, types: dict[str, dict[str, Any]]) -> bool:
    if isinstance(schema, list):
        return True
    if isinstance(schema, str):
        return schema != "null" and (schema not in types or _takes_bytes(types[schema], types))
    kind = schema["type"]
    if kind in {"record", "error"}:
        return any(_takes_bytes(field["type"], types) for field in schema["fields"])
    if kind == "fixed":
        return bool(schema["size"] > 0)
    return bool(kind != "null")


def shape(schema: Schema) -> str:
    """Everything of a self-contained schema that matters for bytes and their meaning, as text.

    Unlike Avro's parsing canonical form it keeps logical types: microseconds read as milliseconds
    have the same bytes and another meaning. Two schemas of one shape need no resolution.
    """
    return json.dumps(_shape(schema), separators=(",", ":"), sort_keys=True)


def _shape(schema: Schema) -> Schema:
    if isinstance(schema, list):
        return [_shape(branch) for branch in schema]
    if isinstance(schema, str):
        return {"type": schema}
    kept: dict[str, Any] = {key: schema[key] for key in _SHAPE_KEYS if key in schema}
    kept["type"] = schema["type"]
    if "name" in schema:
        kept["name"] = full_name(schema)
    for part in ("items", "values"):
        if part in schema:
            kept[part] = _shape(schema[part])
    if "fields" in schema:
        kept["fields"] = [[field["name"], _shape(field["type"])] for field in schema["fields"]]
    return kept
