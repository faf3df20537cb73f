"""The text form of a binary value: what a hash is made of, whichever form the server sends.

The forms are those of a session with ISO dates and UTC, which every session of a source has.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from connectors.sources.postgres.shape.types import TypeFacts

_DAY_US: Final = 86_400_000_000
_JULIAN_2000: Final = 2_451_545
"""Julian day of 2000-01-01, from which the server counts."""
_NEVER_DAY: Final = (1 << 31) - 1
_NEVER_US: Final = (1 << 63) - 1
_NUMERIC_NEGATIVE: Final = 0x4000
_NUMERIC_SPECIAL: Final = {0xC000: b"NaN", 0xD000: b"Infinity", 0xF000: b"-Infinity"}


def _same(raw: bytes) -> bytes:
    return raw


def _boolean(raw: bytes) -> bytes:
    return b"t" if raw[0] else b"f"


def _integer(form: str) -> Callable[[bytes], bytes]:
    unpack = struct.Struct(form).unpack
    return lambda raw: b"%d" % int(unpack(raw)[0])


def _octets(raw: bytes) -> bytes:
    return b"\\x" + raw.hex().encode()


def _uuid(raw: bytes) -> bytes:
    return str(UUID(bytes=raw)).encode()


def _jsonb(raw: bytes) -> bytes:
    if raw[:1] != b"\x01":
        raise ValueError("an unknown version of jsonb")
    return raw[1:]


def _civil(days: int) -> tuple[str, str]:
    """A day since 2000 as year-month-day, and its era."""
    julian = days + _JULIAN_2000 + 32_044
    century, rest = divmod(4 * julian + 3, 146_097)
    rest //= 4
    year_of, day_of = divmod(4 * rest + 3, 1_461)
    day_of //= 4
    month_of = (5 * day_of + 2) // 153
    day = day_of - (153 * month_of + 2) // 5 + 1
    year = 100 * century + year_of - 4_800 + month_of // 10
    month = month_of + 3 - 12 * (month_of // 10)
    era = " BC" if year <= 0 else ""
    return f"{year if year > 0 else 1 - year:04d}-{month:02d}-{day:02d}", era


def _date(raw: bytes) -> bytes:
    (days,) = struct.unpack(">i", raw)
    if days == _NEVER_DAY:
        return b"infinity"
    if days == -_NEVER_DAY - 1:
        return b"-infinity"
    return "".join(_civil(days)).encode()


def _clock(micros: int) -> str:
    seconds, fraction = divmod(micros, 1_000_000)
    minutes, second = divmod(seconds, 60)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"
    return f"{text}.{fraction:06d}".rstrip("0") if fraction else text


def _time(raw: bytes) -> bytes:
    return _clock(*struct.unpack(">q", raw)).encode()


def _timestamp(zone: str) -> Callable[[bytes], bytes]:
    def text(raw: bytes) -> bytes:
        (micros,) = struct.unpack(">q", raw)
        if micros == _NEVER_US:
            return b"infinity"
        if micros == -_NEVER_US - 1:
            return b"-infinity"
        day, era = _civil(micros // _DAY_US)
        return f"{day} {_clock(micros % _DAY_US)}{zone}{era}".encode()

    return text


def _numeric(raw: bytes) -> bytes:
    count, weight, sign, scale = struct.unpack_from(">HhHH", raw)
    if sign in _NUMERIC_SPECIAL:
        return _NUMERIC_SPECIAL[sign]
    digits = struct.unpack_from(f">{count}H", raw, 8)
    before = weight + 1
    whole = "".join(f"{digits[at] if at < count else 0:04d}" for at in range(max(before, 0)))
    # A number below 0.0001 has empty groups between the point and its first digit.
    parts = "0000" * max(-before, 0)
    parts += "".join(f"{digit:04d}" for digit in digits[max(before, 0) :])
    text = whole.lstrip("0") or "0"
    if scale:
        text = f"{text}.{parts[:scale]:0<{scale}}"
    return f"{'-' if sign == _NUMERIC_NEGATIVE else ''}{text}".encode()


_READERS: Final[Mapping[int, Callable[[bytes], bytes]]] = {
    16: _boolean,
    17: _octets,
    18: _same,
    19: _same,
    20: _integer(">q"),
    21: _integer(">h"),
    23: _integer(">i"),
    25: _same,
    26: _integer(">I"),
    114: _same,
    1042: _same,
    1043: _same,
    1082: _date,
    1083: _time,
    1114: _timestamp(""),
    1184: _timestamp("+00"),
    1700: _numeric,
    2950: _uuid,
    3802: _jsonb,
}
"""By the numbers that PostgreSQL gives its own types."""
DEEPEST: Final = 16
"""Domains over domains that are followed."""


def text_reader(oid: int, types: Mapping[int, TypeFacts]) -> Callable[[bytes], bytes] | None:
    """How a type's binary form becomes its text form; None for a type that is not hashed.

    Args:
        oid: The type.
        types: Types that are not built in: a domain is its base type, an enum its label.
    """
    for _ in range(DEEPEST):
        facts = types.get(oid)
        if facts is None or facts.kind != "d":
            break
        oid = facts.base
    else:
        return None
    if facts is not None and facts.kind == "e":
        return _same
    return _READERS.get(oid)
