"""Matches a Python type with an Avro schema, part by part.

| Python | Avro |
|---|---|
| `str`, `StrEnum`, `Literal` | string, enum |
| `int`, `bool`, `bytes`, `float` | long or int, boolean, bytes or fixed, double or float |
| `Decimal` | string (never a float) |
| aware `datetime` | timestamp-micros or timestamp-millis |
| `T | None` | union of null and T |
| union of `None`, `bool`, `int`, `float`, `str`, `bytes` | union of their types |
| `tuple[T, ...]`, `list[T]`, `Sequence[T]` | array |
| `Mapping[str, T]`, `dict[str, T]` | map |
| dataclass | record with the same field names |
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from streams.contracts.wire.schema_tree import full_name, title_of
from streams.errors import Misconfigured

_SCALARS: dict[tuple[str, str], type] = {
    ("string", ""): str,
    ("long", ""): int,
    ("int", ""): int,
    ("boolean", ""): bool,
    ("bytes", ""): bytes,
    ("double", ""): float,
    ("float", ""): float,
    ("null", ""): type(None),
    ("long", "timestamp-micros"): datetime,
    ("long", "timestamp-millis"): datetime,
}


@dataclass(frozen=True, slots=True)
class Node:
    """One part of a plan.

    Attributes:
        kind: What the bytes are: an Avro type, or `decimal`, `micros`, `millis`, `optional`.
        python: The Python type to build: a dataclass, an enum, `tuple`, `list`, `dict`.
        parts: Items, values, branches or fields.
        names: Field names of a record, symbols of an enum.
        number: The size of a fixed, or the index of null in an `optional`.
    """

    kind: str
    python: type = object
    parts: tuple[Node, ...] = ()
    names: tuple[str, ...] = ()
    number: int = 0


def plan(schema: Any, annotation: Any) -> Node:
    """Match a self-contained schema with a Python type.

    Raises:
        Misconfigured: `model_schema_mismatch`, naming the place and both types.
    """
    return _Planner().node(schema, annotation, title_of(schema))


class _Planner:
    def __init__(self) -> None:
        self._types: dict[str, dict[str, Any]] = {}

    def node(self, schema: Any, annotation: Any, where: str) -> Node:
        annotation = _plain(annotation)
        if isinstance(schema, list):
            return self._union(schema, annotation, where)
        if isinstance(schema, str):
            schema = self._types.get(schema, {"type": schema})
        kind = schema["type"]
        match kind:
            case "record":
                return self._record(schema, annotation, where)
            case "array" | "map":
                return self._container(schema, annotation, where)
            case "enum" | "fixed":
                return self._named(schema, annotation, where)
            case _:
                return _scalar(schema, annotation, where)

    def _record(self, schema: dict[str, Any], annotation: Any, where: str) -> Node:
        if not (isinstance(annotation, type) and is_dataclass(annotation)):
            raise _mismatch(where, schema, annotation)
        self._types[full_name(schema)] = schema
        names = tuple(field["name"] for field in schema["fields"])
        known = {field.name for field in fields(annotation) if field.init}
        if set(names) != known:
            odd = ", ".join(sorted(known.symmetric_difference(names)))
            raise Misconfigured(
                f"{annotation.__name__} and {where} have different fields: {odd}",
                code="model_schema_mismatch",
                advice="give both the same fields; a schema that is published needs a new version",
            )
        hints = _hints(annotation)
        parts = tuple(
            self.node(field["type"], hints[field["name"]], f"{where}.{field['name']}")
            for field in schema["fields"]
        )
        return Node("record", annotation, parts, names)

    def _container(self, schema: dict[str, Any], annotation: Any, where: str) -> Node:
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if schema["type"] == "map" and origin in {dict, Mapping} and arguments[0] is str:
            return Node("map", dict, (self.node(schema["values"], arguments[1], f"{where}{{}}"),))
        if schema["type"] == "array" and origin in {tuple, list, Sequence}:
            if origin is tuple and arguments[1:] != (...,):
                raise _mismatch(where, schema, annotation)
            built = list if origin is list else tuple
            return Node("array", built, (self.node(schema["items"], arguments[0], f"{where}[]"),))
        raise _mismatch(where, schema, annotation)

    def _named(self, schema: dict[str, Any], annotation: Any, where: str) -> Node:
        self._types[full_name(schema)] = schema
        if schema["type"] == "fixed" and annotation is bytes:
            return Node("fixed", bytes, number=schema["size"])
        if schema["type"] == "enum" and _is_text(annotation):
            return Node("enum", annotation, names=tuple(schema["symbols"]))
        raise _mismatch(where, schema, annotation)

    def _union(self, schema: list[Any], annotation: Any, where: str) -> Node:
        members = [_plain(member) for member in _members(annotation)]
        branches = [branch for branch in schema if branch != "null"]
        rest = [member for member in members if member is not type(None)]
        if ("null" in schema) != (type(None) in members):
            raise _mismatch(where, schema, annotation)
        if len(schema) == 2 and len(branches) == 1 and len(rest) == 1:
            part = self.node(branches[0], rest[0], where)
            return Node("optional", part.python, (part,), number=schema.index("null"))
        wanted = [
            _SCALARS.get((branch, "")) if isinstance(branch, str) else None for branch in schema
        ]
        if None in wanted or set(wanted) != set(members) or len(wanted) != len(set(wanted)):
            raise _mismatch(where, schema, annotation)
        return Node("union", parts=tuple(Node(branch, _SCALARS[branch, ""]) for branch in schema))


def _scalar(schema: dict[str, Any], annotation: Any, where: str) -> Node:
    kind, logical = schema["type"], schema.get("logicalType", "")
    if kind == "string" and _is_text(annotation):
        return Node("string", annotation)
    if kind == "string" and annotation is Decimal:
        return Node("decimal", Decimal)
    wanted = _SCALARS.get((kind, logical))
    if wanted is None or wanted is not annotation:
        raise _mismatch(where, schema, annotation)
    return Node(logical.removeprefix("timestamp-") if logical else kind, wanted)


def _plain(annotation: Any) -> Any:
    """The type behind a `NewType`, a type alias or a `Literal` of texts."""
    if annotation is None:
        return type(None)
    while (inner := getattr(annotation, "__supertype__", None)) is not None:
        annotation = inner
    if type(annotation).__name__ == "TypeAliasType":
        return _plain(annotation.__value__)
    if typing.get_origin(annotation) is typing.Literal:
        return str if all(isinstance(a, str) for a in typing.get_args(annotation)) else annotation
    return annotation


def _members(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return typing.get_args(annotation)
    return (annotation,)


def _is_text(annotation: Any) -> bool:
    return annotation is str or (isinstance(annotation, type) and issubclass(annotation, StrEnum))


def _hints(python: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(python)
    except NameError as error:
        raise Misconfigured(
            f"The types of {python.__module__}.{python.__qualname__} are not known at run time: "
            f"{error}",
            code="model_schema_mismatch",
            advice="import the types of its fields outside `if TYPE_CHECKING`",
        ) from error


def _mismatch(where: str, schema: Any, annotation: Any) -> Misconfigured:
    python = getattr(annotation, "__qualname__", None) or str(annotation)
    avro = schema if isinstance(schema, list) else title_of(schema)
    return Misconfigured(
        f"{where} is {avro} in the schema and {python} in Python, which do not fit",
        code="model_schema_mismatch",
        advice="see the table in streams/contracts/wire/plan.py",
    )
