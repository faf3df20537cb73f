"""A column's plan: the pieces of bytes that a row is put together from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.sources.encoding import primitives as avro
from connectors.sources.postgres.shape import envelope
from connectors.sources.postgres.shape.dialect.defaults import NO_DEFAULT
from connectors.sources.postgres.shape.dialect.modes import base64_text
from connectors.sources.postgres.shape.wire import CELL_NULL, CELL_STRING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from connectors.sources.postgres.form import RecordForm
    from connectors.sources.postgres.shape.values import Encode
    from connectors.sources.postgres.shape.wire import Label, WireType


COLUMN = "column"
"""Attribute of a field: the column's own name, for forms that can write it."""


@dataclass(slots=True)
class Row:
    """A row, encoded.

    Attributes:
        value: Avro body of the raw topic's `Value`.
        cells: Map entries of the transaction record, one per column that has a value there.
        absent: Columns whose unchanged large value the log does not repeat.
        texts: The text of values that have no form on the raw topic, by column.
    """

    value: bytes
    cells: list[bytes]
    absent: list[str]
    texts: dict[str, bytes]


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
        default: The default that the schema holds, or `NO_DEFAULT`; null then comes second.
        left_out: The column has no part in the raw record; its bodies are empty.
        labels: What notices new labels of its enums.
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
    default: Any = NO_DEFAULT
    left_out: bool = False
    labels: tuple[Label, ...] = ()


def planned(
    name: str,
    wire: WireType,
    *,
    nullable: bool,
    mirror: RecordForm | None,
    default: Any = NO_DEFAULT,
) -> Column:
    """Plan a column.

    Args:
        name: The column.
        wire: How its type travels.
        nullable: It may be null.
        mirror: The form of a source that does exactly as Debezium, else None.
        default: The default that the schema holds, or `NO_DEFAULT`.
    """
    entry = avro.string(name)
    some, nothing = b"", wire.zero
    if nullable and not wire.left_out:
        # A union's default is of its first branch.
        null_first = default is NO_DEFAULT or default is None
        some, nothing = (avro.SOME, avro.NULL) if null_first else (avro.NULL, avro.SOME)
    unchanged = nothing if mirror is None else _placeholder(wire, mirror, some, nothing)
    return Column(
        name=name,
        field=envelope.field_name(name),
        schema=wire.schema,
        encode=wire.encode,
        nullable=nullable,
        zero=wire.zero,
        some=some,
        nothing=nothing,
        unchanged=unchanged,
        cell_body=bool(wire.cell),
        cell_some=entry + (wire.cell or CELL_STRING),
        cell_nothing=entry + CELL_NULL,
        default=default,
        left_out=wire.left_out,
        labels=wire.labels,
    )


def _placeholder(wire: WireType, form: RecordForm, some: bytes, nothing: bytes) -> bytes:
    """What stands for an unchanged large value where no list of names does."""
    if wire.left_out:
        return b""
    holder = wire.schema if isinstance(wire.schema, str) else wire.schema["type"]
    if wire.encode is base64_text:
        return nothing
    if holder in ("string", "bytes"):
        return some + avro.string(form.placeholder)
    return some + wire.zero


def member(column: Column, *, named: bool = False) -> dict[str, Any]:
    """A column as a field of the row's schema.

    Args:
        column: The column.
        named: The field says what the column is called where Avro does not allow its name.
    """
    out: dict[str, Any] = {"name": column.field, "type": column.schema}
    if column.default is not NO_DEFAULT:
        schema = column.schema if isinstance(column.schema, dict) else {"type": column.schema}
        kind = {**schema, "connect.default": column.default}
        out["type"] = [kind, "null"] if column.nullable else kind
        out["default"] = column.default
    elif column.nullable:
        out["type"], out["default"] = ["null", column.schema], None
    if named and column.field != column.name:
        out[COLUMN] = column.name
    return out


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
