"""A column's plan: the pieces of bytes that a row is put together from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.sources.encoding import primitives as avro
from connectors.sources.postgres.shape import envelope
from connectors.sources.postgres.shape.types import CELL_NULL, CELL_STRING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from connectors.sources.postgres.shape.types import WireType
    from connectors.sources.postgres.shape.values import Encode

PLACEHOLDER = b"__debezium_unavailable_value"
"""What Debezium writes for a large value that did not change."""


@dataclass(frozen=True, slots=True)
class Column:
    """How one column's values are written.

    Attributes:
        name: The column.
        field: Its Avro name.
        schema: Its Avro type, without null.
        encode: From the server's text form to the Avro body.
        nullable: The field is a union with null.
        zero: The body that stands for "no value" where there is no null.
        some: What stands before a body.
        nothing: What stands for null.
        unchanged: What stands for an unchanged large value.
        cell_body: The transaction record's cell has the same body.
        cell_some: The cell's name and branch, before a body.
        cell_nothing: The cell's name and null.
    """

    name: str
    field: str
    schema: Any
    encode: Encode
    nullable: bool
    zero: bytes
    some: bytes
    nothing: bytes
    unchanged: bytes
    cell_body: bool
    cell_some: bytes
    cell_nothing: bytes


def planned(name: str, wire: WireType, *, nullable: bool, mirror: bool) -> Column:
    """Plan a column."""
    entry = avro.string(name)
    holder = wire.schema if isinstance(wire.schema, str) else wire.schema["type"]
    placeholder = avro.raw(PLACEHOLDER) if holder in ("string", "bytes") else wire.zero
    some = avro.SOME if nullable else b""
    nothing = avro.NULL if nullable else wire.zero
    return Column(
        name=name,
        field=envelope.field_name(name),
        schema=wire.schema,
        encode=wire.encode,
        nullable=nullable,
        zero=wire.zero,
        some=some,
        nothing=nothing,
        unchanged=some + placeholder if mirror else nothing,
        cell_body=bool(wire.cell),
        cell_some=entry + (wire.cell or CELL_STRING),
        cell_nothing=entry + CELL_NULL,
    )


def member(column: Column) -> dict[str, Any]:
    """A column as a field of the row's schema."""
    if not column.nullable:
        return {"name": column.field, "type": column.schema}
    return {"name": column.field, "type": ["null", column.schema], "default": None}


def named_once(fields: Iterable[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Define a named record at its first use and refer to it by name afterwards."""
    seen: set[str] = set()

    def walk(schema: Any) -> Any:
        if isinstance(schema, list):
            return [walk(branch) for branch in schema]
        if not isinstance(schema, dict):
            return schema
        if schema["type"] == "array":
            return {**schema, "items": walk(schema["items"])}
        if schema["type"] != "record":
            return schema
        name = f"{schema['namespace']}.{schema['name']}"
        if name in seen:
            return name
        seen.add(name)
        return schema

    return [{**field, "type": walk(field["type"])} for field in fields]
