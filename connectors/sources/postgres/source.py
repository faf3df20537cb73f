"""The PostgreSQL source: snapshot, then the log, from the stored position on."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from connectors.base import Change, Position
from connectors.sources.postgres.beside.heartbeat import Heartbeat
from connectors.sources.postgres.database import invariant, preflight, slots
from connectors.sources.postgres.database.catalog import Catalog
from connectors.sources.postgres.database.snapshot import Snapshot
from connectors.sources.postgres.log.assembler import Assembler
from connectors.sources.postgres.log.commands import drop_slot, identify, timeline_history
from connectors.sources.postgres.log.frames import lsn_text
from connectors.sources.postgres.log.link import Link
from connectors.sources.postgres.log.transaction import Origin
from connectors.sources.postgres.shape.tables import Tables
from streams.errors import LotgateError
from streams.runtime import clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import TableTopics
    from connectors.sources.postgres.database.catalog import Published
    from connectors.sources.postgres.log.link import Frame
    from connectors.sources.postgres.settings import PostgresSettings

WAIT_S = 0.5
_log = logging.getLogger(__name__)


class PostgresSource:
    """A PostgreSQL database, read by logical replication.

    Args:
        settings: What to read and how.
    """

    def __init__(self, settings: PostgresSettings) -> None:
        self.name = settings.source
        self._settings = settings
        self._stop = threading.Event()
        self._link: Link | None = None
        self._catalog: Catalog | None = None
        self._stored = 0

    def stop(self) -> None:
        """Make `changes` end soon; may be called from another thread."""
        self._stop.set()

    def preflight(self) -> None:
        """See `Source.preflight`."""
        self._checked()

    def changes(self, since: Position | None, topics: TableTopics) -> Iterator[Change | None]:
        """See `Source.changes`."""
        catalog, published = self._checked()
        link = self._link = Link(self._settings.dsn, self._stop)
        found = identify(link)
        origin = Origin(found[0], catalog.database, self._base(found, published))
        tables = Tables(self._settings, catalog, topics)
        tables.announce(table.relation for table in published)
        stored = None if since is None else since.fields
        if stored is not None:
            invariant.server(
                self._settings, stored, found, lambda: timeline_history(link, found[1])
            )
        if stored is None or stored["phase"] == "snapshot":
            self._make_way(catalog, link, known=stored is not None)
            if stored is None:
                # Stored before the slot exists, so that a slot found later is known to be ours.
                yield Change(Position({**origin.base, "phase": "snapshot"}), barrier=True)
            for change in self._begin(catalog, link, origin, tables, published):
                stored = change.position.fields
                yield change
        if self._stop.is_set() or stored is None:
            return
        self._stored = stored["lsn"]
        slots.ready(self._settings, catalog, link, self._stored)
        link.start(
            self._settings.slot,
            self._settings.publication,
            self._stored,
            messages=self._settings.form.messages,
            silence_s=slots.silence_s(catalog),
        )
        _log.info("source %s reads the log from %s on", self.name, lsn_text(self._stored))
        yield from self._stream(
            link,
            Assembler(self._settings, origin, tables, self._stored, self._middle(stored, origin)),
            Heartbeat(self._settings, topics),
        )

    def confirm(self, upto: Position) -> None:
        """See `Source.confirm`."""
        if upto.fields["phase"] == "stream" and self._link is not None:
            self._stored = upto.fields["lsn"]
            self._link.confirm(self._stored)

    def close(self) -> None:
        """See `Source.close`."""
        link, self._link = self._link, None
        catalog, self._catalog = self._catalog, None
        if link is not None:
            link.close()
        if catalog is not None:
            with suppress(LotgateError):
                catalog.close()

    def _checked(self) -> tuple[Catalog, list[Published]]:
        if self._catalog is None:
            self._catalog = Catalog(self._settings.dsn)
        slots.primary(self._settings, self._catalog)
        return self._catalog, preflight.check(self._catalog, self._settings)

    def _base(self, found: tuple[str, int, int], published: list[Published]) -> dict[str, Any]:
        shape = "\n".join(f"{table.name} {table.row_filter}" for table in published)
        if self._settings.form.messages:
            shape += "\nmessages"
        return {
            "phase": "stream",
            "system_id": found[0],
            "timeline": found[1],
            "slot": self._settings.slot,
            # Ordinals count rows of this set of tables; with another set they mean other rows.
            "tables_hash": hashlib.sha256(shape.encode()).hexdigest()[:16],
        }

    def _middle(self, stored: Any, origin: Origin) -> Any:
        if stored.get("tables_hash") != origin.base["tables_hash"]:
            return None
        return stored.get("middle")

    def _make_way(self, catalog: Catalog, link: Link, *, known: bool) -> None:
        """Drop the slot of a snapshot that did not finish; nobody else's."""
        state = catalog.slot(self._settings.slot)
        if not known:
            invariant.no_position(self._settings, state)
        elif state is not None:
            drop_slot(link, self._settings.slot)

    def _begin(
        self,
        catalog: Catalog,
        link: Link,
        origin: Origin,
        tables: Tables,
        published: list[Published],
    ) -> Iterator[Change]:
        """Make the slot, and read the tables as of its first position."""
        settings = self._settings
        wanted = settings.snapshot == "initial"
        point, name = slots.create(settings, catalog, link, export=wanted)
        if name is None:
            yield Change(Position({**origin.base, "lsn": point}), barrier=True)
            return
        _log.info("source %s reads %d tables as of %s", self.name, len(published), lsn_text(point))
        snapshot = Snapshot(settings, origin, tables, point)
        yield from snapshot.changes(published, name, self._stop.is_set)

    def _stream(
        self, link: Link, assembler: Assembler, heartbeat: Heartbeat
    ) -> Iterator[Change | None]:
        checked = stored = time.monotonic()
        sent = 0
        while not self._stop.is_set():
            frames = link.take(0)
            if not frames:
                yield None
                frames = link.take(WAIT_S)
            for change, end in self._fed(frames, assembler):
                if change is not None:
                    stored = time.monotonic()
                    yield change
                sent = max(sent, end)
            now = time.monotonic()
            reached = 0 if assembler.unsettled else max(sent, assembler.boundary)
            alive = heartbeat.due(now, clock.now_ms()) if reached else []
            if alive:
                stored = now
                yield Change(Position({**assembler.origin.base, "lsn": reached}), records=alive)
                yield None
            if reached > self._stored and now - stored >= self._settings.idle_store_s:
                stored = now
                yield Change(Position({**assembler.origin.base, "lsn": reached}))
                yield None
            if now - checked >= self._settings.check_s:
                checked = now
                self._check()

    def _fed(
        self, frames: Sequence[Frame], assembler: Assembler
    ) -> Iterator[tuple[Change | None, int]]:
        """Feed frames; give changes, and the positions of keepalives between transactions."""
        now_us = clock.now_ms() * 1000
        for lsn, message in frames:
            if message:
                done = assembler.feed(lsn, message, now_us)
                while done:
                    yield done.popleft(), 0
            elif not assembler.unsettled:
                yield None, lsn

    def _check(self) -> None:
        """See every few seconds that the slot and the publication are still as they must be."""
        catalog = self._catalog
        if catalog is None:
            return
        slots.primary(self._settings, catalog)
        slots.still(self._settings, catalog, self._stored)
        preflight.check(catalog, self._settings)
