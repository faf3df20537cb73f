"""The initial snapshot: every published table, as of the slot's first position."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from connectors.base import RawRecord
from connectors.sources.postgres.log.frames import lsn_text
from connectors.sources.postgres.snapshot.blocks import Marks, Readers, Wanted
from connectors.sources.postgres.snapshot.gap import vanished
from connectors.sources.postgres.snapshot.process import Setup
from connectors.sources.postgres.snapshot.progress import ProgressClock
from connectors.sources.postgres.snapshot.ranges import readable
from connectors.sources.postgres.snapshot.rows import Piece, RowMaker, cells_of, reads_binary
from connectors.sources.postgres.snapshot.state import RECOVER, Run, SnapshotState, TableCursor
from streams.runtime import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from typing import Any

    from connectors.base import Change
    from connectors.sources.postgres.database.catalog import Catalog, Published
    from connectors.sources.postgres.log.transaction import Origin
    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.shape.tables import Tables
    from connectors.sources.postgres.snapshot.blocks import Block
    from connectors.sources.postgres.snapshot.process import Encoded
    from connectors.sources.postgres.snapshot.progress import SnapshotProgress

    Told = Callable[[str], Iterable[tuple[bytes, bool]]]

_log = logging.getLogger(__name__)


class InitialSnapshot:
    """Reads all published tables through the snapshot that the slot's creation exported.

    Args:
        settings: The source's settings.
        origin: Where the rows come from.
        catalog: The source's catalogue.
        tables: The tables of this reading.
        point: The slot's consistent point; the rows are as of there.
    """

    def __init__(
        self,
        settings: PostgresSettings,
        origin: Origin,
        catalog: Catalog,
        tables: Tables,
        point: int,
    ) -> None:
        self._settings = settings
        self._origin = origin
        self._catalog = catalog
        self._tables = tables
        self._point = point
        self._run = Run(f"{point:X}", point, "initial", clock.now_ms())
        self._maker = RowMaker(settings, origin, self._run)
        self._clock = ProgressClock(settings.source, self._run)
        self._types = catalog.types()

    @property
    def progress(self) -> SnapshotProgress:
        """How far it is."""
        return self._clock.look()

    def changes(
        self,
        published: list[Published],
        exported: str,
        stopped: Callable[[], bool],
        told: Told | None = None,
    ) -> Iterator[Change]:
        """Read every table and give bounded pieces; the last one opens the stream.

        Args:
            published: The tables.
            exported: The exported snapshot.
            stopped: Tells whether to give up.
            told: After a gap in the log: what the topics say of keys, see `gap`.

        Raises:
            Misconfigured: A table cannot be read.
            Transient: The connection broke.
        """
        settings, run = self._settings, self._run
        _log.info(
            "source %s reads %d tables as of %s",
            settings.source,
            len(published),
            lsn_text(self._point),
        )
        with Readers(settings.dsn, exported, settings.snapshot_workers) as readers:
            wanted = [self._wanted(table, readers) for table in self._ordered(published)]
            run.tables = [each.cursor for each in wanted]
            self._share(wanted, readers, exported)
            if told is not None:
                yield from self._vanished(wanted, readers, told)
            first = True
            for block in readers.blocks(wanted, stopped):
                yield from self._pieces(block, first=first)
                first = False
                self._clock.tell()
            if stopped():
                return
        if first:
            # Nothing was there to read at all.
            yield self._change(Piece(), last=True)
        self._clock.finished()

    def _share(self, wanted: list[Wanted], readers: Readers, exported: str) -> None:
        """Let processes of their own read what is large."""
        large = [
            each
            for each in wanted
            if each.binary
            and each.readable.key
            and each.cursor.expected >= self._settings.process_rows
        ]
        if not large:
            return
        for place, each in enumerate(large):
            each.place = place
        run = self._run
        tables = [
            (each.table.relation, (each.table.key_frame, each.table.value_frame)) for each in large
        ]
        readers.start(
            Setup(
                self._settings,
                exported,
                (self._origin.system_id, self._origin.database),
                (run.label, run.point, run.started_ms),
                self._maker.now_us,
                tables,
            )
        )

    def _vanished(self, wanted: list[Wanted], readers: Readers, told: Told) -> Iterator[Change]:
        """Deletes of the gap; it stays open until rows are read."""
        fields = {**self._origin.base, "phase": RECOVER, "lsn": self._point}
        for each in wanted:
            if each.table.plan.key_schema is None:
                continue
            for piece in vanished(readers.planner, each.readable, each.table, self._maker, told):
                change = self._maker.change(piece, fields, last=False, snapshot=True)
                change.transaction = None
                yield change

    def _ordered(self, published: list[Published]) -> list[Published]:
        """Tables without a key first: while one is unfinished, a broken snapshot begins again."""
        if self._settings.compat:
            return published
        return sorted(published, key=lambda table: (table.has_key, table.name))

    def _wanted(self, published: Published, readers: Readers) -> Wanted:
        table = self._tables.learn(published.relation)
        found = readable(self._catalog, published, table.mask)
        expected = found.expected(readers.planner)
        cursor = TableCursor(published.name, expected=expected.rows, keyed=bool(found.key))
        return Wanted(
            cursor,
            found,
            table,
            rows=expected.at_once(self._settings.snapshot_rows),
            binary=reads_binary(self._settings, table, self._types),
            with_key=bool(self._settings.translator and found.key),
        )

    def _pieces(self, block: Block, *, first: bool) -> Iterator[Change]:
        """One block as pieces that fit into a transaction record each."""
        wanted, cursor, run = block.wanted, block.wanted.cursor, self._run
        while run.tables and run.tables[0] is not cursor:
            run.tables.pop(0)  # it had no rows
        marks = Marks(block, first=first, opened=cursor.rows > 0)
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
        yield self._change(piece, last=block.following is None, cursor=cursor)

    def _fast(self, block: Block, marks: Marks, piece: Piece) -> None:
        """A block in binary form; its first and last row go singly, for they may bear marks."""
        rows, number = block.rows, block.number
        self._end(block, rows[0], 0, marks, piece)
        self._maker.fast(block.wanted.table, rows[1:-1], number + 1, piece)
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
                yield self._change(piece, last=False, cursor=wanted.cursor)
                piece = Piece()
            piece.add(made)
            after = tuple((cell or b"").decode() for cell in cells[width:]) or None
        return piece

    def _change(self, piece: Piece, *, last: bool, cursor: TableCursor | None = None) -> Change:
        run = self._run
        rows = len(piece.records) + len(piece.dead)
        run.rows += rows
        run.chunk += 1
        if cursor is not None:
            cursor.rows += rows
        fields: dict[str, Any] = {**self._origin.base, "lsn": self._point}
        if not last:
            state = SnapshotState(runs=[run])
            fields |= {"phase": "snapshot", "snapshot": state.fields()}
        return self._maker.change(piece, fields, last=last, snapshot=True)
