"""What a column's type is on the raw topic."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from connectors.sources.postgres.shape import values

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connectors.sources.postgres.shape.values import Encode

# The branches of a transaction record's cell: null, boolean, long, string, bytes.
CELL_NULL = b"\x00"
CELL_BOOLEAN = b"\x02"
CELL_LONG = b"\x04"
CELL_STRING = b"\x06"
CELL_BYTES = b"\x08"


class Label:
    """An enum's label; notices one that the schema does not list.

    The log says nothing when an enum gets another label: its first row does.

    Args:
        labels: The labels that the schema lists.
    """

    __slots__ = ("known", "missed")

    def __init__(self, labels: Iterable[str]) -> None:
        self.known = {label.encode() for label in labels}
        self.missed = False

    def __call__(self, value: bytes) -> bytes:
        """Pass a label through."""
        if value not in self.known:
            self.known.add(value)
            self.missed = True
        return values.text(value)


@dataclass(frozen=True, slots=True)
class WireType:
    """A column's type on the raw topic.

    Attributes:
        schema: The Avro type.
        encode: From the server's text form to the Avro body.
        cell: The branch of a transaction record's cell that has the same body, or empty: then
            the cell is the server's text.
        zero: The body that stands for "no value" where the schema allows no null.
        left_out: The column has no part in records at all.
        unknown: It is the bytes of a text whose type nobody knows.
        labels: What notices new labels of the enums in it.
    """

    schema: Any
    encode: Encode
    cell: bytes = b""
    zero: bytes = field(default=b"\x00")
    left_out: bool = False
    unknown: bool = False
    labels: tuple[Label, ...] = ()


def named(base: str, name: str, **more: Any) -> dict[str, Any]:
    """An Avro type with a meaning that Kafka Connect has a name for."""
    return {"type": base, "connect.version": 1, **more, "connect.name": name}


def decimal_type(precision: int, scale: int, encode: Encode, *, declared: bool = True) -> WireType:
    """A decimal as Kafka Connect means it.

    Args:
        precision: Digits.
        scale: Digits behind the point.
        encode: From the server's text form to the Avro body.
        declared: The column declares the precision.
    """
    parameters: dict[str, str] = {"scale": str(scale)}
    if declared:
        parameters["connect.decimal.precision"] = str(precision)
    schema = {
        "type": "bytes",
        "scale": scale,
        "precision": precision,
        "connect.version": 1,
        "connect.parameters": parameters,
        "connect.name": "org.apache.kafka.connect.data.Decimal",
        "logicalType": "decimal",
    }
    return WireType(schema, encode, zero=b"\x02\x00")


FREE_DECIMAL = WireType(
    {
        "type": "record",
        "name": "VariableScaleDecimal",
        "namespace": "io.debezium.data",
        "fields": [{"name": "scale", "type": "int"}, {"name": "value", "type": "bytes"}],
        "connect.doc": "Variable scaled decimal",
        "connect.version": 1,
        "connect.name": "io.debezium.data.VariableScaleDecimal",
    },
    values.free_decimal,
    zero=b"\x00\x02\x00",
)
POINT = WireType(
    {
        "type": "record",
        "name": "Point",
        "namespace": "io.debezium.data.geometry",
        "fields": [
            {"name": "x", "type": "double"},
            {"name": "y", "type": "double"},
            {"name": "wkb", "type": ["null", "bytes"], "default": None},
            {"name": "srid", "type": ["null", "int"], "default": None},
        ],
        "connect.doc": "Geometry (POINT)",
        "connect.version": 1,
        "connect.name": "io.debezium.data.geometry.Point",
    },
    values.point,
    zero=bytes(18),
)
