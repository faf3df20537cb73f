"""Where Debezium loses a value, done alike: only with `compat="debezium"`.

The numbers are what its recorded output holds for infinite dates and timestamps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from connectors.sources.encoding import primitives as avro
from connectors.sources.postgres.shape.temporal import LONG_MAX, LONG_MIN, NoWireForm
from connectors.sources.postgres.shape.values import NOT_FINITE

if TYPE_CHECKING:
    from connectors.sources.postgres.shape.values import Encode

INFINITY, MINUS_INFINITY = b"infinity", b"-infinity"
LAST_DAY: Final = 2_146_033_979
"""5877611-06-21, in days since 1970."""
FIRST_DAY: Final = -2_147_472_691
"""-5877611-06-22 (a year counted with zero), in days since 1970."""
LAST_MILLIS: Final = 9_223_372_036_825_200_000
FIRST_MILLIS: Final = -9_223_372_036_832_400_000
"""What the JDBC driver says for infinite timestamps."""


@dataclass(frozen=True, slots=True)
class Infinite:
    """An encoding with numbers for what is infinite.

    Attributes:
        finite: Encodes everything else.
        last: The body of infinity.
        first: The body of minus infinity.
    """

    finite: Encode
    last: bytes
    first: bytes

    def __call__(self, value: bytes) -> bytes:
        """Encode the text of a value."""
        if value == INFINITY:
            return self.last
        return self.first if value == MINUS_INFINITY else self.finite(value)


def date(finite: Encode) -> Encode:
    """A date in days, infinite ones as Debezium's numbers."""
    return Infinite(finite, avro.long(LAST_DAY), avro.long(FIRST_DAY))


def micros(finite: Encode) -> Encode:
    """A timestamp in microseconds, infinite ones as Debezium's numbers."""
    return Infinite(finite, avro.long(LONG_MAX), avro.long(LONG_MIN))


def millis(finite: Encode) -> Encode:
    """A timestamp in milliseconds, infinite ones as Debezium's numbers."""
    return Infinite(finite, avro.long(LAST_MILLIS), avro.long(FIRST_MILLIS))


def shifted(misread: int) -> Encode:
    """A numeric whose negative scale is misread as a large one.

    Args:
        misread: The scale that the schema says.
    """

    def encode(value: bytes) -> bytes:
        if value in NOT_FINITE:
            raise NoWireForm(value)
        return avro.unscaled(int(value) * 10**misread)

    return encode


def outer_length(value: bytes) -> int:
    """How many members an array of more dimensions has in the first one."""
    body = value[value.index(b"{") :]
    depth = members = 0
    quoted = escaped = False
    for byte in body:
        if escaped:
            escaped = False
        elif byte == ord("\\"):
            escaped = True
        elif byte == ord('"'):
            quoted = not quoted
        elif not quoted and byte == ord("{"):
            depth += 1
            members += depth == 2
        elif not quoted and byte == ord("}"):
            depth -= 1
    return members
