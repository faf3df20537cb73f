"""Dates and times in PostgreSQL's ISO text form (session zone UTC) as numbers.

All calendars are the proleptic Gregorian one, as in the server. Days and instants count from
1970-01-01. Infinite values have no number; `NoWireForm` says so.
"""

from __future__ import annotations

from functools import lru_cache

DAY_MICROS = 86_400_000_000
MONTH_MICROS = 2_629_800_000_000
"""A month as Debezium counts it: 365.25 days / 12."""
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1
_INFINITE = (b"infinity", b"-infinity")


class NoWireForm(ValueError):
    """The value is valid in the database but has no form in the column's wire type.

    Args:
        text: The value as the database prints it.
    """

    def __init__(self, text: bytes) -> None:
        super().__init__(f"{text[:80]!r} has no form in the wire type")
        self.text = text


@lru_cache(maxsize=4096)
def days(text: bytes) -> int:
    """Days since 1970-01-01 of a date such as `2026-11-23` or `0044-03-15 BC`.

    Raises:
        NoWireForm: The date is infinite.
        ValueError: The text is no date.
    """
    if text in _INFINITE:
        raise NoWireForm(text)
    before_christ = text.endswith(b" BC")
    year, month, day = (int(part) for part in text.removesuffix(b" BC").split(b"-"))
    return _days(1 - year if before_christ else year, month, day)


def _days(year: int, month: int, day: int) -> int:
    """Count days in years that begin in March, so that leap days come last."""
    if not (1 <= month <= 12 and 1 <= day <= 31):
        raise ValueError(f"no date: {year}-{month}-{day}")
    shifted = year - (month <= 2)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719_468


def micros_of_day(text: bytes) -> int:
    """Microseconds since midnight of a time such as `23:59:59.999` or `24:00:00`."""
    hour, minute, second = text.split(b":")
    whole, _, fraction = second.partition(b".")
    return (int(hour) * 3600 + int(minute) * 60 + int(whole)) * 1_000_000 + _fraction(fraction)


def _fraction(digits: bytes) -> int:
    return int(digits.ljust(6, b"0")) if digits else 0


def micros(text: bytes) -> int:
    """Microseconds since 1970 of a timestamp such as `2026-11-23 10:20:30.5`, zone ignored.

    Raises:
        NoWireForm: The timestamp is infinite.
        ValueError: The text is no timestamp.
    """
    if text in _INFINITE:
        raise NoWireForm(text)
    date, _, rest = text.partition(b" ")
    time, _, era = rest.partition(b" ")
    if era:
        date += b" " + era
    return days(date) * DAY_MICROS + micros_of_day(time)


def zoned_timestamp(text: bytes, precision: int) -> bytes:
    """ISO 8601 in UTC, e.g. `2026-11-23T08:20:30.500Z`, with `precision` digits.

    Infinite values keep the database's own words.
    """
    if text in _INFINITE:
        return text
    date, _, rest = text.partition(b" ")
    time, _, era = rest.partition(b" ")
    if not time.endswith(b"+00"):
        raise ValueError(f"{text!r} is not in UTC: the session's time zone is wrong")
    if era:
        year, _, tail = date.partition(b"-")
        date = b"-%04d-%s" % (int(year) - 1, tail)
    elif date.index(b"-") > 4:
        date = b"+" + date
    return date + b"T" + _padded(time[:-3], precision) + b"Z"


def _padded(time: bytes, precision: int) -> bytes:
    whole, _, fraction = time.partition(b".")
    return whole + b"." + fraction.ljust(precision, b"0") if precision else whole


def zoned_time(text: bytes) -> bytes:
    """A time with zone, such as `10:20:30.5+02`, in UTC: `08:20:30.5Z`."""
    cut = max(text.rfind(b"+"), text.rfind(b"-"))
    sign = -1 if text[cut : cut + 1] == b"+" else 1
    zone = text[cut + 1 :].split(b":")
    seconds = sum(int(part) * unit for part, unit in zip(zone, (3600, 60, 1), strict=False))
    instant = (micros_of_day(text[:cut]) + sign * seconds * 1_000_000) % DAY_MICROS
    second, fraction = divmod(instant, 1_000_000)
    clock = b"%02d:%02d:%02d" % (second // 3600, second // 60 % 60, second % 60)
    digits = b"%06d" % fraction
    return clock + (b"." + digits.rstrip(b"0") if fraction else b"") + b"Z"


_UNITS = {
    b"year": 12 * MONTH_MICROS,
    b"mon": MONTH_MICROS,
    b"day": DAY_MICROS,
}


def interval_micros(text: bytes) -> int:
    """An interval in the server's `postgres` style as microseconds, saturated at 64 bits.

    Months have no fixed length, so this is an approximation by definition; the exact text
    travels in the transaction record.

    Raises:
        NoWireForm: The interval is infinite.
    """
    if text in _INFINITE:
        raise NoWireForm(text)
    words = text.split()
    total = 0
    if words and b":" in words[-1]:
        clock = words.pop()
        negative = clock.startswith(b"-")
        amount = micros_of_day(clock.lstrip(b"+-"))
        total += -amount if negative else amount
    for number, unit in zip(words[::2], words[1::2], strict=True):
        total += int(number) * _UNITS[unit.removesuffix(b"s")]
    return max(LONG_MIN, min(LONG_MAX, total))
