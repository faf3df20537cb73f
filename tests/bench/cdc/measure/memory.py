"""Memory of our source over ten million rows, and over one transaction of five million."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.cdc import table
from tests.bench.cdc.measure.drain import Follow
from tests.bench.cdc.measure.progress import Visible
from tests.bench.cdc.output import read_back
from tests.bench.measure import procfs
from tests.bench.measure.watch import ended

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.cdc.contenders.ours import Ours
    from tests.bench.cdc.rows import Field

SAMPLE_S: Final = 0.5
OPEN_S: Final = 5.0
LEAST_S: Final = 120.0
LEAST_RATE: Final = 5_000


@dataclass(frozen=True)
class Held:
    """What a process held in memory.

    Attributes:
        rows: Rows carried.
        peak_mb: Highest resident memory.
        slope: MB per million rows over the second half of the run, by least squares.
        rate: Rows per second.
        cpu_per_million: CPU seconds per million rows.
        early: Records that the broker had before the source's transaction was committed.
        exact: The output was the table.
    """

    rows: int
    peak_mb: float
    slope: float
    rate: float
    cpu_per_million: float
    early: int
    exact: bool


@dataclass
class Sampler:
    """Looks at a process's resident memory until told to stop."""

    pid: int
    topic: Visible
    samples: list[tuple[int, float]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look, in a thread."""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def slope(self) -> float:
        """MB per million rows over the samples of the second half."""
        moving = [each for each in self.samples if each[0]]
        late = moving[len(moving) // 2 :]
        if len({rows for rows, _ in late}) < 2:
            return 0.0
        mean_x = sum(rows for rows, _ in late) / len(late)
        mean_y = sum(mb for _, mb in late) / len(late)
        spread = sum((rows - mean_x) ** 2 for rows, _ in late)
        return sum((rows - mean_x) * (mb - mean_y) for rows, mb in late) / spread * 1e6

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            held = resident_mb(self.pid)
            if held:
                self.samples.append((self.topic.committed(), held))


def resident_mb(pid: int) -> float:
    """Resident memory of a process tree now, in MB of 1024 KiB; 0 when it has gone."""
    total = 0
    for each in procfs.tree(pid):
        try:
            text = Path(f"/proc/{each}/status").read_text(encoding="utf-8")
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line[:6] == "VmRSS:")
    return total / 1024


def over_many(where: Field, run: Ours, rows: int) -> Held:
    """Many small transactions, written before the source reads them."""
    run.prepare()
    with where.server.connect(run.dsn) as database:
        database.execute("set synchronous_commit = off")
        table.fill(database, rows)
    return _held(where, run, rows, lambda: 0)


def over_one(where: Field, run: Ours, rows: int) -> Held:
    """One transaction, which stays open for some seconds after its last row."""

    def written() -> int:
        with where.server.connect(run.dsn) as database, database.transaction():
            database.execute("insert into reading select * from reading_rows(1, %s)", (rows,))
            time.sleep(OPEN_S)
            return Visible(where.ground, run.topic).written()

    run.prepare()
    return _held(where, run, rows, written)


def _held(where: Field, run: Ours, rows: int, first: Callable[[], int]) -> Held:
    """Run the source; `first` is done beside it, and tells what the broker had by then."""
    process = run.start()
    sampler = Sampler(process.pid, Visible(where.ground, run.topic))
    sampler.start()
    try:
        early, began = first(), time.monotonic()
        limit_s = LEAST_S + rows / LEAST_RATE
        drain = Follow(where.ground, run, process, began).until_visible(rows, limit_s)
    finally:
        sampler.stop()
        ended([process])
    with where.server.connect(run.dsn) as database:
        exact = read_back(where.ground, run.topic, run.form) == table.tally_of(database)
    return Held(
        rows, drain.rss_mb, sampler.slope(), drain.rate, drain.cpu_per_million, early, exact
    )
