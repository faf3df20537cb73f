"""Blocks of rows as pieces that go out at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectors.base import RawRecord
from connectors.sources.postgres.snapshot.bulk import BulkMaker
from connectors.sources.postgres.snapshot.copied import cells_of
from connectors.sources.postgres.snapshot.first.blocks import Marks
from connectors.sources.postgres.snapshot.rows import Piece
from connectors.sources.postgres.snapshot.state import SnapshotState

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from connectors.base import Change
    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.snapshot.first.blocks import Block
    from connectors.sources.postgres.snapshot.first.wire import Encoded
    from connectors.sources.postgres.snapshot.rows import RowMaker
    from connectors.sources.postgres.snapshot.state import TableCursor


class Pieces:
    """Turns a run's blocks into changes, each with what is left behind it.

    Args:
        settings: The source's settings.
        base: What every position holds.
        maker: Makes the run's records.

    Attributes:
        shared: Processes encode some of the rows, so that a block's numbers were fixed before it
            was read; else all rows of the run are numbered without a hole.
    """

    def __init__(
        self, settings: PostgresSettings, base: Mapping[str, Any], maker: RowMaker
    ) -> None:
        self._settings = settings
        self._base = base
        self._maker = maker
        self._bulk = BulkMaker(maker)
        self._run = maker.run
        self._number = 0
        self.shared = False

    def of(self, block: Block, *, first: bool) -> Iterator[Change]:
        """One block as pieces that fit into a transaction record each."""
        wanted, cursor, run = block.wanted, block.wanted.cursor, self._run
        while run.tables and run.tables[0] is not cursor:
            run.tables.pop(0)  # it had no rows
        marks = Marks(block, first=first, opened=cursor.rows > 0)
        if not self.shared:
            block.number = self._number
            self._number += block.count
        piece = Piece()
        if block.encoded is not None:
            self._taken(block, block.encoded, marks, piece)
        elif wanted.binary:
            self._fast(block, marks, piece)
        else:
            piece = yield from self._slow(block, marks)
        cursor.after = block.part.upto
        if block.following is None:
            run.tables.clear()  # those behind it have no rows
        elif block.following is not wanted:
            run.tables.pop(0)
        yield self.change(piece, last=block.following is None, cursor=cursor)

    def _fast(self, block: Block, marks: Marks, piece: Piece) -> None:
        """A block in binary form; its first and last row go singly, for they may bear marks."""
        rows, number = block.rows, block.number
        self._end(block, rows[0], 0, marks, piece)
        self._bulk.fast(block.wanted.table, rows[1:-1], number + 1, piece)
        if len(rows) > 1:
            self._end(block, rows[-1], len(rows) - 1, marks, piece)

    def _taken(self, block: Block, found: Encoded, marks: Marks, piece: Piece) -> None:
        """A block that a process encoded; what that could not do is done here."""
        table = block.wanted.table
        self._end(block, found.ends[0], 0, marks, piece)
        for number, row in found.odd:
            piece.add(self._maker.read(table, row, number, self._maker.mark, piece))
        topic = table.plan.topic
        piece.records += [
            RawRecord(topic, key, value, [("event_id", event), ("event_uuid", uuid)])
            for key, value, event, uuid in found.rows
        ]
        piece.size += sum(len(value) for _, value, _, _ in found.rows)
        if len(found.ends) > 1:
            self._end(block, found.ends[1], block.count - 1, marks, piece)

    def _end(self, block: Block, row: bytes, place: int, marks: Marks, piece: Piece) -> None:
        table, number = block.wanted.table, block.number + place
        piece.add(self._maker.read(table, row, number, marks.at(place), piece))

    def _slow(self, block: Block, marks: Marks) -> Generator[Change, None, Piece]:
        """A block as text; the transaction record that it fills has bounds."""
        wanted, limit = block.wanted, self._settings.chunk_bytes
        width, keys = len(wanted.table.relation.columns), len(wanted.readable.key)
        width_read = width + (keys if wanted.with_key else 0)
        piece, after = Piece(), wanted.cursor.after
        for index, line in enumerate(block.rows):
            cells = cells_of(line, width_read)
            made = self._maker.read(
                wanted.table, cells[:width], block.number + index, marks.at(index), piece
            )
            if made is not None and piece.filled and piece.filled + len(made.change) > limit:
                wanted.cursor.after = after
                yield self.change(piece, last=False, cursor=wanted.cursor)
                piece = Piece()
            piece.add(made)
            after = tuple((cell or b"").decode() for cell in cells[width:]) or None
        return piece

    def change(self, piece: Piece, *, last: bool, cursor: TableCursor | None = None) -> Change:
        """Hand a piece over, with what is left behind it.

        Args:
            piece: The rows.
            last: Nothing comes behind it: the log is read from there on.
            cursor: Its table.
        """
        run = self._run
        rows = len(piece.records) + len(piece.dead)
        run.rows += rows
        run.chunk += 1
        if cursor is not None:
            cursor.rows += rows
        fields: dict[str, Any] = {**self._base, "lsn": run.point}
        if not last:
            state = SnapshotState(runs=[run])
            fields |= {"phase": "snapshot", "snapshot": state.fields()}
        return self._maker.change(piece, fields, last=last, snapshot=True)
