"""Many rows in binary form at once: generated code encodes them, and this loop names them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha1, sha256
from typing import TYPE_CHECKING, Any

from connectors.base import ANY_PARTITION, RawRecord
from connectors.sources.encoding import primitives as avro
from connectors.sources.postgres.generated.encoder import FAULTS
from connectors.sources.postgres.shape.identity import uuid_seed
from connectors.sources.postgres.shape.rows import OP_READ
from connectors.sources.postgres.snapshot.copied import COUNT
from connectors.sources.postgres.snapshot.rows import Made, Piece

if TYPE_CHECKING:
    from connectors.sources.postgres.shape.tables import Table
    from connectors.sources.postgres.snapshot.rows import RowMaker

_MOST_DIGITS = 24
new = tuple.__new__
join = b"".join
Row = tuple[bytes | None, bytes, bytes, bytes]
"""A row's key, value, event id and event UUID."""
_Span = tuple[bytes, Any, Sequence[bytes], bytes]
"""Of a table: event ids up to the row, the hash of their UUIDs so far, source blocks up to the
number (by its digits), and what follows it."""


class BulkMaker:
    """Makes records of a run's rows in binary form.

    Args:
        maker: Makes the others, and those that generated code does not know.
    """

    def __init__(self, maker: RowMaker) -> None:
        self._maker = maker
        self._spans: dict[str, _Span] = {}

    def fast(self, table: Table, rows: Sequence[bytes], number: int, piece: Piece) -> None:
        """Make the records of rows in binary form: generated code does most of it.

        Args:
            table: Their table.
            rows: The rows as they were copied.
            number: The first one's number in the run.
            piece: Takes records and dead rows.
        """
        topic, found = table.plan.topic, self.rows(table, rows, number, piece)
        piece.records += [
            new(
                RawRecord,
                (topic, key, value, [("event_id", event), ("event_uuid", uuid)], ANY_PARTITION),
            )
            for key, value, event, uuid in found
        ]

    def rows(self, table: Table, rows: Sequence[bytes], number: int, piece: Piece) -> list[Row]:
        """What differs between the records of rows in binary form.

        Args:
            table: Their table.
            rows: The rows as they were copied.
            number: The first one's number in the run.
            piece: Takes what must go another way, and dead rows; and is told the size.
        """
        encoder, key_frame, found = table.encoder, table.key_frame, list[Row]()
        assert encoder is not None  # noqa: S101 - see `reads_binary`
        copied, add = encoder.copied, found.append
        event, seed, opening, tail = self._spans.get(table.name) or self._span(table)
        head = table.value_frame + b"\0\2"
        limit, size = self._maker.limit, 0
        for place, row in enumerate(rows, number):
            try:
                key, body = copied(row, COUNT)
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
            framed = None if key is None else key_frame + key
            add((framed, value, event + name, bytes(uuid)))
            size += len(value)
        piece.size += size
        return found

    def made(self, table: Table, rows: Sequence[bytes], number: int, piece: Piece) -> list[Made]:
        """The same as `fast`, but row by row; the piece takes dead rows only."""
        found = Piece()
        self.fast(table, rows, number, found)
        piece.dead += found.dead
        begin = len(self._maker.prefix)
        return [
            Made(record, b"", record.headers[0][1][begin:].decode()) for record in found.records
        ]

    def _slow(self, table: Table, row: bytes, number: int, piece: Piece) -> None:
        """A row that generated code does not know goes over its text."""
        if piece.odd is not None:
            piece.odd.append((number, row))
            return
        piece.add(self._maker.read(table, row, number, self._maker.mark, piece))

    def _span(self, table: Table) -> _Span:
        """What all rows of a table share, encoded: event id, its hash, and around the number."""
        maker, run = self._maker, self._maker.run
        event = f"{maker.prefix}{run.label}:{table.name}:"
        before, behind = maker.source(table, maker.mark).pieces
        opening = b'["%d","' % run.point
        openings = [
            b"%b%b%b" % (before, avro.long(len(opening) + digits), opening)
            for digits in range(_MOST_DIGITS)
        ]
        lost = b"" if table.plan.mirror else avro.NULL * 2
        place = avro.long(run.point) + avro.NULL * 3
        tail = b"".join((behind, place, avro.NULL, OP_READ, maker.clock, lost))
        seed = sha1(uuid_seed(event))  # noqa: S324 - as in `event_uuid`
        found = (event.encode(), seed, openings, tail)
        self._spans[table.name] = found
        return found
