"""How far a snapshot is, for people and for metrics."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.runtime import clock

if TYPE_CHECKING:
    from connectors.sources.postgres.snapshot.state import Run

LOG_S = 10.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SnapshotProgress:
    """A snapshot that is being read.

    Attributes:
        mode: `initial` or `incremental`.
        table: The table that is being read; empty at the end.
        tables_left: Tables that are not finished.
        rows: Rows that are out.
        expected: Rows in all, as the server's planner expects; at least `rows`.
        rows_per_s: Rows per second since this process reads.
        seconds_left: Time left at that rate; None while there is none.
        paused: An operator asked to wait.
    """

    mode: str
    table: str
    tables_left: int
    rows: int
    expected: int
    rows_per_s: float
    seconds_left: float | None
    paused: bool = False

    def __str__(self) -> str:
        """One line for people."""
        left = "" if self.seconds_left is None else f", about {self.seconds_left:,.0f} s left"
        waits = ", paused" if self.paused else ""
        return (
            f"{self.mode} snapshot: {self.table or 'end'}, {self.rows:,} of about "
            f"{self.expected:,} rows, {self.rows_per_s:,.0f} rows/s{left}{waits}"
        )


def expected_rows(run: Run) -> int:
    """Rows of a run: those that are out and those that its unfinished tables still have."""
    return run.rows + sum(max(table.expected - table.rows, 0) for table in run.tables)


class ProgressClock:
    """Measures a run's rate and logs it now and then.

    Args:
        source: Source id, for the log.
        run: The run; kept up to date by whoever reads.
    """

    def __init__(self, source: str, run: Run) -> None:
        self._source = source
        self.run = run
        self._rows = run.rows
        self._began = time.monotonic()
        self._logged = self._began

    def look(self, *, paused: bool = False) -> SnapshotProgress:
        """How far it is."""
        run = self.run
        seconds = max(time.monotonic() - self._began, 1e-3)
        rate = (run.rows - self._rows) / seconds
        expected = expected_rows(run)
        left = (expected - run.rows) / rate if rate > 0 else None
        table = run.tables[0].name if run.tables else ""
        return SnapshotProgress(
            run.mode, table, len(run.tables), run.rows, expected, rate, left, paused
        )

    def tell(self) -> None:
        """Log how far it is, every few seconds."""
        now = time.monotonic()
        if now - self._logged >= LOG_S:
            self._logged = now
            _log.info("source %s: %s", self._source, self.look())

    def finished(self) -> None:
        """Log the end."""
        seconds = (clock.now_ms() - self.run.started_ms) / 1000
        _log.info(
            "source %s: the %s snapshot is complete: %s rows in %.1f s",
            self._source,
            self.run.mode,
            f"{self.run.rows:,}",
            seconds,
        )
