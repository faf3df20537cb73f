"""Binary numbers, bits and plain strings as the server's text."""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    Render = Callable[[bytes], bytes]

_short = struct.Struct(">h").unpack
_int = struct.Struct(">i").unpack
_long = struct.Struct(">q").unpack
_word = struct.Struct(">I").unpack
_big = struct.Struct(">Q").unpack
_float = struct.Struct(">f").unpack
_pack_float = struct.Struct(">f").pack
_double = struct.Struct(">d").unpack
_numeric = struct.Struct(">hhHH").unpack_from

NAN, PLUS, MINUS, NEGATIVE = 0xC000, 0xD000, 0xF000, 0x4000
"""The signs of a numeric: not a number, the two infinities, and below zero."""
NOT_FINITE: Final = {NAN: b"NaN", PLUS: b"Infinity", MINUS: b"-Infinity"}
_FLOAT_DIGITS = 9
"""Digits that tell any two numbers of 32 bits apart."""


def boolean(value: bytes) -> bytes:
    """A boolean as `t` or `f`."""
    return b"t" if value[0] else b"f"


def char(value: bytes) -> bytes:
    """The one-byte type: itself, an octal escape beyond ASCII, nothing for zero."""
    byte = value[0]
    if byte > 0x7F:
        return b"\\%03o" % byte
    return value if byte else b""


def plain(value: bytes) -> bytes:
    """A string: the same bytes in both forms."""
    return value


def versioned(value: bytes) -> bytes:
    """A string behind a version byte.

    Raises:
        ValueError: The version is not the one that is known.
    """
    if value[:1] != b"\x01":
        raise ValueError(f"version {value[:1]!r} of a binary form is not known")
    return value[1:]


def bytea(value: bytes) -> bytes:
    r"""Bytes in `\x…` form."""
    return b"\\x" + value.hex().encode()


def int2(value: bytes) -> bytes:
    """An int of 16 bits."""
    return b"%d" % _short(value)[0]


def int4(value: bytes) -> bytes:
    """An int of 32 bits."""
    return b"%d" % _int(value)[0]


def int8(value: bytes) -> bytes:
    """An int of 64 bits."""
    return b"%d" % _long(value)[0]


def uint4(value: bytes) -> bytes:
    """An object id or transaction number of 32 bits."""
    return b"%d" % _word(value)[0]


def uint8(value: bytes) -> bytes:
    """A transaction number of 64 bits."""
    return b"%d" % _big(value)[0]


def float8(value: bytes) -> bytes:
    """A double, with the fewest digits that give it back."""
    number: float = _double(value)[0]
    return _written(repr(number), 15)


def float4(value: bytes) -> bytes:
    """A float, with the fewest digits that give it back."""
    number: float = _float(value)[0]
    text = repr(number)
    for digits in range(_FLOAT_DIGITS):
        text = f"{number:.{digits}e}"
        try:
            if _pack_float(float(text)) == value:
                break
        except OverflowError:
            continue
    return _written(text, 6)


def _written(text: str, largest: int) -> bytes:
    """Write a number as the server does: with an exponent from 10**largest on, and below 0.0001."""
    if text in {"nan", "inf", "-inf"}:
        return {"nan": b"NaN", "inf": b"Infinity", "-inf": b"-Infinity"}[text]
    sign, digits, exponent = Decimal(text).as_tuple()
    figures = "".join(map(str, digits)).rstrip("0") or "0"
    power = len(digits) - 1 + int(exponent) if figures != "0" else 0
    minus = "-" if sign else ""
    if not -4 <= power < largest:
        fraction = f".{figures[1:]}" if len(figures) > 1 else ""
        return f"{minus}{figures[0]}{fraction}e{power:+03d}".encode()
    if power < 0:
        return f"{minus}0.{'0' * (-power - 1)}{figures}".encode()
    whole, fraction = figures[: power + 1].ljust(power + 1, "0"), figures[power + 1 :]
    return f"{minus}{whole}{'.' if fraction else ''}{fraction}".encode()


def unscaled(value: bytes) -> tuple[int, int]:
    """A finite numeric as a whole number and its decimal places.

    Raises:
        KeyError: It is not finite; the key is its sign.
    """
    count, weight, sign, scale = _numeric(value)
    if sign in NOT_FINITE:
        raise KeyError(sign)
    number = 0
    for digit in struct.unpack_from(f">{count}H", value, 8):
        number = number * 10_000 + digit
    # The last group stands at 10000 ** (weight - count + 1).
    power = scale + 4 * (weight - count + 1)
    number = number * 10**power if power >= 0 else number // 10**-power
    return (-number if sign == NEGATIVE else number), scale


def numeric(value: bytes) -> bytes:
    """A decimal number with all its places."""
    try:
        number, scale = unscaled(value)
    except KeyError as sign:
        return NOT_FINITE[sign.args[0]]
    minus = "-" if number < 0 else ""
    figures = str(abs(number)).rjust(scale + 1, "0")
    if not scale:
        return f"{minus}{figures}".encode()
    return f"{minus}{figures[:-scale]}.{figures[-scale:]}".encode()


def cents(value: bytes) -> bytes:
    """Money as a whole number of its smallest unit: what `values.money` reads of its text.

    The server's own text depends on the database's locale.
    """
    return int8(value)


def uuid(value: bytes) -> bytes:
    """A UUID."""
    text = value.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}".encode()


def bits(value: bytes) -> bytes:
    """A bit string."""
    (count,) = _int(value[:4])
    if not count:
        return b""
    return bin(int.from_bytes(b"\x01" + value[4:], "big"))[3 : 3 + count].encode()


def tid(value: bytes) -> bytes:
    """A row's place in its table."""
    return b"(%d,%d)" % struct.unpack(">IH", value)


def lsn(value: bytes) -> bytes:
    """A log position."""
    return b"%X/%X" % struct.unpack(">II", value)


def snapshot(value: bytes) -> bytes:
    """A snapshot of transaction numbers."""
    (count,) = _int(value[:4])
    lowest, highest, *running = struct.unpack_from(f">{count + 2}Q", value, 4)
    return b"%d:%d:%b" % (lowest, highest, b",".join(b"%d" % number for number in running))
