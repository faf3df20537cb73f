"""From a value's binary form straight to its Avro body: what generated code calls or looks up.

A value that needs care (infinite, not a number, out of range) raises `Unusual`: the row then goes
the long way, over the server's text, which knows every case.
"""

from __future__ import annotations

import struct
from functools import cache
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
_MAX_YEAR: Final = 9999


class Unusual(ValueError):
    """A value for which there is no short way."""


@cache
def decimal(scale: int) -> Callable[[bytes], bytes]:
    """A numeric with a declared scale as an Avro decimal."""

    def encode(value: bytes) -> bytes:
        count, weight, sign, _ = _NUMERIC(value)
        number: int
        size: int
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
    scale: int = _NUMERIC(value)[3]
    body: bytes = decimal(scale)(value)
    return SMALL[scale] + body


class Known(dict[int, bytes]):
    """What a function made of numbers, as far as it is remembered: looked up without a call.

    Args:
        make: The function.
        most: How many are remembered.
    """

    def __init__(self, make: Callable[[int], bytes], most: int = 4096) -> None:
        super().__init__()
        self._make = make
        self._most = most

    def __missing__(self, key: int) -> bytes:
        if len(self) >= self._most:
            self.clear()
        value = self[key] = self._make(key)
        return value


def minute(mark: bytes, precision: int) -> Callable[[int], bytes]:
    """Minutes since 2000 as the first part of an ISO instant, behind its mark and length.

    Args:
        mark: The mark of a union's branch, or empty.
        precision: Digits behind the second.
    """
    head = mark + avro.long(len("2026-11-23T10:20:30Z") + (precision + 1 if precision else 0))

    def encode(minutes: int) -> bytes:
        days, left = divmod(minutes, 1440)
        year, month, day = civil(days + DAYS_TO_2000)
        if not 0 < year <= _MAX_YEAR:
            raise Unusual
        clock = divmod(left, 60)
        return b"%b%04d-%02d-%02dT%02d:%02d:" % (head, year, month, day, *clock)

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
