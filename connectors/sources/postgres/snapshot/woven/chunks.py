"""Chunks of tables, each read in a view of its own while the stream stands still."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.sources.postgres.snapshot.bulk import BulkMaker
from connectors.sources.postgres.snapshot.copied import cells_of, reads_binary
from connectors.sources.postgres.snapshot.ranges import readable
from connectors.sources.postgres.snapshot.rows import Piece, RowMaker
from connectors.sources.postgres.snapshot.session import Session
from connectors.sources.postgres.snapshot.woven.windows import FRAME, Window
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.sources.postgres.database.catalog import Catalog
    from connectors.sources.postgres.log.transaction import Origin
    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.shape.tables import Table, Tables
    from connectors.sources.postgres.snapshot.ranges import Expected, Key, Readable
    from connectors.sources.postgres.snapshot.rows import Made
    from connectors.sources.postgres.snapshot.state import Run, SnapshotState, TableCursor
    from connectors.sources.postgres.snapshot.woven.windows import Windows

_SHAPE = """
select md5(string_agg(format('%s %s %s %s', attnum, attname, atttypid, atttypmod), ','
                      order by attnum))
from pg_attribute where attrelid = {oid} and attnum > 0 and not attisdropped
"""
WAITING = 4
"""Chunks that may wait for the log at once: while it is behind, more would only take memory."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Open:
    """The table that is being read."""

    name: str
    where: str
    shape: str | None
    readable: Readable
    table: Table
    expected: Expected
    rows: int
    binary: bool
    failed: bool = False


class ChunkReader:
    """Reads one chunk after the other.

    Args:
        settings: The source's settings.
        origin: Where the rows come from.
        catalog: The source's catalogue.
        tables: Tables as they are now; not those of the log, which shows former shapes.
    """

    def __init__(
        self, settings: PostgresSettings, origin: Origin, catalog: Catalog, tables: Tables
    ) -> None:
        self._settings = settings
        self._origin = origin
        self._catalog = catalog
        self._tables = tables
        self._session: Session | None = None
        self._open: _Open | None = None
        self._makers: dict[str, RowMaker] = {}
        self._numbers: dict[str, int] = {}

    @property
    def limit(self) -> int:
        """Most bytes of a transaction record."""
        return self._settings.chunk_bytes

    def close(self) -> None:
        """Close the connection."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def read(self, state: SnapshotState, windows: Windows) -> Window | None:
        """Read the next chunk behind those that wait; None if there is none.

        Raises:
            Transient: The connection broke.
        """
        found = _next(state, windows)
        if found is None or len(windows) >= WAITING:
            return None
        run, cursor, after = found
        try:
            opened = self._opened(cursor)
            if opened is None:
                raise _unreadable(cursor)
            return self._window(state, run, cursor, opened, after)
        except Misconfigured as error:
            # A table that changed its shape in between is looked at once more.
            again = self._open is not None and not self._open.failed
            self.close()
            if again and self._open is not None:
                self._open.shape, self._open.failed = None, True
                return None
            _log.error(
                "source %s leaves table %s out of its snapshot: %s",
                self._settings.source,
                cursor.name,
                error,
            )
            self._open = None
            run.tables.remove(cursor)
            return None

    def maker(self, run: Run) -> RowMaker:
        """What makes a run's records."""
        found = self._makers.get(run.label)
        if found is None:
            found = self._makers[run.label] = RowMaker(self._settings, self._origin, run)
        return found

    def _opened(self, cursor: TableCursor) -> _Open | None:
        """The table of a cursor, looked at again whenever its shape is another."""
        session = self._connected()
        known = self._open
        if known is not None and (known.name, known.where) == (cursor.name, cursor.where):
            shape = session.row(_SHAPE.format(oid=known.readable.table.relation.oid))[0]
            if shape == known.shape:
                return known
        for published in self._catalog.published(self._settings.publication):
            if published.name == cursor.name:
                break
        else:
            return None
        table = self._tables.learn(published.relation)
        part = readable(self._catalog, published, table.mask, cursor.where)
        if not part.key or table.plan.key_schema is None:
            raise _keyless(cursor)
        shape = session.row(_SHAPE.format(oid=published.relation.oid))[0]
        expected = part.expected(session)
        cursor.expected = cursor.expected or expected.rows
        rows = expected.at_once(self._settings.window_rows)
        failed = known is not None and known.name == cursor.name and known.failed
        binary = reads_binary(self._settings, table, self._catalog.types())
        self._open = _Open(
            cursor.name, cursor.where, shape, part, table, expected, rows, binary, failed
        )
        return self._open

    def _connected(self) -> Session:
        if self._session is None:
            self._session = Session(self._settings.dsn)
        return self._session

    def _window(
        self, state: SnapshotState, run: Run, cursor: TableCursor, opened: _Open, after: Key | None
    ) -> Window:
        session, part = self._connected(), opened.readable
        session.begin()
        view = session.view()
        bounds = part.next_range(session, after, opened.rows)
        lines = session.copied(part.rows(bounds), binary=opened.binary)
        session.end()
        high = session.end_of_log()
        table, piece = opened.table, Piece()
        window = Window(
            run, self.maker(run), cursor, bounds.upto, view, high, table.plan.topic, piece.dead
        )
        for made in self._made(window, opened, lines, piece):
            if made.id in state.early:
                window.early.add(made.id)
            else:
                window.waiting.setdefault((made.record.key or b"")[FRAME:], []).append(made)
        opened.failed = False
        return window

    def _made(
        self, window: Window, opened: _Open, lines: list[bytes], piece: Piece
    ) -> Iterator[Made]:
        run, table, maker = window.run, opened.table, window.maker
        number = self._numbers.get(run.label, run.rows)
        self._numbers[run.label] = number + len(lines)
        if opened.binary:
            yield from BulkMaker(maker).made(table, lines, number, piece)
            return
        width = len(table.relation.columns)
        for place, line in enumerate(lines, number):
            made = maker.read(table, cells_of(line, width), place, maker.mark, piece)
            if made is not None:
                yield made


def _next(state: SnapshotState, windows: Windows) -> tuple[Run, TableCursor, Key | None] | None:
    """Where reading goes on behind the chunks that wait."""
    last = {id(window.cursor): window for window in windows}
    for run in state.runs:
        for cursor in run.tables:
            window = last.get(id(cursor))
            if window is None:
                return run, cursor, cursor.after
            if window.upto is not None:
                return run, cursor, window.upto
    return None


def _unreadable(cursor: TableCursor) -> Misconfigured:
    return Misconfigured(
        f"Table {cursor.name} is not published any more",
        code="snapshot_table",
        kept="what was read of it stays; its changes are no longer in the log either",
        advice="publish it again, then order its snapshot again",
    )


def _keyless(cursor: TableCursor) -> Misconfigured:
    return Misconfigured(
        f"Table {cursor.name} has no key in its records, so that its rows cannot be merged into "
        "the stream",
        code="snapshot_keyless",
        kept="its changes go on flowing",
        advice="give it a primary key; else forget the source's position for a new snapshot",
    )
