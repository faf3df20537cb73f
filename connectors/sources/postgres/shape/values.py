"""Column values in PostgreSQL's text form, turned into Avro bytes.

Each function takes the text as the server sent it and returns the Avro body of one value.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from connectors.sources.encoding import primitives as avro
from connectors.sources.postgres.shape import temporal
from connectors.sources.postgres.shape.temporal import NoWireForm

Encode = Callable[[bytes], bytes]
"""From a value's text form to its Avro body."""

LARGEST_SCALE = 1000
"""The most digits behind the point that a numeric can declare."""
NOT_FINITE = frozenset({b"NaN", b"Infinity", b"-Infinity"})
_POINT_HEAD = b"\x01\x01\x00\x00\x00"
"""Well-known binary: little-endian, a point."""


def text(value: bytes) -> bytes:
    """Pass text through.

    Raises:
        UnicodeDecodeError: The server's bytes are not UTF-8 (a database in SQL_ASCII).
    """
    if not value.isascii():
        str(value, "utf-8")
    return avro.raw(value)


def integer(value: bytes) -> bytes:
    """An int of 16 or 32 bits."""
    return avro.integer(int(value))


def long(value: bytes) -> bytes:
    """An int of 64 bits, or an object id."""
    return avro.long(int(value))


def boolean(value: bytes) -> bytes:
    """`t` or `f`."""
    return avro.TRUE if value == b"t" else avro.FALSE


def float32(value: bytes) -> bytes:
    """A float, NaN and infinities included."""
    return avro.float32(float(value))


def float64(value: bytes) -> bytes:
    """A double, NaN and infinities included."""
    return avro.float64(float(value))


def bytea(value: bytes) -> bytes:
    r"""Bytes in `\x…` form."""
    return avro.raw(bytea_bytes(value))


def bytea_bytes(value: bytes) -> bytes:
    r"""The bytes of a `\x…` form."""
    if not value.startswith(b"\\x"):
        raise ValueError("bytea is not in hex form: the session's bytea_output is wrong")
    return bytes.fromhex(value[2:].decode("ascii"))


@dataclass(frozen=True, slots=True)
class Scaled:
    """A numeric with a declared scale, as Avro decimal.

    Attributes:
        scale: Decimal places.
    """

    scale: int

    def __call__(self, value: bytes) -> bytes:
        """Encode the text of a value."""
        if value in NOT_FINITE:
            raise NoWireForm(value)
        whole, _, fraction = value.partition(b".")
        if len(fraction) > self.scale:
            raise NoWireForm(value)
        return avro.unscaled(avro.whole_number(whole + fraction.ljust(self.scale, b"0")))


def decimal(scale: int) -> Encode:
    """A numeric with a declared scale, as Avro decimal."""
    return Scaled(scale)


def free_decimal(value: bytes) -> bytes:
    """A numeric without a declared scale: scale and unscaled value."""
    if value in NOT_FINITE:
        raise NoWireForm(value)
    whole, _, fraction = value.partition(b".")
    return avro.long(len(fraction)) + avro.unscaled(avro.whole_number(whole + fraction))


def money(value: bytes) -> bytes:
    """An amount of money with two digits, whatever signs `lc_monetary` puts around it."""
    return avro.unscaled(money_unscaled(value))


def money_unscaled(value: bytes) -> int:
    """An amount of money in hundredths."""
    digits = bytes(byte for byte in value if byte in b"0123456789")
    negative = b"-" in value or b"(" in value
    return -int(digits) if negative else int(digits)


def date(value: bytes) -> bytes:
    """Days since 1970."""
    return avro.integer(temporal.days(value))


def time_millis(value: bytes) -> bytes:
    """Milliseconds since midnight."""
    return avro.integer(temporal.micros_of_day(value) // 1000)


def time_micros(value: bytes) -> bytes:
    """Microseconds since midnight."""
    return avro.long(temporal.micros_of_day(value))


def timestamp_millis(value: bytes) -> bytes:
    """Milliseconds since 1970."""
    return avro.long(temporal.micros(value) // 1000)


def timestamp_micros(value: bytes) -> bytes:
    """Microseconds since 1970; the server's last 30 years need more than 64 bits of them."""
    number = temporal.micros(value)
    if number > avro.LONG_MAX:
        raise NoWireForm(value)
    return avro.long(number)


@dataclass(frozen=True, slots=True)
class Zoned:
    """A timestamp with zone, as ISO 8601 text in UTC.

    Attributes:
        precision: Digits behind the second.
    """

    precision: int

    def __call__(self, value: bytes) -> bytes:
        """Encode the text of a value."""
        return avro.raw(temporal.zoned_timestamp(value, self.precision))


def zoned_timestamp(precision: int) -> Encode:
    """A timestamp with zone, as ISO 8601 text in UTC."""
    return Zoned(precision)


def zoned_time(value: bytes) -> bytes:
    """A time with zone, as text in UTC."""
    return avro.raw(temporal.zoned_time(value))


def interval(value: bytes) -> bytes:
    """An interval as microseconds."""
    return avro.long(temporal.interval_micros(value))


def bit(value: bytes) -> bytes:
    """A single bit as boolean."""
    return avro.TRUE if value == b"1" else avro.FALSE


def bits(value: bytes) -> bytes:
    """A bit string, least significant byte first."""
    return avro.raw(int(value or b"0", 2).to_bytes((len(value) + 7) // 8, "little"))


def point(value: bytes) -> bytes:
    """A point as x, y and well-known binary."""
    x, y = (float(part) for part in value.strip(b"()").split(b","))
    pair = struct.pack("<dd", x, y)
    return pair + avro.SOME + avro.raw(_POINT_HEAD + pair) + avro.NULL


def array_of(element: Encode, *, nullable: bool, delimiter: bytes = b",") -> Encode:
    """A one-dimensional array.

    Args:
        element: Encodes one element.
        nullable: Elements are a union with null.
        delimiter: What separates elements in the server's text form.
    """

    def encode(value: bytes) -> bytes:
        items = []
        for item in elements(value, delimiter):
            if item is None:
                if not nullable:
                    raise NoWireForm(value)
                items.append(avro.NULL)
            else:
                items.append(avro.SOME + element(item) if nullable else element(item))
        return avro.array(items)

    return encode


def elements(value: bytes, delimiter: bytes = b",") -> list[bytes | None]:
    """Split the text form of a one-dimensional array.

    Raises:
        NoWireForm: The array has more dimensions, or bounds of its own.
    """
    if not value.startswith(b"{"):
        raise NoWireForm(value)
    items: list[bytes | None] = []
    place, end = 1, len(value) - 1
    while place < end:
        if value[place : place + 1] == b"{":
            raise NoWireForm(value)
        item, place = _element(value, place, end, delimiter)
        items.append(item)
        place += 1
    return items


def _element(value: bytes, place: int, end: int, delimiter: bytes) -> tuple[bytes | None, int]:
    if value[place : place + 1] != b'"':
        stop = value.find(delimiter, place, end)
        stop = end if stop < 0 else stop
        item = value[place:stop]
        return (None if item == b"NULL" else item), stop
    out = bytearray()
    place += 1
    while value[place] != ord('"'):
        if value[place] == ord("\\"):
            place += 1
        out.append(value[place])
        place += 1
    return bytes(out), place + 1
