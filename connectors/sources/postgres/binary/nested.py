"""Binary arrays, ranges and composites as the server's text."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from connectors.sources.postgres.binary.scalars import Render

_int = struct.Struct(">i").unpack_from
_head = struct.Struct(">iiI").unpack_from
_field = struct.Struct(">Ii").unpack_from

_SPACES: Final = b" \t\n\r\v\f"
_EMPTY, _LOWER_IN, _UPPER_IN, _NO_LOWER, _NO_UPPER = 0x01, 0x02, 0x04, 0x08, 0x10


def _needs_quotes(text: bytes, special: bytes) -> bool:
    return not text or any(byte in special for byte in text)


def array_of(element: Render, delimiter: bytes) -> Render:
    """Arrays of any number of dimensions."""
    special = b'"\\{}' + delimiter + _SPACES

    def written(item: bytes | None) -> bytes:
        if item is None:
            return b"NULL"
        text = element(item)
        if not _needs_quotes(text, special) and text.upper() != b"NULL":
            return text
        return b'"%b"' % text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')

    def render(value: bytes) -> bytes:
        dimensions = _head(value)[0]
        if not dimensions:
            return b"{}"
        bounds = [_field(value, 12 + 8 * number) for number in range(dimensions)]
        items = [written(item) for item in _sized(value, 12 + 8 * dimensions)]
        for size, _ in reversed(bounds):
            items = [
                b"{" + delimiter.join(items[at : at + size]) + b"}"
                for at in range(0, len(items), size)
            ]
        if all(lowest == 1 for _, lowest in bounds):
            return items[0]
        ranges = b"".join(b"[%d:%d]" % (low, low + size - 1) for size, low in bounds)
        return ranges + b"=" + items[0]

    return render


def _sized(value: bytes, place: int) -> Iterator[bytes | None]:
    """Items that stand behind their lengths; None for null."""
    while place < len(value):
        (length,) = _int(value, place)
        place += 4
        yield None if length < 0 else value[place : place + length]
        place += max(length, 0)


def vector_of(element: Render) -> Render:
    """The system catalogue's own arrays: values with blanks between."""

    def render(value: bytes) -> bytes:
        start = 12 + 8 * _head(value)[0]
        return b" ".join(element(item) for item in _sized(value, start) if item is not None)

    return render


def _doubled(text: bytes, special: bytes) -> bytes:
    if not _needs_quotes(text, special):
        return text
    return b'"%b"' % text.replace(b"\\", b"\\\\").replace(b'"', b'""')


def range_of(bound: Render) -> Render:
    """Ranges of one type."""
    special = b'"\\()[],' + _SPACES

    def render(value: bytes) -> bytes:
        flags, place = value[0], 1
        if flags & _EMPTY:
            return b"empty"
        ends = []
        for absent in (_NO_LOWER, _NO_UPPER):
            if flags & absent:
                ends.append(b"")
                continue
            (length,) = _int(value, place)
            ends.append(_doubled(bound(value[place + 4 : place + 4 + length]), special))
            place += 4 + length
        return b"%c%b,%b%c" % (
            b"(["[bool(flags & _LOWER_IN)],
            ends[0],
            ends[1],
            b")]"[bool(flags & _UPPER_IN)],
        )

    return render


def multirange_of(bound: Render) -> Render:
    """Sets of ranges of one type."""
    one = range_of(bound)

    def render(value: bytes) -> bytes:
        return b"{" + b",".join(one(item) for item in _sized(value, 4) if item is not None) + b"}"

    return render


def record_of(field: Callable[[int], Render]) -> Render:
    """Composites; each value says its type's number itself.

    Args:
        field: Finds how a type is rendered.
    """
    special = b'"\\(),' + _SPACES

    def render(value: bytes) -> bytes:
        (count,) = _int(value)
        place, cells = 4, []
        for _ in range(count):
            oid, length = _field(value, place)
            place += 8
            if length < 0:
                cells.append(b"")
            else:
                cells.append(_doubled(field(oid)(value[place : place + length]), special))
                place += length
        return b"(" + b",".join(cells) + b")"

    return render
