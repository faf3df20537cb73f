"""Avro's primitive encodings, as functions from values to bytes."""

from __future__ import annotations

import struct
from typing import Final

_MOST_DIGITS = 4000
_SHIFT = int("1" + "0" * _MOST_DIGITS)
INT_MIN, INT_MAX = -(2**31), 2**31 - 1
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1

NULL = b"\x00"
"""The first branch of a union that holds null, and an empty string, array, map or zero."""
SOME = b"\x02"
"""The second branch of a union."""
FALSE = b"\x00"
TRUE = b"\x01"

_double = struct.Struct("<d").pack
_float = struct.Struct("<f").pack


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


STEP: Final = 14
"""Bits that one table look-up writes: two bytes."""
LAST: Final = tuple(_varint(number) for number in range(1 << STEP))
"""A number of 14 bits as the end of a variable-length number."""
MORE: Final = tuple(
    bytes((number & 0x7F | 0x80, number >> 7 | 0x80)) for number in range(1 << STEP)
)
"""14 bits of a variable-length number that goes on."""


def unsigned(number: int) -> bytes:
    """Encode a number from 0 to 2**64 - 1 in 7 bits a byte, lowest first."""
    if number < 16_384:
        return LAST[number]
    if number < 268_435_456:
        return MORE[number & 16_383] + LAST[number >> 14]
    out = MORE[number & 16_383] + MORE[number >> 14 & 16_383]
    number >>= 28
    while number > 16_383:
        out += MORE[number & 16_383]
        number >>= 14
    return out + LAST[number]


def long(value: int) -> bytes:
    """Encode an int or a long.

    Raises:
        OverflowError: The value needs more than 64 bits.
    """
    if 0 <= value < 8192:
        return LAST[value << 1]
    if not LONG_MIN <= value <= LONG_MAX:
        raise OverflowError(f"{value} does not fit into 64 bits")
    return unsigned((value << 1) ^ (value >> 63))


def integer(value: int) -> bytes:
    """Encode an int of 32 bits.

    Raises:
        OverflowError: The value needs more than 32 bits.
    """
    if not INT_MIN <= value <= INT_MAX:
        raise OverflowError(f"{value} does not fit into 32 bits")
    return long(value)


def raw(value: bytes) -> bytes:
    """Encode bytes, or the UTF-8 form of a string."""
    return long(len(value)) + value


def string(value: str) -> bytes:
    """Encode a string."""
    return raw(value.encode())


def float32(value: float) -> bytes:
    """Encode a float."""
    return _float(value)


def float64(value: float) -> bytes:
    """Encode a double."""
    return _double(value)


def unscaled(value: int) -> bytes:
    """Encode an unscaled decimal: the shortest two's complement, big-endian, as bytes."""
    bits = value if value >= 0 else value + 1
    return raw(value.to_bytes(bits.bit_length() // 8 + 1, "big", signed=True))


def array(items: list[bytes]) -> bytes:
    """Encode an array, or the entries of a map, in one block."""
    return long(len(items)) + b"".join(items) + NULL if items else NULL


def whole_number(digits: bytes) -> int:
    """A number of any length; the server's may have more digits than Python reads at once."""
    if len(digits) <= _MOST_DIGITS:
        return int(digits)
    head, tail = digits[:-_MOST_DIGITS], digits[-_MOST_DIGITS:]
    low = int(tail)
    return whole_number(head) * _SHIFT + (-low if digits.startswith(b"-") else low)
