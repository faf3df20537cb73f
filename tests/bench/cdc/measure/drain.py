"""Follow a source from its start until every row is visible to a read_committed reader."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.bench.cdc.measure.progress import Visible
from tests.bench.measure import procfs

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.bench.cdc.contenders.ours import Ours
    from tests.bench.cdc.debezium.connect import Debezium
    from tests.bench.ground import Ground

LOOK_S: Final = 0.05
QUIET_S: Final = 1.0
LIMIT_S: Final = 240.0
TOLD_CHARACTERS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Sight:
    """One look.

    Attributes:
        at: Instant on the steady clock.
        visible: Records visible in the topic, markers of transactions included.
        cpu_s: CPU seconds of the source's process tree since its start.
        server_s: CPU seconds of the database server since its start.
        broker_s: CPU seconds of the broker since its start.
    """

    at: float
    visible: int
    cpu_s: float
    server_s: float
    broker_s: float


@dataclass(frozen=True)
class Drain:
    """One run's figures; the window is from the first look that saw records to the last.

    Attributes:
        rows: All rows.
        records: Rows that became visible within the window.
        wall_s: Seconds of the window.
        cpu_s: CPU seconds of the source's process tree within the window.
        whole_cpu_s: The same from the start of the process to the last look.
        whole_s: Seconds from the start of the process to the last look.
        server_s: CPU seconds of the database server in the whole run.
        broker_s: CPU seconds of the broker in the whole run.
        start_s: From the start of the process to the first visible record.
        rss_mb: Peak resident memory of the process tree.
    """

    rows: int
    records: int
    wall_s: float
    cpu_s: float
    whole_cpu_s: float
    whole_s: float
    server_s: float
    broker_s: float
    start_s: float
    rss_mb: float

    @property
    def cpu_per_million(self) -> float:
        """CPU seconds of the source per million rows, without its start."""
        return self.cpu_s * 1e6 / self.records

    @property
    def whole_per_million(self) -> float:
        """The same with its start."""
        return self.whole_cpu_s * 1e6 / self.rows

    @property
    def server_per_million(self) -> float:
        """CPU seconds of the database server per million rows."""
        return self.server_s * 1e6 / self.rows

    @property
    def broker_per_million(self) -> float:
        """CPU seconds of the broker per million rows."""
        return self.broker_s * 1e6 / self.rows

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.records / self.wall_s

    @property
    def whole_rate(self) -> float:
        """Rows per second from the start of the process."""
        return self.rows / self.whole_s


class Follow:
    """Looks at one run.

    Args:
        ground: Where the broker is.
        source: What runs.
        process: Its process.
        began: When it was started.
    """

    def __init__(
        self,
        ground: Ground,
        source: Ours | Debezium,
        process: subprocess.Popen[bytes],
        began: float,
    ) -> None:
        self._ground, self._source, self._process, self._began = ground, source, process, began
        self._topic = Visible(ground, source.topic)
        self._zero = Sight(began, 0, 0.0, *self._others())

    def look(self) -> Sight:
        """Look once."""
        return Sight(
            visible=self._topic.committed(),
            at=time.monotonic(),
            cpu_s=procfs.cpu_s(self._process.pid),
            server_s=(others := self._others())[0],
            broker_s=others[1],
        )

    def _others(self) -> tuple[float, float]:
        return procfs.cpu_s(self._source.server.pid), procfs.cpu_s(self._ground.broker_pid)

    def until_visible(self, rows: int, limit_s: float = LIMIT_S) -> Drain:
        """Wait until that many rows are visible and nothing more comes.

        Args:
            rows: How many.
            limit_s: Seconds after the start of the process to give up at.

        Raises:
            RuntimeError: The source ended, or not all came in time.
        """
        first = last = self.look()
        while True:
            time.sleep(LOOK_S)
            sight = self.look()
            if sight.visible > last.visible:
                last = sight
                first = first if first.visible else sight
            elif last.visible >= rows and sight.at - last.at > QUIET_S:
                break
            self._check(sight, rows, limit_s)
        peak = procfs.peak_mb(self._process.pid)
        return self._drained(rows, first, last, peak)

    def _drained(self, rows: int, first: Sight, last: Sight, peak: float) -> Drain:
        # All at once, there is no window but the whole run.
        opened = first if last.at > first.at else self._zero
        return Drain(
            rows=rows,
            records=rows * (last.visible - opened.visible) // last.visible,
            wall_s=last.at - opened.at,
            cpu_s=last.cpu_s - opened.cpu_s,
            whole_cpu_s=last.cpu_s,
            whole_s=last.at - self._began,
            server_s=last.server_s - self._zero.server_s,
            broker_s=last.broker_s - self._zero.broker_s,
            start_s=first.at - self._began,
            rss_mb=peak,
        )

    def _check(self, sight: Sight, rows: int, limit_s: float) -> None:
        name, waited = self._source.name, sight.at - self._began
        if self._process.poll() is not None:
            raise RuntimeError(f"{name} ended with {self._process.returncode}: {self._told()}")
        if waited > limit_s:
            raise RuntimeError(
                f"{name}: {sight.visible} of {rows} after {waited:.0f} s: {self._told()}"
            )

    def _told(self) -> str:
        return told(self._source.folder)


def told(folder: Path) -> str:
    """The last that a run said."""
    path = folder / "worker.log"
    if not path.exists():
        return "(no log)"
    return path.read_text(encoding="utf-8", errors="replace")[-TOLD_CHARACTERS:]
