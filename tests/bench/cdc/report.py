"""The page of results, the file of results."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.cdc.rows import PACED, SNAPSHOT, STREAM
from tests.bench.measure.figures import middle, ratio
from tests.bench.report import machine

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.bench.cdc.findings import Findings, Result
    from tests.bench.cdc.measure.limits import Limit
    from tests.bench.cdc.rows import Row

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "RESULTS.md"
FIGURES: Final = HERE / "results.json"
COLUMNS: Final = (
    "Row",
    "CPU s per million",
    "with start",
    "rows/s",
    "peak MB",
    "first record after s",
    "server CPU s per million",
    "broker CPU s per million",
    "CPU, ours to this",
    "output",
)
FORMS: Final = (
    ("cpu_per_million", "{:.1f}"),
    ("whole_per_million", "{:.1f}"),
    ("rate", "{:,.0f}"),
    ("rss_mb", "{:.0f}"),
    ("start_s", "{:.1f}"),
    ("server_per_million", "{:.1f}"),
    ("broker_per_million", "{:.1f}"),
)


@dataclass(frozen=True)
class Report:
    """The findings as people and programs read them."""

    found: Findings

    def write(self) -> None:
        """Replace the committed results."""
        found = self.found
        RESULTS.write_text(self.text(), encoding="utf-8")
        everything = {
            "machine": machine(),
            "last_line": found.last_line(),
            "stream": _plain(found.streams),
            "snapshot": _plain(found.snapshots),
            "log_limits": [asdict(each) for each in found.log_limits],
            "copy_limits": [asdict(each) for each in found.copy_limits],
            "paced": {key: [asdict(each) for each in runs] for key, runs in found.waits.items()},
            "failures": found.failures,
        }
        FIGURES.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")

    def text(self) -> str:
        """The page that people read."""
        found = self.found
        head = (
            f"`make bench-cdc`: {found.rows:,} rows of twelve columns, {found.rounds} interleaved "
            f"rounds, medians; {found.seconds / 60:.0f} minutes on {machine()}. How it is "
            "measured: `tests/bench/cdc/README.md`."
        )
        lines = "\n".join(
            [
                *("# Bench of change data capture", "", head, ""),
                *self._runs("Streaming, in transactions of 100:", STREAM, found.streams),
                *_limits("`pg_recvlogical`, binary, to nothing", found.log_limits),
                *self._runs("Snapshot:", SNAPSHOT, found.snapshots),
                *_limits("binary COPY to nothing", found.copy_limits),
                *self._waits(),
                *self._memory(),
                *(f"Not ended: {each.splitlines()[0]}" for each in found.failures),
            ]
        )
        return lines.rstrip("\n") + "\n"

    def _runs(self, title: str, rows: Sequence[Row], runs: dict[str, list[Result]]) -> list[str]:
        lines = [_line(row, runs) for row in rows if row.key in runs]
        return [title, "", *_head(COLUMNS), *lines, ""] if lines else []

    def _waits(self) -> list[str]:
        found = self.found
        lines = [
            f"| {row.title} | {found.wait(row.key, 'p50'):.1f} | {found.wait(row.key, 'p95'):.1f} "
            f"| {found.wait(row.key, 'p99'):.1f} | {found.wait(row.key, 'cpu'):.3f} |"
            for row in PACED
            if row.key in found.waits
        ]
        title = "At 200 transactions per second, commit to read_committed receive, in ms:"
        head = _head(("Row", "p50", "p95", "p99", "CPU s per s"))
        return [title, "", *head, *lines, ""] if lines else []

    def _memory(self) -> list[str]:
        return [
            f"Memory, {name}: {held.rows:,} rows, peak {held.peak_mb:.0f} MB, {held.slope:+.2f} MB "
            f"per million rows, {held.early} records before the commit"
            for name, held in self.found.memory.items()
        ]


def _head(columns: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]


def _line(row: Row, runs: dict[str, list[Result]]) -> str:
    found = runs[row.key]

    def median(results: Iterable[Result], figure: str) -> float | None:
        return middle(getattr(each.drain, figure) for each in results)

    cells = [form.format(median(found, figure)) for figure, form in FORMS]
    cpu = "cpu_per_million"
    against = ratio(median(runs.get("ours", ()), cpu), median(found, cpu))
    compared = [each.exact for each in found if each.exact is not None]
    cells.append("-" if row.key == "ours" or against is None else str(against))
    cells.append(f"exact {sum(compared)} of {len(compared)}")
    return f"| {' | '.join([row.title, *cells])} |"


def _limits(title: str, limits: Sequence[Limit]) -> list[str]:
    if not limits:
        return []
    rate = middle(each.rate for each in limits)
    cpu = middle(each.cpu_per_million for each in limits)
    server = middle(each.server_per_million for each in limits)
    figures = f"{rate:,.0f} rows/s, CPU s per million {cpu:.1f}, of the server {server:.1f}"
    return [f"The limit, {title}: {figures}.", ""]


def _plain(runs: dict[str, list[Result]]) -> dict[str, list[dict[str, object]]]:
    return {
        key: [asdict(each.drain) | {"exact": each.exact} for each in found]
        for key, found in runs.items()
    }
