"""PostgreSQL's logical replication messages (pgoutput, protocol version 1), decoded.

Values are the server's text; what they mean is `types`' business.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from streams.errors import Poison

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.sources.postgres.binary.scalars import Render

UNCHANGED: Final = b"\x00unchanged large value\x00"
"""Stands in a tuple for a large value that did not change; compare by identity."""

Cells = list[bytes | None]
"""A row's values in the relation's column order: text, None for null, or `UNCHANGED`."""

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
EPOCH_MICROS = 946_684_800_000_000
"""The server counts microseconds from 2000; this is that instant in microseconds since 1970."""

_begin = struct.Struct(">xQqI").unpack_from
_commit = struct.Struct(">xBQQq").unpack_from
_short = struct.Struct(">H").unpack_from
_word = struct.Struct(">I").unpack_from
_long = struct.Struct(">Q").unpack_from
_column = struct.Struct(">Ii").unpack_from
_TEXT, _NULL, _SAME = b"tnu"
_SIZED = b"tb"


@dataclass(frozen=True, slots=True)
class Begin:
    """A transaction begins.

    Attributes:
        commit_lsn: Where its commit record starts: known at the first row, equal on replay.
        committed_us: Commit time in microseconds since 1970.
        xid: Transaction number.
    """

    commit_lsn: int
    committed_us: int
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    """A transaction ends.

    Attributes:
        end_lsn: The first position behind it; resuming there yields the next transaction.
    """

    commit_lsn: int
    end_lsn: int


@dataclass(frozen=True, slots=True)
class RelationColumn:
    """A column of a published table.

    Attributes:
        flagged: It belongs to the replica identity.
    """

    name: str
    oid: int
    typmod: int
    flagged: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as the log describes it before its first change, and again after a change of it.

    Attributes:
        identity: `d` default, `f` full, `i` index, `n` nothing.
    """

    oid: int
    schema: str
    table: str
    identity: str
    columns: tuple[RelationColumn, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """What `pg_logical_emit_message` was given.

    Attributes:
        transactional: It belongs to the transaction it was emitted in.
        lsn: Where it stands in the log.
    """

    transactional: bool
    lsn: int
    prefix: str
    content: bytes


def instant(micros_since_1970: int) -> datetime:
    """An instant of the server's clock as an aware datetime."""
    return EPOCH + timedelta(microseconds=micros_since_1970 - EPOCH_MICROS)


def read_begin(message: bytes) -> Begin:
    """Read a message of kind `B`."""
    lsn, micros, xid = _begin(message)
    return Begin(lsn, micros + EPOCH_MICROS, xid)


def read_commit(message: bytes) -> Commit:
    """Read a message of kind `C`."""
    _, commit_lsn, end_lsn, _ = _commit(message)
    return Commit(commit_lsn, end_lsn)


def read_relation(message: bytes) -> Relation:
    """Read a message of kind `R`."""
    (oid,) = _word(message, 1)
    schema, place = _text(message, 5)
    table, place = _text(message, place)
    identity = chr(message[place])
    (count,) = _short(message, place + 1)
    place += 3
    columns = []
    for _ in range(count):
        flagged = bool(message[place] & 1)
        name, place = _text(message, place + 1)
        type_oid, typmod = _column(message, place)
        place += 8
        columns.append(RelationColumn(name, type_oid, typmod, flagged))
    # An empty namespace stands for the system catalogue.
    return Relation(oid, schema or "pg_catalog", table, identity, tuple(columns))


def read_truncate(message: bytes) -> tuple[int, ...]:
    """Read a message of kind `T`: the relations that were emptied."""
    (count,) = _word(message, 1)
    return struct.unpack_from(f">{count}I", message, 6)


def read_message(message: bytes) -> Message:
    """Read a message of kind `M`, outside a streamed transaction."""
    (lsn,) = _long(message, 2)
    prefix, place = _text(message, 10)
    (length,) = _word(message, place)
    content = message[place + 4 : place + 4 + length]
    return Message(bool(message[1] & 1), lsn, prefix, content)


def relation_of(message: bytes) -> int:
    """The relation of an insert, update or delete."""
    return int(_word(message, 1)[0])


def read_row(
    message: bytes, renders: Sequence[Render] = ()
) -> tuple[int, Cells | None, Cells | None]:
    """Read an insert, update or delete.

    Args:
        message: The message.
        renders: Per column: from a value's binary form to the server's text.

    Returns:
        What kind of old image there is (`K` key, `O` whole row, 0 none), the old and new row.

    Raises:
        Poison: The message is not well-formed, or a value is not of its type.
    """
    try:
        mark = message[5]
        if mark == ord("N"):
            return 0, None, _cells(message, 6, renders)[0]
        old, place = _cells(message, 6, renders)
        if place == len(message):
            return mark, old, None
        return mark, old, _cells(message, place + 1, renders)[0]
    except (IndexError, struct.error) as error:
        raise Poison(
            f"A row message of the log ends early or is malformed: {error}",
            code="malformed_row",
            advice="report it with the dead letter's bytes; the server's version may be newer",
        ) from error


def _cells(message: bytes, place: int, renders: Sequence[Render]) -> tuple[Cells, int]:
    (count,) = _short(message, place)
    place += 2
    cells: Cells = []
    for number in range(count):
        kind = message[place]
        if kind in _SIZED:
            start = place + 5
            place = start + _word(message, place + 1)[0]
            value = message[start:place]
            cells.append(value if kind == _TEXT else _rendered(value, number, renders))
        elif kind == _NULL:
            cells.append(None)
            place += 1
        elif kind == _SAME:
            cells.append(UNCHANGED)
            place += 1
        else:
            raise IndexError(f"unknown kind of value {chr(kind)!r}")
    if place > len(message):
        raise IndexError("the last value is cut")
    return cells, place


def _rendered(value: bytes, number: int, renders: Sequence[Render]) -> bytes:
    render = renders[number]
    try:
        return render(value)
    except (ValueError, KeyError, IndexError, OverflowError, struct.error) as error:
        raise Poison(
            f"The binary value of column {number + 1} is not of its type: {error}",
            code="undecodable_row",
            kept="the row's bytes and position are in the dead letter; other rows flow on",
            advice="correct the value in the source, or report the type with these bytes",
        ) from error


def _text(message: bytes, place: int) -> tuple[str, int]:
    end = message.index(0, place)
    return message[place:end].decode(), end + 1
