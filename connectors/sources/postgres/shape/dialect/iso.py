"""Dates, times and intervals of the server's text form as ISO 8601 text."""

from __future__ import annotations

import re

from connectors.sources.postgres.shape.dialect.magic import INFINITY, MINUS_INFINITY

_INFINITE = {
    "date": {INFINITY: b"+5877611-06-21Z", MINUS_INFINITY: b"-5877611-06-22Z"},
    "timestamp": {
        INFINITY: b"+292278994-08-16T23:00:00Z",
        MINUS_INFINITY: b"-292275055-05-16T23:00:00Z",
    },
}
"""Infinite values as Debezium's numbers read as dates."""
_UNIT = re.compile(rb"(-?\+?\d+) (year|mon|day)")
_CLOCK = re.compile(rb"([+-]?)(\d+):(\d\d):(\d\d(?:\.\d+)?)$")


def date(text: bytes, *, mirror: bool) -> bytes:
    """A date, e.g. `2026-11-23Z`."""
    if text in _INFINITE["date"]:
        return _INFINITE["date"][text] if mirror else text
    return _year(text) + b"Z"


def time(text: bytes) -> bytes:
    """A time, e.g. `10:20:30.5Z`; the end of a day is its beginning."""
    return _clock(text) + b"Z"


def timestamp(text: bytes, *, mirror: bool) -> bytes:
    """A timestamp, e.g. `2026-11-23T10:20:30.5Z`."""
    if text in _INFINITE["timestamp"]:
        return _INFINITE["timestamp"][text] if mirror else text
    day, _, rest = text.partition(b" ")
    clock, _, era = rest.partition(b" ")
    return _year(day + b" BC" if era else day) + b"T" + _clock(clock) + b"Z"


def interval(text: bytes) -> bytes:
    """An interval with all its parts, e.g. `P1Y2M3DT4H5M6.789S`."""
    if text in (INFINITY, MINUS_INFINITY):
        return text
    found = {unit: int(number) for number, unit in _UNIT.findall(text)}
    clock = _CLOCK.search(text)
    sign, hours, minutes, seconds = (b"", b"0", b"0", b"0") if clock is None else clock.groups()
    minus = "-" if sign == b"-" else ""
    parts = [f"{minus}{int(part)}" if int(part) else "0" for part in (hours, minutes)]
    whole, _, fraction = seconds.partition(b".")
    digits = fraction.rstrip(b"0").decode()
    second = f"{int(whole)}.{digits}" if digits else str(int(whole))
    if minus and second != "0":
        second = minus + second
    days = f"P{found.get(b'year', 0)}Y{found.get(b'mon', 0)}M{found.get(b'day', 0)}D"
    return f"{days}T{parts[0]}H{parts[1]}M{second}S".encode()


def _year(text: bytes) -> bytes:
    """A date with its year as ISO counts it: year 0 is 1 BC, a longer year has a sign."""
    if text.endswith(b" BC"):
        year, _, rest = text.removesuffix(b" BC").partition(b"-")
        number = 1 - int(year)
        return (b"-%04d" % -number if number else b"0000") + b"-" + rest
    return b"+" + text if text.index(b"-") > 4 else text


def _clock(text: bytes) -> bytes:
    if text.startswith(b"24:"):
        return b"00:00:00"
    whole, _, fraction = text.partition(b".")
    digits = fraction.rstrip(b"0")
    return whole + b"." + digits if digits else whole
