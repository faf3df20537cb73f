"""The initial snapshot: every published table, as of the slot's first position."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from connectors.sources.postgres.log.frames import lsn_text
from connectors.sources.postgres.snapshot.copied import reads_binary
from connectors.sources.postgres.snapshot.first.blocks import Readers, Wanted
from connectors.sources.postgres.snapshot.first.gap import vanished
from connectors.sources.postgres.snapshot.first.pieces import Pieces
from connectors.sources.postgres.snapshot.first.wire import Setup
from connectors.sources.postgres.snapshot.progress import ProgressClock
from connectors.sources.postgres.snapshot.ranges import readable
from connectors.sources.postgres.snapshot.rows import Piece, RowMaker
from connectors.sources.postgres.snapshot.state import RECOVER, Run, TableCursor
from streams.runtime import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from connectors.base import Change
    from connectors.sources.postgres.database.catalog import Catalog, Published
    from connectors.sources.postgres.log.transaction import Origin
    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.shape.tables import Tables
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
        self._pieces = Pieces(settings, origin.base, self._maker)
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
                yield from self._pieces.of(block, first=first)
                first = False
                self._clock.tell()
            if stopped():
                return
        if first:
            # Nothing was there to read at all.
            yield self._pieces.change(Piece(), last=True)
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
        self._pieces.shared = True
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
