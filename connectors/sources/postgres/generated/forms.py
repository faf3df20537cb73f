"""How the generated code writes a column: a few lines of source per way that a type travels.

The lines read the value in `m` from `{s}` to `{e}`, of `{n}` bytes, and leave the Avro body, behind
the mark of a union's branch if the column may be null, in `{c}`. `{s1}`, `{s3}`, `{s7}` and
`{before}` are places 1, 3 and 7 bytes further and 1 byte before.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from connectors.sources.encoding import primitives as avro
from connectors.sources.postgres.binary import scalars
from connectors.sources.postgres.generated import direct
from connectors.sources.postgres.shape import values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from connectors.sources.postgres.binary.scalars import Render
    from connectors.sources.postgres.shape.columns import Column

_STRINGS: Final = frozenset({18, 19, 25, 114, 142, 1042, 1043, 1790})
"""Types whose binary form is their text; enums and domains of them are found by their renderer."""
_JSONB: Final = 3802


@dataclass(frozen=True, slots=True)
class Form:
    """How a column is written.

    Attributes:
        lines: The source.
        width: Bytes of every value; None if they differ.
        names: What the lines need beyond the names that all code has.
    """

    lines: tuple[str, ...]
    width: int | None = None
    names: Mapping[str, Any] = field(default_factory=dict)


def _number(unpack: str, width: int) -> Form:
    return Form(
        (f"v = {unpack}(m, {{s}})[0]", "{c} = {small}[v] if 0 <= v < 8192 else {some} + long(v)"),
        width,
    )


def _called(function: Callable[[Any], bytes], unpack: str = "", width: int | None = None) -> Form:
    value = f"{unpack}(m, {{s}})[0]" if unpack else "m[{s}:{e}]"
    return Form((f"{{c}} = {{some}} + call{{i}}({value})",), width, {"call{i}": function})


_SIZED: Final = "{c} = ({small}[{n}] if {n} < 8192 else {some} + long({n})) + t"
_TEXT: Final = Form(("t = m[{s}:{e}]", "if not t.isascii(): t.decode()", _SIZED))
_JSON: Final = Form(
    (
        "if m[{s}] != 1: raise Unusual",
        "t = m[{s1}:{e}]",
        "if not t.isascii(): t.decode()",
        "{c} = ({small}[{n} - 1] if {n} < 8192 else {some} + long({n} - 1)) + t",
    )
)
_FORMS: Final[dict[tuple[Any, int], Form]] = {
    (values.boolean, 16): Form(("{c} = {yes} if m[{s}] else {small}[0]",), 1),
    (values.integer, 21): _number("short", 2),
    (values.integer, 23): _number("int4", 4),
    (values.long, 20): _number("int8", 8),
    (values.long, 26): _number("uint4", 4),
    (values.float32, 700): Form(
        (
            "if m[{s}] & 127 == 127: single(m[{s}:{e}])",
            "{c} = {some} + m[{s3}:{before}:-1]",
        ),
        4,
    ),
    (values.float64, 701): Form(
        (
            "if m[{s}] & 127 == 127: double(m[{s}:{e}])",
            "{c} = {some} + m[{s7}:{before}:-1]",
        ),
        8,
    ),
    (values.bytea, 17): Form(("t = m[{s}:{e}]", _SIZED)),
    (values.text, 2950): _called(direct.uuid, width=16),
    (values.text, _JSONB): _JSON,
    (values.date, 1082): _called(direct.day, "int4", 4),
    (values.time_micros, 1083): Form(("{c} = {some} + long(int8(m, {s})[0])",), 8),
    (values.time_millis, 1083): Form(("{c} = {some} + long(int8(m, {s})[0] // 1000)",), 8),
    (values.timestamp_micros, 1114): _called(direct.shifted, "int8", 8),
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
    if isinstance(encode, values.Scaled) and oid == 1700:
        return _called(direct.decimal(encode.scale))
    if isinstance(encode, values.Zoned) and oid == 1184:
        return _called(direct.zoned(encode.precision), "int8", 8)
    if isinstance(encode, values.Label) and render is scalars.plain:
        return Form(
            ("t = m[{s}:{e}]", "if t not in labels{i}: raise Unusual", _SIZED),
            names={"labels{i}": encode.known},
        )
    if encode is values.text and (oid in _STRINGS or render is scalars.plain):
        return _TEXT if oid != 18 else _long_way(encode, render)
    return _FORMS.get((encode, oid)) or _long_way(encode, render)


def _long_way(encode: Callable[[bytes], bytes], render: Render) -> Form:
    def over_text(value: bytes) -> bytes:
        return encode(render(value))

    return _called(over_text)


NAMES: Final[dict[str, Any]] = {
    "long": avro.long,
    "short": struct.Struct(">h").unpack_from,
    "int4": struct.Struct(">i").unpack_from,
    "uint4": struct.Struct(">I").unpack_from,
    "int8": struct.Struct(">q").unpack_from,
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
            f"{_name}YES": _mark + avro.TRUE,
        }
    )
