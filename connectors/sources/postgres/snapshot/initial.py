"""The initial snapshot: every published table, as of the slot's first position."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from connectors.sources.postgres.log.frames import lsn_text
from connectors.sources.postgres.snapshot.blocks import Readers, Wanted
from connectors.sources.postgres.snapshot.gap import vanished
from connectors.sources.postgres.snapshot.progress import ProgressClock
from connectors.sources.postgres.snapshot.ranges import readable
from connectors.sources.postgres.snapshot.rows import Piece, RowMaker, cells_of, reads_binary
from connectors.sources.postgres.snapshot.state import RECOVER, Run, SnapshotState, TableCursor
from streams.runtime import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from connectors.base import Change
    from connectors.sources.postgres.database.catalog import Catalog, Published
    from connectors.sources.postgres.log.transaction import Origin
    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.shape.tables import Tables
    from connectors.sources.postgres.snapshot.blocks import Block
    from connectors.sources.postgres.snapshot.progress import SnapshotProgress
    from connectors.sources.postgres.snapshot.ranges import Key

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
        self._read_rows = 0

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
            if told is not None:
                yield from self._vanished(wanted, readers, told)
            first = True
            for block in readers.blocks(wanted, stopped):
                yield from self._pieces(block, first=first)
                first = False
                self._clock.tell()
            if stopped():
                return
        if first or run.tables:
            # Nothing was there to read at all.
            yield self._change(Piece(), last=True)
        self._clock.finished()

    def _vanished(self, wanted: list[Wanted], readers: Readers, told: Told) -> Iterator[Change]:
        """Deletes of the gap; it stays open until rows are read."""
        fields = {**self._origin.base, "phase": RECOVER, "lsn": self._point}
        for each in wanted:
            if each.table.plan.key_schema is None:
                continue
            for piece in vanished(readers.planner, each.readable, each.table, self._maker, told):
                yield self._maker.change(piece, fields, last=False, snapshot=True)

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
            binary=reads_binary(self._settings, table),
            with_key=bool(self._settings.translator and found.key),
        )

    def _pieces(self, block: Block, *, first: bool) -> Iterator[Change]:
        """One block as pieces that fit into a transaction record each."""
        wanted, cursor = block.wanted, block.wanted.cursor
        run, limit = self._run, self._settings.chunk_bytes
        while run.tables and run.tables[0] is not cursor:
            run.tables.pop(0)  # it had no rows
        width = len(wanted.table.relation.columns)
        marks = _Marks(block, first=first, opened=cursor.rows > 0)
        piece, after = Piece(), cursor.after
        for index, raw in enumerate(block.rows):
            key: Key | None = None
            row: Any = raw
            if not wanted.binary:
                cells = cells_of(raw, width + (len(wanted.readable.key) if wanted.with_key else 0))
                row, extra = cells[:width], cells[width:]
                key = tuple((cell or b"").decode() for cell in extra) if extra else None
            made = self._maker.read(wanted.table, row, self._read_rows, marks.at(index), piece)
            self._read_rows += 1
            if made is not None:
                if piece.made and piece.filled + len(made.change) > limit:
                    cursor.after = after
                    yield self._change(piece, last=False, cursor=cursor)
                    piece = Piece()
                piece.made.append(made)
                piece.filled += len(made.change)
            after = key
        cursor.after = block.part.upto
        finished = block.following is None or block.following is not wanted
        if finished:
            run.tables.pop(0)
        yield self._change(piece, last=block.following is None, cursor=cursor)

    def _change(self, piece: Piece, *, last: bool, cursor: TableCursor | None = None) -> Change:
        run = self._run
        rows = len(piece.made) + len(piece.dead)
        run.rows += rows
        run.chunk += 1
        if cursor is not None:
            cursor.rows += rows
        fields: dict[str, Any] = {**self._origin.base, "lsn": self._point}
        if not last:
            state = SnapshotState(runs=[run])
            fields |= {"phase": "snapshot", "snapshot": state.fields()}
        return self._maker.change(piece, fields, last=last, snapshot=True)


class _Marks:
    """Says of each row of a block where it stands in the snapshot, in Debezium's words."""

    def __init__(self, block: Block, *, first: bool, opened: bool) -> None:
        self._final = len(block.rows) - 1
        self._head = "first" if first else "true" if opened else "first_in_data_collection"
        if block.following is None:
            self._tail = "last"
        elif block.following is not block.wanted:
            self._tail = "last_in_data_collection"
        else:
            self._tail = "true"

    def at(self, index: int) -> str:
        if index == 0 and self._head == "first":
            return "first"
        if index == self._final and self._tail != "true":
            return self._tail
        return self._head if index == 0 else "true"
