"""A row message in words, for the person who reads its dead letter."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Final

from streams.errors import Poison

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connectors.sources.postgres.shape.tables import Table

    Render = Callable[[bytes], bytes]

CELL_CHARS: Final = 200
"""Characters of a value that are shown; the bytes have all of it."""
ROW_CHARS: Final = 12_000
"""Characters of a row that are shown."""
IMAGES: Final = {ord("K"): "key", ord("O"): "old", ord("N"): "new"}
_FAULTS = (ValueError, LookupError, OverflowError, struct.error, Poison)
_HEAD: Final = 5
_TEXT, _BINARY, _NULL, _SAME = b"tbnu"
_count = struct.Struct(">H").unpack_from
_length = struct.Struct(">I").unpack_from


def readable(table: Table, message: bytes) -> str:
    """A row's images as a JSON object of column and text; a value that has none is shown in hex.

    Args:
        table: The row's table.
        message: The insert, update or delete as it stands in the dead letter.

    Returns:
        The text, empty if the message is not well-formed.
    """
    names = [column.name for column in table.plan.relation.columns]
    renders = list(table.renders)
    if table.mask is not None:
        treated = zip(renders, table.mask.treatments, strict=False)
        renders = [render for render, how in treated if how != "drop"]
    images: dict[str, dict[str, str | None]] = {}
    place, left = _HEAD, ROW_CHARS
    try:
        while place < len(message):
            image = IMAGES[message[place]]
            images[image], place, left = _row(message, place + 1, names, renders, left)
    except _FAULTS:
        return ""
    return json.dumps(images, ensure_ascii=False)


def readable_cells(table: Table, cells: Sequence[bytes | None]) -> str:
    """The same of a row that a snapshot read as text."""
    shown: dict[str, str | None] = {}
    left = ROW_CHARS
    for column, raw in zip(table.plan.relation.columns, cells, strict=False):
        if left > 0:
            text = shown[column.name] = None if raw is None else _cell(_TEXT, raw, None)
            left -= len(column.name) + len(text or "")
    return json.dumps({"new": shown}, ensure_ascii=False)


def _row(
    message: bytes, place: int, names: Sequence[str], renders: Sequence[Render], left: int
) -> tuple[dict[str, str | None], int, int]:
    """One image, the place behind it, and how many characters may still be shown."""
    (count,) = _count(message, place)
    place += 2
    cells: dict[str, str | None] = {}
    for index in range(count):
        kind, place = message[place], place + 1
        raw = b""
        if kind in (_TEXT, _BINARY):
            start = place + 4
            place = start + _length(message, place)[0]
            raw = message[start:place]
        elif kind not in (_NULL, _SAME):
            raise ValueError(kind)
        if left > 0:
            cells[names[index]] = _cell(kind, raw, renders[index] if kind == _BINARY else None)
            left -= len(names[index]) + len(cells[names[index]] or "")
    if place > len(message):
        raise ValueError(place)
    return cells, place, left


def _cell(kind: int, raw: bytes, render: Render | None) -> str | None:
    if kind == _NULL:
        return None
    if kind == _SAME:
        return "(a large value that did not change; the log does not repeat it)"
    text = raw
    if render is not None:
        try:
            text = render(raw)
        except _FAULTS:
            text = b"\\x" + raw[:CELL_CHARS].hex().encode()
    shown = text[: 4 * CELL_CHARS].decode("utf-8", "backslashreplace")
    if len(shown) <= CELL_CHARS and len(text) <= 4 * CELL_CHARS:
        return shown
    return f"{shown[:CELL_CHARS]}… ({len(raw):,} bytes)"
