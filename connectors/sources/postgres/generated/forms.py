"""How the generated code writes a column: a few lines of source per way that a type travels.

The lines read the value in `m` from `{s}` to `{e}`, of `{n}` bytes, and leave the Avro body, behind
the mark of a union's branch if the column may be null, in `{c}`, or in `{c}` and `{d}`. `{s1}`,
`{s3}`, `{s7}` and `{before}` are places 1, 3 and 7 bytes further and 1 byte before.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from connectors.sources.encoding import primitives as avro
from connectors.sources.postgres.binary import scalars
from connectors.sources.postgres.generated import direct
from connectors.sources.postgres.shape import values, wire
from connectors.sources.postgres.shape.dialect import magic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from connectors.sources.postgres.binary.scalars import Render
    from connectors.sources.postgres.shape.columns import Column

_STRINGS: Final = frozenset({19, 25, 114, 142, 1042, 1043, 1790})
"""Types whose binary form is their text; enums and domains of them are found by their renderer."""
_CHAR, _JSONB = 18, 3802


@dataclass(frozen=True, slots=True)
class Form:
    """How a column is written.

    Attributes:
        lines: The source.
        width: Bytes of every value; None if they differ.
        names: What the lines need beyond the names that all code has.
        halves: The body is left in two parts, `{c}` and `{d}`.
    """

    lines: tuple[str, ...]
    width: int | None = None
    names: Mapping[str, Any] = field(default_factory=dict)
    halves: bool = False


def _number(unpack: str, width: int) -> Form:
    return Form(
        (
            f"v = {unpack}(m, {{s}})[0]",
            "if 0 <= v < 8192: {c} = {small}[v]",
            "elif 0 <= v < 134217728: {c} = {more}[v << 1 & 16383] + LAST[v >> 13]",
            "else: {c} = {some} + long(v)",
        ),
        width,
    )


def _called(function: Callable[[Any], bytes], unpack: str = "", width: int | None = None) -> Form:
    value = f"{unpack}(m, {{s}})[0]" if unpack else "m[{s}:{e}]"
    return Form((f"{{c}} = {{some}} + call{{i}}({value})",), width, {"call{i}": function})


def _instant(some: bytes) -> Form:
    """Microseconds since 1970; seconds before and around that day take the longer way."""
    return Form(
        (
            f"v = int8(m, {{s}})[0] + {direct.EPOCH_MICROS}",
            f"if 134217728 <= v < {1 << 63}: {{c}} = {{more}}[v << 1 & 16383] + {HIGH}",
            "else: {c} = call{i}(v)",
        ),
        8,
        {"call{i}": lambda value: some + direct.shifted(value - direct.EPOCH_MICROS)},
    )


def _zoned(some: bytes, precision: int) -> Form:
    unit = 10 ** (6 - precision)
    parts = f"divmod(r // {unit}, {10**precision})" if precision else "(r // 1000000,)"
    pattern = f"%02d.%0{precision}dZ" if precision else "%02dZ"
    return Form(
        (
            "q, r = divmod(int8(m, {s})[0], 60000000)",
            f'{{c}} = minutes{{i}}[q] + b"{pattern}" % {parts}',
        ),
        8,
        {"minutes{i}": direct.Known(direct.minute(some, precision))},
    )


def _decimal(scale: int) -> Form:
    """A numeric of one or two groups of digits in place; others by a call."""
    powers = {weight: 10 ** (scale + 4 * weight) for weight in range(-(scale // 4), 4)}
    return Form(
        (
            "if n == 12:",
            "    w, g, _, a, v = groups2(m, {s})",
            "    v += a * 10000; f = powers{i}.get(w - 1) if g == 0 else None",
            "elif n == 10:",
            "    w, g, _, v = groups1(m, {s}); f = powers{i}.get(w) if g == 0 else None",
            "else: f = None",
            "if f is None: {c} = {some} + call{i}(m[{s}:{e}])",
            "else:",
            "    v *= f; b = v.bit_length() // 8 + 1",
            '    {c} = {small}[b] + v.to_bytes(b, "big")',
        ),
        names={"powers{i}": powers, "call{i}": direct.decimal(scale)},
    )


HIGH: Final = "MORE[v >> 13 & 16383] + high[v >> 27]"
"""The rest of a variable-length number from 2**27 on, behind its lowest 14 bits."""
_HEAD: Final = "{c} = {small}[{n}] if {n} < 8192 else {some} + long({n})"
_TEXT: Final = Form(("{d} = m[{s}:{e}]", "if not {d}.isascii(): {d}.decode()", _HEAD), halves=True)
_JSON: Final = Form(
    (
        "if m[{s}] != 1: raise Unusual",
        "{d} = m[{s1}:{e}]; n -= 1",
        "if not {d}.isascii(): {d}.decode()",
        _HEAD,
    ),
    halves=True,
)
_SINGLE: Final = (
    "if m[{s}] & 127 == 127: single(m[{s}:{e}])",
    "{c} = {some}; {d} = m[{s3}:{before}:-1]",
)
_DOUBLE: Final = (
    "if m[{s}] & 127 == 127: double(m[{s}:{e}])",
    "{c} = {some}; {d} = m[{s7}:{before}:-1]",
)
_FORMS: Final[dict[tuple[Any, int], Form]] = {
    (values.boolean, 16): Form(("{c} = {yes} if m[{s}] else {small}[0]",), 1),
    (values.integer, 21): _number("short", 2),
    (values.integer, 23): _number("int4", 4),
    (values.long, 20): _number("int8", 8),
    (values.long, 26): _number("uint4", 4),
    (values.float32, 700): Form(_SINGLE, 4, halves=True),
    (values.float64, 701): Form(_DOUBLE, 8, halves=True),
    (values.bytea, 17): Form(("{d} = m[{s}:{e}]", _HEAD), halves=True),
    (values.text, 2950): _called(direct.uuid, width=16),
    (values.text, _JSONB): _JSON,
    (values.time_micros, 1083): Form(("{c} = {some} + long(int8(m, {s})[0])",), 8),
    (values.time_millis, 1083): Form(("{c} = {some} + long(int8(m, {s})[0] // 1000)",), 8),
    (values.timestamp_millis, 1114): _called(direct.shifted_millis, "int8", 8),
    (values.free_decimal, 1700): _called(direct.free_decimal),
}


def form_of(column: Column, oid: int, render: Render) -> Form:
    """Choose how a column is written; what has no short way goes over the server's text.

    Args:
        column: The column's plan.
        oid: The column's type, a domain's base type.
        render: Makes the server's text of the type's binary form.
    """
    encode = column.encode
    if isinstance(encode, magic.Infinite):
        # The short ways refuse what is infinite, so that it goes the long way.
        return form_of(replace(column, encode=encode.finite), oid, render)
    made = _made(column, oid)
    if made is not None:
        return made
    if isinstance(encode, wire.Label) and render is scalars.plain:
        return Form(
            ("{d} = m[{s}:{e}]", "if {d} not in labels{i}: raise Unusual", _HEAD),
            names={"labels{i}": encode.known},
            halves=True,
        )
    if encode is values.text and oid != _CHAR and (oid in _STRINGS or render is scalars.plain):
        return _TEXT
    return _FORMS.get((encode, oid)) or _long_way(encode, render)


def _made(column: Column, oid: int) -> Form | None:
    """The forms that depend on a type's modifier or hold what they saw before."""
    encode, some = column.encode, column.some
    if isinstance(encode, values.Scaled) and oid == 1700:
        return _decimal(encode.scale)
    if isinstance(encode, values.Zoned) and oid == 1184:
        return _zoned(some, encode.precision)
    if (encode, oid) == (values.timestamp_micros, 1114):
        return _instant(some)
    if (encode, oid) == (values.date, 1082):
        known = direct.Known(lambda value: some + direct.day(value))
        return Form(("{c} = days{i}[int4(m, {s})[0]]",), 4, {"days{i}": known})
    return None


def _long_way(encode: Callable[[bytes], bytes], render: Render) -> Form:
    def over_text(value: bytes) -> bytes:
        return encode(render(value))

    return _called(over_text)


NAMES: Final[dict[str, Any]] = {
    "long": avro.long,
    "LAST": avro.LAST,
    "MORE": avro.MORE,
    "high": direct.Known(avro.unsigned),
    "short": struct.Struct(">h").unpack_from,
    "int4": struct.Struct(">i").unpack_from,
    "uint4": struct.Struct(">I").unpack_from,
    "int8": struct.Struct(">q").unpack_from,
    "groups1": struct.Struct(">2xhHHH").unpack_from,
    "groups2": struct.Struct(">2xhHHHH").unpack_from,
    "single": direct.single,
    "double": direct.double,
    "Unusual": direct.Unusual,
    "SMALL": direct.SMALL,
    "SOME": avro.SOME,
}
"""What all generated code may use, tables for each mark of a union's branch among it."""
for _name, _mark in (("NO_", b""), ("SECOND_", b"\x02"), ("FIRST_", b"\x00")):
    NAMES.update(
        {
            f"{_name}MARK": _mark,
            f"{_name}SMALL": tuple(_mark + each for each in direct.SMALL),
            f"{_name}MORE": tuple(_mark + each for each in avro.MORE),
            f"{_name}YES": _mark + avro.TRUE,
        }
    )
