"""Avro's variable-length integers, and the instants that travel as them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONG_BITS = 64
_MAX_BYTES = 10
INSTANT_BYTES = 8
"""How many bytes an instant between the years 1978 and 3111 takes, in microseconds."""
_REMEMBERED = 8192
"""Instants in the caches: the events of one transaction share theirs."""


class TruncatedError(ValueError):
    """The bytes end before the value does."""


def long_bytes(value: int) -> bytes:
    """A long, zigzag-encoded.

    Raises:
        ValueError: The value does not fit in 64 bits.
        TypeError: The value is no integer.
    """
    rest = (value << 1) ^ (value >> 63)
    if rest >> LONG_BITS:
        raise ValueError(f"{value} does not fit in 64 bits")
    if rest >> 14 and not rest >> 21:  # 3 bytes: positions and counts, unrolled
        return bytes((rest & 127 | 128, rest >> 7 & 127 | 128, rest >> 14))
    if rest >> 49 and not rest >> 56:  # 8 bytes: instants in microseconds, unrolled
        return bytes(
            (
                rest & 127 | 128,
                rest >> 7 & 127 | 128,
                rest >> 14 & 127 | 128,
                rest >> 21 & 127 | 128,
                rest >> 28 & 127 | 128,
                rest >> 35 & 127 | 128,
                rest >> 42 & 127 | 128,
                rest >> 49,
            )
        )
    out = bytearray()
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    out.append(rest)
    return bytes(out)


SMALL = tuple(long_bytes(value) for value in range(8192))
"""The bytes of 0 to 8,191: what lengths and counts nearly always are."""


def int_bytes(value: int) -> bytes:
    """A 32-bit int, zigzag-encoded.

    Raises:
        ValueError: The value does not fit in 32 bits.
    """
    if not -(1 << 31) <= value < 1 << 31:
        raise ValueError(f"{value} does not fit in 32 bits")
    return long_bytes(value)


def read_long(data: bytes, at: int) -> tuple[int, int]:
    """Read a long.

    Returns:
        The value and the place behind it.

    Raises:
        IndexError: The bytes end first.
        ValueError: More than ten bytes, or more than 64 bits.
    """
    byte = data[at]
    if byte < 128:
        return (byte >> 1) ^ -(byte & 1), at + 1
    value = byte & 127
    byte = data[at + 1]
    if byte < 128:  # positions and counts mostly have two or three bytes
        value |= byte << 7
        return (value >> 1) ^ -(value & 1), at + 2
    value |= (byte & 127) << 7
    byte = data[at + 2]
    shift = 14
    place = at + 3
    while byte > 127:
        value |= (byte & 127) << shift
        shift += 7
        byte = data[place]
        place += 1
        if place - at > _MAX_BYTES:
            raise ValueError("an integer has more than ten bytes")
    value |= byte << shift
    if value >> LONG_BITS:
        raise ValueError("an integer has more than 64 bits")
    return (value >> 1) ^ -(value & 1), place


def read_int(data: bytes, at: int) -> tuple[int, int]:
    """Read a 32-bit int; like `read_long`."""
    value, place = read_long(data, at)
    if not -(1 << 31) <= value < 1 << 31:
        raise ValueError("an int has more than 32 bits")
    return value, place


def read_length(data: bytes, at: int) -> tuple[int, int]:
    """Read a length: a long that is not negative.

    Raises:
        TruncatedError: Fewer bytes follow.
    """
    value, place = read_long(data, at)
    if value < 0:
        raise ValueError("a length is negative")
    if value > len(data) - place:
        raise TruncatedError("a length goes past the end")
    return value, place


def read_count(data: bytes, at: int) -> tuple[int, int]:
    """Read the count that begins a block of array or map items; 0 ends them.

    Every item takes at least a byte (schemas where it does not are refused), so a count above the
    bytes that are left is a lie, found before anything is built.

    Raises:
        TruncatedError: The count is higher than the number of bytes left.
    """
    count, place = read_long(data, at)
    if count < 0:
        count = -count
        _, place = read_long(data, place)
    if count > len(data) - place:
        raise TruncatedError("a block claims more items than there are bytes")
    return count, place


@lru_cache(_REMEMBERED)
def micros_bytes(instant: datetime) -> bytes:
    """An instant as a long of microseconds since 1970.

    Raises:
        TypeError: The instant is naive.
    """
    return long_bytes(micros_of(instant))


@lru_cache(_REMEMBERED)
def instant_in(data: bytes) -> datetime | None:
    """The instant in exactly eight bytes, or None if a long of eight bytes is not what they are."""
    if len(data) < INSTANT_BYTES or data[7] > 127 or min(data[:7]) < 128:
        return None
    return instant_of(read_long(data, 0)[0])


def micros_of(instant: datetime) -> int:
    """Microseconds since 1970.

    Raises:
        TypeError: The instant is naive.
    """
    since = instant - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def instant_of(micros: int) -> datetime:
    """The instant of so many microseconds since 1970.

    Raises:
        OverflowError: Outside the years 1 to 9999.
    """
    return EPOCH + timedelta(0, 0, micros)
