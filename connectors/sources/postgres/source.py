"""The PostgreSQL source: snapshot, then the log, from the stored position on."""

from __future__ import annotations

import hashlib
import logging
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from connectors.base import Change, Position
from connectors.sources.postgres.beside.heartbeat import Heartbeat
from connectors.sources.postgres.binary.choice import streams_binary
from connectors.sources.postgres.database import invariant, preflight, slots
from connectors.sources.postgres.database.catalog import Catalog
from connectors.sources.postgres.database.partitions import with_parents
from connectors.sources.postgres.log.assembler import Assembler
from connectors.sources.postgres.log.commands import drop_slot, identify, timeline_history
from connectors.sources.postgres.log.frames import lsn_text
from connectors.sources.postgres.log.link import Link
from connectors.sources.postgres.log.streaming import Streaming
from connectors.sources.postgres.log.transaction import Origin
from connectors.sources.postgres.shape.tables import Tables
from connectors.sources.postgres.snapshot.first.whole import InitialSnapshot
from connectors.sources.postgres.snapshot.state import RECOVER, begins_again, state_of
from connectors.sources.postgres.snapshot.woven.chunks import ChunkReader
from connectors.sources.postgres.snapshot.woven.weaver import Weaver
from streams.errors import LotgateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from connectors.base import Signal, Signals, TableTopics
    from connectors.sources.postgres.database.catalog import Published
    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.snapshot.progress import SnapshotProgress

_log = logging.getLogger(__name__)


def _nothing() -> None:
    """No snapshot is being read."""


class PostgresSource:
    """A PostgreSQL database, read by logical replication.

    Args:
        settings: What to read and how.
        signals: Where operators' orders come from; None for none.
    """

    weaving: type[Weaver] = Weaver

    def __init__(self, settings: PostgresSettings, signals: Signals | None = None) -> None:
        self.name = settings.source
        self._settings = settings
        self._stop = threading.Event()
        self._link: Link | None = None
        self._catalog: Catalog | None = None
        self._reader: ChunkReader | None = None
        self._signals = signals
        self._progress: Callable[[], SnapshotProgress | None] = _nothing
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
        if stored is not None and stored["phase"] != RECOVER:
            invariant.server(
                self._settings, stored, found, lambda: timeline_history(link, found[1])
            )
        if stored is None or begins_again(stored):
            for change in self._first(catalog, link, origin, topics, published, stored):
                stored = change.position.fields
                yield change
        if not self._stop.is_set() and stored is not None:
            yield from self._follow(catalog, link, origin, tables, topics, stored)

    def _first(
        self,
        catalog: Catalog,
        link: Link,
        origin: Origin,
        topics: TableTopics,
        published: list[Published],
        stored: Mapping[str, Any] | None,
    ) -> Iterator[Change]:
        """Make the slot, and read the tables as of its first position."""
        settings = self._settings
        self._make_way(catalog, link, known=stored is not None)
        kept = {name: stored[name] for name in ("signals",) if stored and name in stored}
        if stored is None and self._signals is not None:
            # Orders from before there was anything to read again mean nothing.
            kept["signals"] = self._signals.end()
        origin = replace(origin, base={**origin.base, **kept})
        if stored is None:
            # Stored before the slot exists, so that a slot found later is known to be ours.
            yield Change(Position({**origin.base, "phase": "snapshot"}), barrier=True)
        recovers = stored is not None and stored["phase"] == RECOVER
        wanted = settings.snapshot == "initial" or recovers
        point, exported = slots.create(settings, catalog, link, export=wanted)
        if exported is None:
            yield Change(Position({**origin.base, "lsn": point}), barrier=True)
            return
        if settings.compat:
            published = with_parents(catalog, published)
        tables = self._fresh(topics, catalog)
        snapshot = InitialSnapshot(settings, origin, catalog, tables, point)
        self._progress = lambda: snapshot.progress
        told = topics.told if recovers and self._keys_are_told() else None
        yield from snapshot.changes(published, exported, self._stop.is_set, told)
        self._progress = _nothing

    def _follow(
        self,
        catalog: Catalog,
        link: Link,
        origin: Origin,
        tables: Tables,
        topics: TableTopics,
        stored: Mapping[str, Any],
    ) -> Iterator[Change | None]:
        """Read the log from the stored position on, and what is left of snapshots."""
        settings = self._settings
        self._stored = stored["lsn"]
        slots.ready(settings, catalog, link, self._stored)
        reader = self._reader = ChunkReader(settings, origin, catalog, self._fresh(topics, catalog))
        link.start(
            settings.slot,
            settings.publication,
            self._stored,
            messages=True,
            binary=streams_binary(settings, catalog),
            silence_s=slots.silence_s(catalog),
        )
        _log.info("source %s reads the log from %s on", self.name, lsn_text(self._stored))
        middle = self._middle(stored, origin)
        assembler = Assembler(settings, origin, tables, self._stored, middle)
        stream = Streaming(settings, link, assembler, Heartbeat(settings, topics), self._stored)
        fields = {**origin.base, "lsn": self._stored}
        fields |= {} if middle is None else {"middle": middle}
        fields |= {"signals": stored["signals"]} if "signals" in stored else {}
        state = state_of(stored.get("snapshot"))
        weaver = self.weaving(self.name, state, reader, fields, self._orders(stored))
        self._progress = lambda: weaver.progress
        yield from weaver.woven(stream, stream.changes(self._stop, self._check))

    def _keys_are_told(self) -> bool:
        """Whether the topics say which keys are there, in a form that can be compared."""
        form = self._settings.form
        if form.tombstones and form.value_format == "avro":
            return True
        _log.warning(
            "source %s cannot tell which rows vanished while the log was lost: its topics have no "
            "tombstones, or are not Avro",
            self.name,
        )
        return False

    def _fresh(self, topics: TableTopics, catalog: Catalog) -> Tables:
        """Tables as they are now: the log's own are as they were where it is read."""
        return Tables(self._settings, catalog, topics)

    def _orders(self, stored: Mapping[str, Any]) -> Callable[[], Iterable[Signal]]:
        signals = self._signals
        if signals is None:
            return tuple
        signals.begin(stored.get("signals", 0))
        return signals.taken

    @property
    def progress(self) -> SnapshotProgress | None:
        """How far a snapshot is; None while there is none."""
        return self._progress()

    def confirm(self, upto: Position) -> None:
        """See `Source.confirm`."""
        if upto.fields["phase"] == "stream" and self._link is not None:
            self._stored = upto.fields["lsn"]
            self._link.confirm(self._stored)

    def close(self) -> None:
        """See `Source.close`."""
        link, self._link = self._link, None
        reader, self._reader = self._reader, None
        catalog, self._catalog = self._catalog, None
        if link is not None:
            link.close()
        if reader is not None:
            reader.close()
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

    def _check(self) -> None:
        """See every few seconds that the slot and the publication are still as they must be."""
        catalog = self._catalog
        if catalog is None:
            return
        slots.primary(self._settings, catalog)
        slots.still(self._settings, catalog, self._stored)
        preflight.check(catalog, self._settings)
