"""Rows that were read, turned into records."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from connectors.base import ANY_PARTITION, Change, DeadRow, Position, RawRecord
from connectors.sources.encoding import primitives as avro
from connectors.sources.encoding.transactions import TransactionHead, chunk_body
from connectors.sources.postgres.binary.texts import unknown_columns
from connectors.sources.postgres.generated.encoder import FAULTS
from connectors.sources.postgres.log.transaction import dead_row
from connectors.sources.postgres.shape.envelope import SourceBlock, SourceFacts, clock_part
from connectors.sources.postgres.shape.identity import uuid_seed
from connectors.sources.postgres.shape.rows import OP_READ, Place, RowWriter
from streams.errors import Poison
from streams.runtime import clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.sources.postgres.log.pgoutput import Cells
    from connectors.sources.postgres.log.transaction import Origin
    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.shape.tables import Table
    from connectors.sources.postgres.shape.types import TypeFacts
    from connectors.sources.postgres.snapshot.state import Run

_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_MEANT = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_NULL = rb"\N"
_COUNT = 2
"""Bytes in front of a copied row's values: how many there are."""
_MOST_DIGITS = 24
_short = struct.Struct(">H").unpack_from
_length = struct.Struct(">i").unpack_from
new = tuple.__new__
join = b"".join


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


class Made(NamedTuple):
    """A row's reading, ready to go out.

    Attributes:
        record: The raw record.
        change: Its part of the transaction record; empty without a translator.
        id: The part of its event's id that tells run, table and row.
    """

    record: RawRecord
    change: bytes
    id: str


@dataclass(slots=True)
class Piece:
    """What goes out at once.

    Attributes:
        records: Raw records.
        changes: Their parts of the transaction record; empty without a translator.
        dead: Rows that cannot be carried.
        size: Bytes of all, about.
        filled: Bytes of the parts of the transaction record.
        odd: Takes rows in binary form that must go over their text, with their numbers; without it
            they go there at once.
    """

    records: list[RawRecord] = field(default_factory=list)
    changes: list[bytes] = field(default_factory=list)
    dead: list[DeadRow] = field(default_factory=list)
    size: int = 0
    filled: int = 0
    odd: list[tuple[int, bytes]] | None = None

    def add(self, made: Made | None) -> None:
        """Take a row; None is one that became a dead row."""
        if made is None:
            return
        self.records.append(made.record)
        self.size += len(made.record.value or b"") + len(made.change)
        if made.change:
            self.changes.append(made.change)
            self.filled += len(made.change)


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
    place = _COUNT
    for number in range(count):
        (size,) = _length(row, place)
        place += 4
        if size < 0:
            cells.append(None)
            continue
        cells.append(table.renders[number](row[place : place + size]))
        place += size
    return cells


_Span = tuple[bytes, Any, Sequence[bytes], bytes]
"""Of a table: event ids up to the row, the hash of their UUIDs so far, source blocks up to the
number (by its digits), and what follows it."""


class RowMaker:
    """Makes the records of a run's rows.

    Args:
        settings: The source's settings.
        origin: Where the rows come from.
        run: The snapshot.
        now_us: The instant that its records bear; now if not given.
    """

    def __init__(
        self, settings: PostgresSettings, origin: Origin, run: Run, now_us: int | None = None
    ) -> None:
        self._settings = settings
        self._origin = origin
        self._run = run
        self.mark = "incremental" if run.mode == "incremental" else "true"
        self._spans: dict[str, _Span] = {}
        self._prefix = f"pg:{origin.system_id}:snap:"
        self._writer = RowWriter(settings.record_bytes, tombstones=settings.form.tombstones)
        self.now_us = self._now_us = clock.now_us() if now_us is None else now_us
        self._clock = clock_part(self._now_us * 1000)
        self._sources: dict[tuple[int, str], SourceBlock] = {}
        self._head = TransactionHead(
            source=settings.source,
            translator=settings.translator,
            site=settings.site,
            database=origin.database,
            system_id=origin.system_id,
            tx_id=0,
            commit_lsn=run.point,
            committed_us=run.started_ms * 1000,
            ingested_us=self._now_us,
            snapshot=True,
            connector_version=settings.version,
        )

    def read(self, table: Table, row: Any, number: int, mark: str, piece: Piece) -> Made | None:
        """Make a row's record; one that cannot be made goes to the piece's dead rows.

        Args:
            table: Its table.
            row: Its published values as text, or as they were copied in binary form.
            number: Its number in the run.
            mark: Where it stands in the run, in Debezium's words.
            piece: Takes the dead row.
        """
        run, plan = self._run, table.plan
        own_id = f"{run.label}:{table.name}:{number}"
        shown: Cells = []
        try:
            cells = copied_cells(row, table) if isinstance(row, bytes) else row
            shown = cells = cells if table.mask is None else table.mask.cells(cells)
            key = plan.key(cells)[0]
            if key is not None:
                own_id = f"{run.label}:{table.name}:{_digest(key)}"
            event_id = self._prefix + own_id
            sequence = b'["%d","%d"]' % (run.point, number)
            source = self._source(table, mark).encode(sequence, run.point)
            carried = self._writer.read(table, Place(number, event_id, source, self._clock), cells)
        except Poison as error:
            raw = b"\t".join(b"\\N" if cell is None else cell for cell in shown)
            piece.dead.append(
                dead_row(error, self._prefix + own_id, table.name, run.point, raw, table.shape)
            )
            return None
        change = carried.change if self._settings.translator else b""
        return Made(carried.records[0], change, own_id)

    def fast(self, table: Table, rows: Sequence[bytes], number: int, piece: Piece) -> None:
        """Make the records of rows in binary form: generated code does most of it.

        Args:
            table: Their table.
            rows: The rows as they were copied.
            number: The first one's number in the run.
            piece: Takes records and dead rows.
        """
        encoder, key_frame, topic = table.encoder, table.key_frame, table.plan.topic
        assert encoder is not None  # noqa: S101 - see `reads_binary`
        copied, add = encoder.copied, piece.records.append
        event, seed, opening, tail = self._spans.get(table.name) or self._span(table)
        head = table.value_frame + b"\0\2"
        limit, size = self._settings.record_bytes, 0
        for place, row in enumerate(rows, number):
            try:
                key, body = copied(row, _COUNT)
            except FAULTS:
                self._slow(table, row, place, piece)
                continue
            name = b"%d" % place if key is None else sha256(key).hexdigest()[:32].encode()
            digest = seed.copy()
            digest.update(name)
            uuid = bytearray(digest.digest()[:16])
            uuid[6] = uuid[6] & 0x0F | 0x50
            uuid[8] = uuid[8] & 0x3F | 0x80
            order = b'%d"]' % place
            value = join((head, body, opening[len(order)], order, tail))
            if len(value) > limit:
                self._slow(table, row, place, piece)
                continue
            headers = [("event_id", event + name), ("event_uuid", bytes(uuid))]
            framed = None if key is None else key_frame + key
            add(new(RawRecord, (topic, framed, value, headers, ANY_PARTITION)))
            size += len(value)
        piece.size += size

    def made(self, table: Table, rows: Sequence[bytes], number: int, piece: Piece) -> list[Made]:
        """The same as `fast`, but row by row; the piece takes dead rows only."""
        found = Piece()
        self.fast(table, rows, number, found)
        piece.dead += found.dead
        begin = len(self._prefix)
        return [
            Made(record, b"", record.headers[0][1][begin:].decode()) for record in found.records
        ]

    def _slow(self, table: Table, row: bytes, number: int, piece: Piece) -> None:
        """A row that generated code does not know goes over its text."""
        if piece.odd is not None:
            piece.odd.append((number, row))
            return
        piece.add(self.read(table, row, number, self.mark, piece))

    def _span(self, table: Table) -> _Span:
        """What all rows of a table share, encoded: event id, its hash, and around the number."""
        run = self._run
        event = f"{self._prefix}{run.label}:{table.name}:"
        before, behind = self._source(table, self.mark).pieces
        opening = b'["%d","' % run.point
        openings = [
            b"%b%b%b" % (before, avro.long(len(opening) + digits), opening)
            for digits in range(_MOST_DIGITS)
        ]
        lost = b"" if table.plan.mirror else avro.NULL * 2
        place = avro.long(run.point) + avro.NULL * 3
        tail = b"".join((behind, place, avro.NULL, OP_READ, self._clock, lost))
        seed = sha1(uuid_seed(event))  # noqa: S324 - as in `event_uuid`
        found = (event.encode(), seed, openings, tail)
        self._spans[table.name] = found
        return found

    def vanished(self, table: Table, key: bytes, number: int, piece: Piece) -> None:
        """Tell of a row that the topic has and the table has not.

        Args:
            table: Its table.
            key: Its key's Avro body.
            number: Counts such rows of the table.
            piece: Takes the delete and its tombstone.
        """
        run = self._run
        place = Place(
            number,
            f"pg:{self._origin.system_id}:gap:{run.label}:{table.name}:{_digest(key)}",
            self._source(table, "true").encode(b'["%d","%d"]' % (run.point, number), run.point),
            self._clock,
        )
        piece.records.extend(self._writer.vanished(table, place, key))

    def change(
        self, piece: Piece, fields: Mapping[str, Any], *, last: bool, snapshot: bool
    ) -> Change:
        """Hand a piece over.

        Args:
            piece: The rows.
            fields: The position behind them.
            last: Nothing of the run comes behind it.
            snapshot: The log does not flow yet.
        """
        body = None
        if self._settings.translator:
            body = chunk_body(self._head, self._run.chunk - 1, piece.changes, last=last)
        return Change(
            position=Position(fields),
            records=piece.records,
            transaction=body,
            dead=piece.dead,
            rows=len(piece.records) + len(piece.dead),
            size=piece.size,
            snapshot=snapshot,
            barrier=snapshot and last,
        )

    def _source(self, table: Table, mark: str) -> SourceBlock:
        relation = table.relation
        found = self._sources.get((relation.oid, mark))
        if found is None:
            found = self._sources[relation.oid, mark] = SourceBlock(
                SourceFacts(
                    name=self._settings.name,
                    version=self._settings.version,
                    database=self._origin.database,
                    schema=relation.schema,
                    table=relation.table,
                    committed_us=self._now_us,
                    xid=None,
                    snapshot=mark,
                )
            )
        return found


def _digest(key: bytes) -> str:
    """Tells a row from others in its event's id."""
    return sha256(key).hexdigest()[:32]
