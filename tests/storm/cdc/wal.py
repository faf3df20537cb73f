"""What the server's log says, read through a slot of the oracle's own.

Written from PostgreSQL's description of the protocol, and shares no code with the source.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.storm.cdc.tables import SHAPES, Row

SLOT = "oracle_{}"
Tables = dict[int, tuple[str, list[str]]]
"""Name and columns of each table, by the number that the log gives it."""
_READ = (
    "select data from pg_logical_slot_get_binary_changes(%s, null, null,"
    " 'proto_version', '1', 'publication_names', 'lotgate')"
)


@dataclass(frozen=True, slots=True)
class Event:
    """One row change: a row of `old` or `new` holds the columns that the log knows."""

    table: str
    op: str
    ordinal: int
    old: Row | None = None
    new: Row | None = None


@dataclass(slots=True)
class Committed:
    """One transaction of the log that touched a published table."""

    commit_lsn: int
    end_lsn: int
    xid: int
    events: list[Event] = field(default_factory=list)


def make_slot(dsn: str, name: str) -> None:
    """Make the oracle's slot: the log is kept from here on."""
    with psycopg.connect(dsn, autocommit=True) as server:
        server.execute(
            "select pg_create_logical_replication_slot(%s, 'pgoutput')", (SLOT.format(name),)
        )


def drop_slot(dsn: str, name: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as server:
        server.execute("select pg_drop_replication_slot(%s)", (SLOT.format(name),))


def read_slot(dsn: str, name: str) -> list[Committed]:
    """All transactions up to now, in commit order."""
    with psycopg.connect(dsn, autocommit=True) as server:
        messages = (data for (data,) in server.execute(_READ, (SLOT.format(name),)))
        return [each for each in _transactions(messages) if each.events]


def _transactions(messages: Iterator[bytes]) -> Iterator[Committed]:
    tables: Tables = {}
    current = Committed(0, 0, 0)
    for message in messages:
        kind = chr(message[0])
        reader = Reader(message)
        if kind == "B":
            final, _, xid = reader.take(">QqI")
            current = Committed(final, 0, xid)
        elif kind == "R":
            oid, table, columns = _relation(reader)
            tables[oid] = table, columns
        elif kind == "C":
            _, _, current.end_lsn, _ = reader.take(">BQQq")
            yield current
        elif kind not in "OY":
            _add(current, kind, tables, reader)


def _add(current: Committed, kind: str, tables: Tables, reader: Reader) -> None:
    if kind in "IUD":
        (oid,) = reader.take(">I")
        current.events.append(_change(kind, *tables[oid], reader, len(current.events)))
    elif kind == "T":
        count, _ = reader.take(">IB")
        for oid in reader.take(f">{count}I"):
            current.events.append(Event(tables[oid][0], "t", len(current.events)))
    else:
        raise ValueError(f"unknown message {kind!r}")


def _change(kind: str, table: str, columns: list[str], reader: Reader, ordinal: int) -> Event:
    images: dict[str, Row] = {}
    while not reader.ended:
        (mark,) = reader.take(">c")
        row = reader.row(columns)
        key_only = mark == b"K"
        shape = SHAPES[table]
        images["N" if mark == b"N" else "O"] = {
            name: None if text is None else shape.columns[name](text)
            for name, text in row.items()
            if not key_only or name in shape.key
        }
    return Event(
        table, {"I": "c", "U": "u", "D": "d"}[kind], ordinal, images.get("O"), images.get("N")
    )


def _relation(reader: Reader) -> tuple[int, str, list[str]]:
    (oid,) = reader.take(">I")
    reader.text()
    table = reader.text()
    _, count = reader.take(">cH")
    columns = []
    for _ in range(count):
        reader.take(">B")
        columns.append(reader.text())
        reader.take(">Ii")
    return oid, table, columns


class Reader:
    """Walks over one message."""

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._at = 1

    @property
    def ended(self) -> bool:
        return self._at >= len(self._message)

    def take(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(form, self._message, self._at)
        self._at += struct.calcsize(form)
        return found

    def text(self) -> str:
        end = self._message.index(0, self._at)
        found = self._message[self._at : end].decode()
        self._at = end + 1
        return found

    def row(self, columns: list[str]) -> dict[str, str | None]:
        (count,) = self.take(">H")
        if count != len(columns):
            raise ValueError(f"a row of {count} values for {len(columns)} columns")
        found: dict[str, str | None] = {}
        for name in columns:
            (kind,) = self.take(">c")
            if kind == b"t":
                (size,) = self.take(">I")
                found[name] = self._message[self._at : self._at + size].decode()
                self._at += size
            elif kind == b"n":
                found[name] = None
            else:
                raise ValueError(f"a value of kind {kind!r} in a table without large values")
        return found
