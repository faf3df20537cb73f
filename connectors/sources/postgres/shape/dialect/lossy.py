"""Types as Debezium sends them where it loses something: only with `compat="debezium"`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from connectors.sources.encoding import primitives as avro
from connectors.sources.postgres.shape import values
from connectors.sources.postgres.shape.dialect import magic
from connectors.sources.postgres.shape.temporal import NoWireForm
from connectors.sources.postgres.shape.wire import WireType, decimal_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.sources.postgres.form import RecordForm
    from connectors.sources.postgres.shape.types import TypeFacts
    from connectors.sources.postgres.shape.values import Encode

_TEXT = frozenset({18, 19, 25, 650, 774, 829, 869, 1042, 1043, 3904, 3906, 3908, 3910, 3912, 3926})
"""Types that Debezium sends as text: text itself, network addresses, ranges."""
NUMERIC = 1700


def _nothing(_value: bytes) -> bytes:
    return b""


_LEFT_OUT = WireType(None, _nothing, zero=b"", left_out=True)
_UNKNOWN = WireType("bytes", values.text, unknown=True)
_INFINITIES = {
    values.date: magic.date(values.date),
    values.timestamp_micros: magic.micros(values.timestamp_micros),
    values.timestamp_millis: magic.millis(values.timestamp_millis),
}


def is_text(oid: int) -> bool:
    """Debezium sends the type as text."""
    return oid in _TEXT


def unknown(form: RecordForm) -> WireType:
    """A type that Debezium does not know: left out, unless the form asks for its bytes."""
    return _UNKNOWN if form.unknown_types else _LEFT_OUT


def built_in(oid: int, typmod: int, wire: WireType, form: RecordForm) -> WireType:
    """A built-in type with Debezium's numbers for what has none.

    Args:
        oid: The type.
        typmod: Its modifier.
        wire: How it travels otherwise.
        form: The modes of the source.
    """
    if wire.encode in _INFINITIES:
        return replace(wire, encode=_INFINITIES[wire.encode])
    if oid == NUMERIC and typmod >= 0 and form.decimal_mode == "precise":
        return _numeric(typmod)
    return wire


def _numeric(typmod: int) -> WireType:
    """A numeric whose scale is read without its sign."""
    precision, scale = (typmod - 4) >> 16 & 0xFFFF, (typmod - 4) & 0x7FF
    misread = scale > values.LARGEST_SCALE
    return decimal_type(
        precision, scale, magic.shifted(scale) if misread else values.decimal(scale)
    )


def array(one: Encode, *, nullable: bool) -> Encode:
    """An array: bounds are dropped, and of more dimensions only the first one's length is left.

    Args:
        one: Encodes an array of one dimension.
        nullable: Elements may be null.
    """

    def encode(value: bytes) -> bytes:
        body = value[value.index(b"{") :]
        if not body.startswith(b"{{"):
            return one(body)
        if not nullable:
            raise NoWireForm(value)
        return avro.array([avro.NULL] * magic.outer_length(body))

    return encode


class ArrayLabels:
    """Arrays of an enum keep the labels that it had when the session first saw it."""

    def __init__(self) -> None:
        self._first: dict[int, tuple[str, ...]] = {}

    def of(self, types: Mapping[int, TypeFacts]) -> Mapping[int, TypeFacts]:
        """The types, with the first labels of enums in their arrays.

        Args:
            types: The types as they are now.
        """
        found = dict(types)
        for oid, facts in types.items():
            inner = types.get(facts.element)
            if inner is not None and inner.kind == "e":
                labels = self._first.setdefault(oid, inner.labels)
                found[oid] = replace(facts, labels=labels)
        return found
