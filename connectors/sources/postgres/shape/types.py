"""How each PostgreSQL type travels: the same Avro types that Debezium registers by default.

A type that is not listed travels as its text form; nothing is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from connectors.sources.postgres.form import RecordForm
from connectors.sources.postgres.shape import values
from connectors.sources.postgres.shape.dialect import lossy, modes
from connectors.sources.postgres.shape.wire import (
    CELL_BOOLEAN,
    CELL_BYTES,
    CELL_LONG,
    CELL_STRING,
    FREE_DECIMAL,
    POINT,
    Label,
    WireType,
    decimal_type,
    named,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NUMERIC, MONEY, BIT, VARBIT = 1700, 790, 1560, 1562
TIME, TIMESTAMP, TIMESTAMPTZ = 1083, 1114, 1184
FULL_PRECISION = 6
UNLIMITED_BITS = 2**31 - 1
MONEY_PRECISION = 64
"""The precision that Debezium writes for a decimal without one."""


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """What the catalogue says about a type.

    Attributes:
        name: The type's name.
        kind: `b` base, `e` enum, `d` domain, `c` composite, `r` range, `m` multirange, `p` pseudo.
        base: A domain's base type, else 0.
        base_typmod: A domain's type modifier, else -1.
        element: An array's element type, else 0.
        delimiter: What separates elements of arrays of this type.
        labels: An enum's labels in order; an array's only where they are not its elements' own.
        subtype: Of what a range or multirange is one, else 0.
        fields: The types of a composite's columns.
        send: The function that makes the binary form of a type that is not built in.
    """

    name: str
    kind: str
    base: int = 0
    base_typmod: int = -1
    element: int = 0
    delimiter: str = ","
    labels: tuple[str, ...] = ()
    subtype: int = 0
    fields: tuple[int, ...] = ()
    send: str = ""


_STRING = WireType("string", values.text, CELL_STRING)
_DATA = "io.debezium.data"
_CLOCK = "io.debezium.time"

_FIXED: dict[int, WireType] = {
    22: _STRING,  # the catalogue's own arrays have another text form than arrays
    30: _STRING,
    16: WireType("boolean", values.boolean, CELL_BOOLEAN),
    17: WireType("bytes", values.bytea, CELL_BYTES),
    20: WireType("long", values.long, CELL_LONG),
    21: WireType({"type": "int", "connect.type": "int16"}, values.integer, CELL_LONG),
    23: WireType("int", values.integer, CELL_LONG),
    26: WireType("long", values.long, CELL_LONG),
    114: WireType(named("string", f"{_DATA}.Json"), values.text, CELL_STRING),
    142: WireType(named("string", f"{_DATA}.Xml"), values.text, CELL_STRING),
    600: POINT,
    700: WireType("float", values.float32, zero=bytes(4)),
    701: WireType("double", values.float64, zero=bytes(8)),
    MONEY: decimal_type(MONEY_PRECISION, 2, values.money, declared=False),
    1082: WireType(named("int", f"{_CLOCK}.Date"), values.date),
    1186: WireType(named("long", f"{_CLOCK}.MicroDuration"), values.interval),
    1266: WireType(named("string", f"{_CLOCK}.ZonedTime"), values.zoned_time),
    2950: WireType(named("string", f"{_DATA}.Uuid"), values.text, CELL_STRING),
    3614: WireType(named("string", f"{_DATA}.Tsvector"), values.text, CELL_STRING),
    3802: WireType(named("string", f"{_DATA}.Json"), values.text, CELL_STRING),
}


def _numeric(typmod: int) -> WireType:
    if typmod < 0:
        return FREE_DECIMAL
    packed = typmod - 4
    precision, scale = packed >> 16 & 0xFFFF, ((packed & 0x7FF) ^ 0x400) - 0x400
    if not 0 <= scale <= precision:
        return FREE_DECIMAL  # Avro's decimal has no such scale
    return decimal_type(precision, scale, values.decimal(scale))


def _time(typmod: int) -> WireType:
    if 0 <= typmod <= 3:
        return WireType(named("int", f"{_CLOCK}.Time"), values.time_millis)
    return WireType(named("long", f"{_CLOCK}.MicroTime"), values.time_micros)


def _timestamp(typmod: int) -> WireType:
    if 0 <= typmod <= 3:
        return WireType(named("long", f"{_CLOCK}.Timestamp"), values.timestamp_millis)
    return WireType(named("long", f"{_CLOCK}.MicroTimestamp"), values.timestamp_micros)


def _timestamptz(typmod: int) -> WireType:
    precision = typmod if typmod >= 0 else FULL_PRECISION
    schema = named("string", f"{_CLOCK}.ZonedTimestamp")
    return WireType(schema, values.zoned_timestamp(precision))


def _bits(typmod: int) -> WireType:
    length = typmod if typmod >= 0 else UNLIMITED_BITS
    parameters = {"connect.parameters": {"length": str(length)}}
    return WireType(named("bytes", f"{_DATA}.Bits", **parameters), values.bits)


def _bit(typmod: int) -> WireType:
    return WireType("boolean", values.bit) if typmod == 1 else _bits(typmod)


_BY_MODIFIER: dict[int, Callable[[int], WireType]] = {
    NUMERIC: _numeric,
    TIME: _time,
    TIMESTAMP: _timestamp,
    TIMESTAMPTZ: _timestamptz,
    BIT: _bit,
    VARBIT: _bits,
}


DEFAULT_FORM = RecordForm()


def wire_type(
    oid: int,
    typmod: int,
    types: Mapping[int, TypeFacts],
    *,
    mirror: bool = False,
    form: RecordForm = DEFAULT_FORM,
) -> WireType:
    """Choose how a column's type travels.

    Args:
        oid: The column's type.
        typmod: The column's type modifier.
        types: What the catalogue says about types that are not built in.
        mirror: Do exactly as Debezium, also where that loses values.
        form: The modes of the source.
    """
    found = None if form.plain else modes.changed(oid, typmod, form, mirror=mirror)
    if found is None:
        found = _built_in(oid, typmod)
    if found is not None:
        return lossy.built_in(oid, typmod, found, form) if mirror else found
    if mirror and lossy.is_text(oid):
        return _STRING
    facts = types.get(oid)
    found = None if facts is None else _made(facts, typmod, types, mirror=mirror, form=form)
    if found is not None:
        return found
    return lossy.unknown(form) if mirror else _STRING


def _built_in(oid: int, typmod: int) -> WireType | None:
    if oid in _FIXED:
        return _FIXED[oid]
    return _BY_MODIFIER[oid](typmod) if oid in _BY_MODIFIER else None


def _made(
    facts: TypeFacts,
    typmod: int,
    types: Mapping[int, TypeFacts],
    *,
    mirror: bool,
    form: RecordForm,
) -> WireType | None:
    """A type that is made of others; None for one that travels as text."""
    if facts.kind == "d":
        return wire_type(facts.base, facts.base_typmod, types, mirror=mirror, form=form)
    if facts.kind == "e":
        return _enum(facts)
    if facts.kind == "b" and facts.name == "citext":
        return _STRING
    return _array(facts, typmod, types, mirror=mirror, form=form) if facts.element else None


def _enum(facts: TypeFacts) -> WireType:
    parameters = {"connect.parameters": {"allowed": ",".join(facts.labels)}}
    label = Label(facts.labels)
    schema = named("string", f"{_DATA}.Enum", **parameters)
    return WireType(schema, label, CELL_STRING, labels=(label,))


def _array(
    facts: TypeFacts,
    typmod: int,
    types: Mapping[int, TypeFacts],
    *,
    mirror: bool,
    form: RecordForm,
) -> WireType:
    element = wire_type(facts.element, typmod, types, mirror=mirror, form=form)
    inner = types.get(facts.element)
    if facts.labels and inner is not None:
        element = _enum(replace(inner, labels=facts.labels))
    if element.left_out or (mirror and element.unknown):
        return element
    nullable = not (mirror and inner is not None and inner.kind == "e")
    delimiter = facts.delimiter.encode()
    items = ["null", element.schema] if nullable else element.schema
    encode = values.array_of(element.encode, nullable=nullable, delimiter=delimiter)
    if mirror:
        encode = lossy.array(encode, nullable=nullable)
    return WireType({"type": "array", "items": items}, encode, labels=element.labels)
