"""Defaults of columns as Debezium puts them into schemas: only with `compat="debezium"`."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any, Final

from connectors.sources.postgres.shape.temporal import NoWireForm

if TYPE_CHECKING:
    from connectors.sources.postgres.shape.wire import WireType

NO_DEFAULT: Final = object()
"""The column has no default that a schema could hold; null would be one."""
_CALL = re.compile(r"^\(?[A-Za-z0-9_.]+\(.*\)")
_CLOCKS = frozenset(
    {"current_timestamp", "current_time", "current_date", "localtime", "localtimestamp"}
)
_LITERAL = re.compile(r"'(.*?)'")
_NUMBER, _STAMP = "0", "1970-01-01 00:00:00"
_GENERATED: Final[dict[int, str]] = {
    16: "f",
    20: _NUMBER,
    21: _NUMBER,
    23: _NUMBER,
    25: "",
    114: "{}",
    142: "",
    700: _NUMBER,
    701: _NUMBER,
    1042: "",
    1043: "",
    1082: "1970-01-01",
    1083: "00:00:00",
    1114: _STAMP,
    1184: f"{_STAMP}+00",
    1186: "00:00:00",
    1560: "00",
    1562: "0",
    1700: _NUMBER,
    2950: "00000000-0000-0000-0000-000000000000",
    3802: "{}",
}
"""Types whose defaults are known, and what stands for a default that a function makes."""
_FLOATS = {"float": "<f", "double": "<d"}
_TEXTS = {"string": "utf-8", "bytes": "latin-1"}
_BOOLEANS = {"true": "t", "false": "f"}


def schema_default(expression: str | None, oid: int, kind: str, wire: WireType) -> Any:
    """The default that a column's schema holds.

    Args:
        expression: The default as the catalogue prints it, or None.
        oid: The column's type.
        kind: The type's kind, `e` for an enum.
        wire: How the type travels.

    Returns:
        An Avro default, or `NO_DEFAULT`.
    """
    text = None if expression is None else _text(expression.strip(), oid, kind)
    if text is None or wire.left_out or isinstance(_holder(wire), dict):
        return NO_DEFAULT
    try:
        return _read(_holder(wire), wire.encode(text.encode()))
    except (NoWireForm, ValueError, IndexError, OverflowError, struct.error):
        return NO_DEFAULT


def _text(expression: str, oid: int, kind: str) -> str | None:
    """The default in the text form of the server's values."""
    if expression == "NULL" or expression.startswith("NULL::"):
        return None
    literal = _LITERAL.search(expression)
    if kind == "e":
        return None if literal is None else literal[1]
    if oid not in _GENERATED:
        return None
    if _CALL.match(expression) or expression.lower() in _CLOCKS:
        return _GENERATED[oid]
    text = expression if literal is None else literal[1]
    return _BOOLEANS.get(text, text) if oid == 16 else text


def _holder(wire: WireType) -> Any:
    if isinstance(wire.schema, dict):
        kind = wire.schema["type"]
        return wire.schema if kind in ("record", "array") else kind
    return wire.schema


def _read(holder: str, body: bytes) -> Any:
    """The JSON form of an Avro body."""
    if holder == "boolean":
        return body != b"\0"
    if holder in _FLOATS:
        return struct.unpack(_FLOATS[holder], body)[0]
    number, place = _long(body)
    return body[place:].decode(_TEXTS[holder]) if holder in _TEXTS else number


def _long(body: bytes) -> tuple[int, int]:
    number = shift = place = 0
    while True:
        byte = body[place]
        number |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if not byte & 0x80:
            return number >> 1 ^ -(number & 1), place
