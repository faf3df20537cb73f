"""The source's slot as its server shows it, read every few seconds beside the loop.

A thread with a connection of its own, so that the numbers are true also while the loop hangs.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.sources.postgres.database.catalog import Catalog
from streams.errors import LotgateError

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY_S = 5.0
SAMPLES = 20_000
"""Positions that are remembered for the lag in seconds: more than a day."""
_SLOT = """
select e.lsn as server, s.slot_name is not null as there, s.active, s.wal_status,
       (s.confirmed_flush_lsn - '0/0')::bigint as confirmed,
       e.lsn - (s.restart_lsn - '0/0')::bigint as retained,
       s.safe_wal_size as safe, age(s.catalog_xmin) as xmin_age
from (select ((case when pg_is_in_recovery() then pg_last_wal_replay_lsn()
                    else pg_current_wal_lsn() end) - '0/0')::bigint as lsn) e
left join pg_replication_slots s on s.slot_name = %s
"""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SlotFigures:
    """A slot at one moment.

    Attributes:
        server: End of the server's log.
        state: `reserved`, `extended`, `unreserved`, `lost`, or `missing`.
        active: Someone streams from it.
        confirmed: Its confirmed position; 0 if it is missing.
        retained: Bytes of log that it keeps.
        safe: Bytes that may be written before it loses its log; None for no limit.
        xmin_age: Transactions for which it keeps dead rows of the catalogue.
        behind_s: Age of the oldest log that is not stored as carried over.
    """

    server: int
    state: str
    active: bool
    confirmed: int
    retained: int
    safe: int | None
    xmin_age: int
    behind_s: float


class Behind:
    """How long ago the server wrote what is not stored yet: no clock of another machine needed."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=SAMPLES)

    def at(self, now: float, server: int, stored: int) -> float:
        """Take note of the server's end, and tell the age of the oldest end that is not stored.

        Args:
            now: A monotonic clock, in seconds.
            server: End of the server's log.
            stored: The stored position.
        """
        if not self._seen or self._seen[-1][1] != server:
            self._seen.append((now, server))
        while self._seen and self._seen[0][1] <= stored:
            self._seen.popleft()
        return now - self._seen[0][0] if self._seen else 0.0


class SlotWatch:
    """Looks at the slot until it is closed.

    Args:
        dsn: Connection string of the source.
        slot: Name of the slot.
        stored: Gives the stored position.
    """

    def __init__(self, dsn: str, slot: str, stored: Callable[[], int]) -> None:
        self._dsn, self._slot, self._stored = dsn, slot, stored
        self._stop = threading.Event()
        self._behind = Behind()
        self._catalog: Catalog | None = None
        self.figures: SlotFigures | None = None
        """What was seen last; None while the server cannot be asked."""
        self._thread = threading.Thread(target=self._run, name="slot-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._stop.set()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    self.figures = self._look()
                except LotgateError as error:
                    # The source says the same, and louder.
                    _log.debug("slot %s cannot be looked at: %s", self._slot, error)
                    self.figures = None
                    self._let_go()
                self._stop.wait(EVERY_S)
        finally:
            self._let_go()

    def _look(self) -> SlotFigures:
        if self._catalog is None:
            self._catalog = Catalog(self._dsn)
        row = self._catalog.rows(_SLOT, self._slot)[0]
        stored = self._stored()
        return SlotFigures(
            server=row["server"],
            state=(row["wal_status"] or "lost") if row["there"] else "missing",
            active=bool(row["active"]),
            confirmed=row["confirmed"] or 0,
            retained=row["retained"] or 0,
            safe=row["safe"],
            xmin_age=row["xmin_age"] or 0,
            behind_s=self._behind.at(time.monotonic(), row["server"], stored) if stored else 0.0,
        )

    def _let_go(self) -> None:
        catalog, self._catalog = self._catalog, None
        if catalog is not None:
            with suppress(LotgateError):
                catalog.close()
