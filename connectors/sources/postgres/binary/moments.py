"""Binary dates, times and intervals as the server's text (style ISO, zone UTC)."""

from __future__ import annotations

import struct
from typing import Final

_int = struct.Struct(">i").unpack
_long = struct.Struct(">q").unpack
_zoned = struct.Struct(">qi").unpack
_interval = struct.Struct(">qii").unpack

DAY: Final = 86_400_000_000
DAYS_TO_2000: Final = 10_957
"""Days from 1970-01-01 to 2000-01-01."""
INT_MIN, INT_MAX = -(2**31), 2**31 - 1
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1


def civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a day counted from 1970-01-01, before Christ too."""
    days += 719_468
    era, of_era = divmod(days, 146_097)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    return year + 400 * era + (month <= 2), month, day


def _date(days: int) -> tuple[bytes, bytes]:
    """A day counted from 2000 as text, and its era."""
    year, month, day = civil(days + DAYS_TO_2000)
    if year <= 0:
        return b"%04d-%02d-%02d" % (1 - year, month, day), b" BC"
    return b"%04d-%02d-%02d" % (year, month, day), b""


def _clock(micros: int) -> bytes:
    seconds, fraction = divmod(micros, 1_000_000)
    text = b"%02d:%02d:%02d" % (seconds // 3600, seconds // 60 % 60, seconds % 60)
    return text + (b".%06d" % fraction).rstrip(b"0") if fraction else text


def date(value: bytes) -> bytes:
    """A date."""
    (days,) = _int(value)
    if days in {INT_MIN, INT_MAX}:
        return b"infinity" if days > 0 else b"-infinity"
    return b"".join(_date(days))


def time(value: bytes) -> bytes:
    """A time of day."""
    return _clock(_long(value)[0])


def timetz(value: bytes) -> bytes:
    """A time of day with its zone."""
    micros, west = _zoned(value)
    text = b"%b%c%02d" % (_clock(micros), b"-+"[west <= 0], abs(west) // 3600)
    minutes, seconds = divmod(abs(west) % 3600, 60)
    if minutes or seconds:
        text += b":%02d" % minutes
    return text + b":%02d" % seconds if seconds else text


def timestamp(value: bytes) -> bytes:
    """A timestamp."""
    return _moment(value, b"")


def timestamptz(value: bytes) -> bytes:
    """A timestamp with zone, in UTC."""
    return _moment(value, b"+00")


def _moment(value: bytes, zone: bytes) -> bytes:
    (micros,) = _long(value)
    if micros in {LONG_MIN, LONG_MAX}:
        return b"infinity" if micros > 0 else b"-infinity"
    days, clock = divmod(micros, DAY)
    day, era = _date(days)
    return b"%b %b%b%b" % (day, _clock(clock), zone, era)


def interval(value: bytes) -> bytes:
    """An interval in the style `postgres`."""
    micros, days, months = _interval(value)
    if (micros, days, months) == (LONG_MAX, INT_MAX, INT_MAX):
        return b"infinity"
    if (micros, days, months) == (LONG_MIN, INT_MIN, INT_MIN):
        return b"-infinity"
    sign = -1 if months < 0 else 1
    years, rest = divmod(abs(months), 12)
    parts: list[bytes] = []
    before = False
    for number, unit in ((sign * years, b"year"), (sign * rest, b"mon"), (days, b"day")):
        if number:
            plus = b"+" if before and number > 0 else b""
            parts.append(b"%b%d %b%b" % (plus, number, unit, b"" if number == 1 else b"s"))
            before = number < 0
    if micros or not parts:
        sign_text = b"-" if micros < 0 else b"+" if before else b""
        parts.append(sign_text + _clock(abs(micros)))
    return b" ".join(parts)
