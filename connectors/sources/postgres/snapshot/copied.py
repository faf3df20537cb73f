"""The two forms in which COPY sends a row, and which of them is asked for."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from connectors.sources.postgres.binary.texts import unknown_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.sources.postgres.log.pgoutput import Cells
    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.shape.tables import Table
    from connectors.sources.postgres.shape.types import TypeFacts

_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_MEANT = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_NULL = rb"\N"
COUNT = 2
"""Bytes in front of a copied row's values: how many there are."""
_short = struct.Struct(">H").unpack_from
_length = struct.Struct(">i").unpack_from


def cells_of(line: bytes, width: int) -> Cells:
    """The values of a row as COPY sends it in text form.

    Args:
        line: The row, without the line's end.
        width: Columns of the row.
    """
    parts = line.split(b"\t") if width else []
    if b"\\" not in line:
        return [*parts]
    return [
        None if part == _NULL else _ESCAPED.sub(_meant, part) if b"\\" in part else part
        for part in parts
    ]


def _meant(found: re.Match[bytes]) -> bytes:
    return _MEANT.get(found[1], found[1])


def reads_binary(settings: PostgresSettings, table: Table, types: Mapping[int, TypeFacts]) -> bool:
    """Whether a table's rows are read in the server's binary form.

    Text is read where each value's text is needed anyway: for a translator, behind a field policy,
    in a mode that is worked out from text, and for a type whose binary form is not known.
    """
    if settings.translator or settings.text_only or table.encoder is None:
        return False
    return not unknown_columns(table.relation, types)


def copied_cells(row: bytes, table: Table) -> Cells:
    """The values of a row that was copied in binary form, as text."""
    (count,) = _short(row)
    cells: Cells = []
    place = COUNT
    for number in range(count):
        (size,) = _length(row, place)
        place += 4
        if size < 0:
            cells.append(None)
            continue
        cells.append(table.renders[number](row[place : place + size]))
        place += size
    return cells
