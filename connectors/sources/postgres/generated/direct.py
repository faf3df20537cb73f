"""From a value's binary form straight to its Avro body: what generated code calls or looks up.

A value that needs care (infinite, not a number, out of range) raises `Unusual`: the row then goes
the long way, over the server's text, which knows every case.
"""

from __future__ import annotations

import struct
from functools import cache, lru_cache
from math import isnan
from typing import TYPE_CHECKING, Final

from connectors.sources.encoding import primitives as avro
from connectors.sources.postgres.binary.moments import DAY, DAYS_TO_2000, civil

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL: Final = tuple(avro.long(number) for number in range(8192))
"""Small numbers, and the lengths of short strings."""
EPOCH_MICROS: Final = DAYS_TO_2000 * DAY
INT_EDGE: Final = (-(2**31), 2**31 - 1)
LONG_EDGE: Final = (-(2**63), 2**63 - 1)

_NUMERIC = struct.Struct(">hhHH").unpack_from
_DIGITS: Final = tuple(struct.Struct(f">{count}H").unpack_from for count in range(16))
_POWERS: Final[tuple[int, ...]] = tuple(10**power for power in range(80))
_DOUBLE = struct.Struct(">d").unpack
_SINGLE = struct.Struct(">f").unpack
_NEGATIVE: Final = 0x4000
_MINUTES: Final = tuple(b"%02d:%02d:" % divmod(minute, 60) for minute in range(1440))
_MAX_YEAR: Final = 9999


class Unusual(ValueError):
    """A value for which there is no short way."""


@cache
def decimal(scale: int) -> Callable[[bytes], bytes]:
    """A numeric with a declared scale as an Avro decimal."""

    def encode(value: bytes) -> bytes:
        count, weight, sign, _ = _NUMERIC(value)
        power = scale + 4 * (weight - count + 1)
        if sign & ~_NEGATIVE:
            raise Unusual
        number = 0
        for digit in _DIGITS[count](value, 8):
            number = number * 10_000 + digit
        if power >= 0:
            number *= _POWERS[power]
        else:
            number, rest = divmod(number, _POWERS[-power])
            if rest:
                raise Unusual
        if sign:
            number = -number
            size = (number + 1).bit_length() // 8 + 1
        else:
            size = number.bit_length() // 8 + 1
        body: bytes = number.to_bytes(size, "big", signed=True)
        return SMALL[size] + body

    return encode


def free_decimal(value: bytes) -> bytes:
    """A numeric without a declared scale: scale and unscaled value."""
    scale = _NUMERIC(value)[3]
    return SMALL[scale] + decimal(scale)(value)


@lru_cache(maxsize=4096)
def _day(days: int) -> bytes:
    """A day counted from 2000 as the first part of an ISO instant."""
    year, month, day = civil(days + DAYS_TO_2000)
    if not 0 < year <= _MAX_YEAR:
        raise Unusual
    return b"%04d-%02d-%02dT" % (year, month, day)


def zoned(precision: int) -> Callable[[int], bytes]:
    """An instant in microseconds since 2000 as ISO 8601 text in UTC."""
    length = avro.long(len("2026-11-23T10:20:30Z") + (precision + 1 if precision else 0))
    pattern = f"%02d.%0{precision}dZ".encode() if precision else b"%02dZ"
    unit = 10 ** (6 - precision)

    def encode(micros: int) -> bytes:
        days, micros = divmod(micros, DAY)
        seconds, micros = divmod(micros, 1_000_000)
        minute, second = divmod(seconds, 60)
        behind = pattern % ((second, micros // unit) if precision else second)
        return length + _day(days) + _MINUTES[minute] + behind

    return encode


def uuid(value: bytes) -> bytes:
    """A UUID as text."""
    text = value.hex()
    return f"H{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}".encode()


def shifted(value: int) -> bytes:
    """An instant in microseconds since 2000 as microseconds since 1970."""
    if value in LONG_EDGE:
        raise Unusual
    return avro.long(value + EPOCH_MICROS)


def shifted_millis(value: int) -> bytes:
    """An instant in microseconds since 2000 as milliseconds since 1970."""
    if value in LONG_EDGE:
        raise Unusual
    return avro.long((value + EPOCH_MICROS) // 1000)


def day(value: int) -> bytes:
    """A day since 2000 as a day since 1970."""
    if value in INT_EDGE:
        raise Unusual
    return avro.integer(value + DAYS_TO_2000)


def double(value: bytes) -> None:
    """Refuse a double that is not a number: there are many, and one is sent."""
    if isnan(_DOUBLE(value)[0]):
        raise Unusual


def single(value: bytes) -> None:
    """Refuse a float of 32 bits that is not a number."""
    if isnan(_SINGLE(value)[0]):
        raise Unusual
