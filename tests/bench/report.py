"""The table, the file of results, and the last line."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.measure.figures import ratio
from tests.bench.rows import LATENCY, THROUGHPUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.findings import Findings

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "RESULTS.md"
FIGURES: Final = HERE / "results.json"
LEAST_SHOWN: Final = 0.05
COLUMNS: Final = (
    "Row",
    "CPU s per million",
    "with start",
    "records/s",
    "peak MB",
    "first record after s",
    "broker CPU s per million",
    "CPU, ours to this",
    "output",
)
HEAD: Final = """\
`make bench-engine`: {it.records:,} records (stock Faust, which is slow: {it.slice_records:,}),
{it.rounds} interleaved rounds, medians; {minutes:.0f} minutes on {on}."""
METHOD: Final = """\
CPU is that of all processes of an engine, from its first commit to its last (of several workers:
while all of them are at work); `with start` counts from the start of the process. Every engine
reads the same topic with a group of its own; acks=all; the output is compared as a multiset.
How it is measured: `tests/bench/README.md`."""


@dataclass(frozen=True)
class Report:
    """The findings as people and programs read them."""

    found: Findings

    def write(self) -> None:
        """Replace the committed results."""
        RESULTS.write_text(self.text(), encoding="utf-8")
        everything = {
            "machine": machine(),
            "last_line": self.found.last_line(),
            "throughput": {
                key: [asdict(each.run) | {"exact": each.exact} for each in found]
                for key, found in self.found.results.items()
            },
            "latency": {
                k: [asdict(each) for each in found] for k, found in self.found.latencies.items()
            },
            "profiles": self.found.profiles,
            "failures": self.found.failures,
        }
        FIGURES.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")

    def text(self) -> str:
        """The page that people read."""
        return "\n".join(
            [*self._head(), *self._throughput(), *self._waits(), *self._layers(), *self._tail(), ""]
        )

    def _head(self) -> list[str]:
        return [
            "# Bench results",
            "",
            " ".join(
                HEAD.format(it=self.found, minutes=self.found.seconds / 60, on=machine()).split()
            ),
            "",
        ]

    def _throughput(self) -> list[str]:
        return [
            f"| {' | '.join(COLUMNS)} |",
            "|---" * len(COLUMNS) + "|",
            *(
                self._line(row.key, row.title)
                for row in THROUGHPUT
                if row.key in self.found.results
            ),
            "",
        ]

    def _line(self, key: str, title: str) -> str:
        def shown(figure: str, form: Callable[[float], str]) -> str:
            value = self.found.run(key, figure)
            return "-" if value is None else form(value)

        exact = sum(each.exact for each in self.found.results[key])
        against = ratio(
            self.found.run("ours", "cpu_per_million"),
            self.found.run(key, "cpu_per_million"),
            digits=2,
        )
        cells = [
            title,
            shown("cpu_per_million", "{:.1f}".format),
            shown("whole_per_million", "{:.1f}".format),
            shown("rate", "{:,.0f}".format),
            shown("rss_mb", "{:.0f}".format),
            shown("start_s", "{:.1f}".format),
            shown("broker_per_million", "{:.1f}".format),
            "-" if against is None or key == "ours" else str(against),
            f"exact {exact} of {len(self.found.results[key])}",
        ]
        return f"| {' | '.join(cells)} |"

    def _waits(self) -> list[str]:
        titles = {"none": "no engine: broker and clients alone"} | {
            row.key: row.title for row in LATENCY
        }
        lines = [
            f"| {title} | {self.found.wait(key, 'p50'):.1f} | {self.found.wait(key, 'p95'):.1f} "
            f"| {self.found.wait(key, 'p99'):.1f} | {self.found.wait(key, 'cpu'):.2f} |"
            for key, title in titles.items()
            if key in self.found.latencies
        ]
        title = "At 2,000 records per second, produce to read_committed receive, in ms:"
        head = ["| Row | p50 | p95 | p99 | CPU s per s |", "|---|---|---|---|---|"]
        return [title, "", *head, *lines, ""] if lines else []

    def _layers(self) -> list[str]:
        titles = [row.title for row in THROUGHPUT if row.key in self.found.profiles]
        columns = [
            self.found.profiles[row.key] for row in THROUGHPUT if row.key in self.found.profiles
        ]
        names = {name: None for column in columns for name in column}
        lines = [
            f"| {name} | {' | '.join(f'{column.get(name, 0.0):.2f}' for column in columns)} |"
            for name in names
            if any(column.get(name, 0.0) > LEAST_SHOWN for column in columns)
        ]
        head = [f"| Layer | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
        said = [
            "Microseconds of CPU per record by layer, start included (a run under a sampler):",
            "",
        ]
        return [*said, *head, *lines, ""] if columns else []

    def _tail(self) -> list[str]:
        threads = [
            f"- {row.title}: {told}"
            for row in THROUGHPUT
            if (told := self._threads(row.key)) and row.engine == "ours"
        ]
        failed = [f"- {each.splitlines()[0]}" for each in self.found.failures]
        return [
            "CPU s per million by thread, whole run:",
            "",
            *threads,
            *(["", "Not ended:", "", *failed] if failed else []),
            "",
            METHOD,
        ]

    def _threads(self, key: str) -> str:
        found = self.found.results.get(key)
        if not found:
            return ""
        run = found[-1].run
        shares = sorted(run.threads.items(), key=lambda each: -each[1])
        return ", ".join(
            f"{name} {seconds * 1e6 / run.total:.1f}"
            for name, seconds in shares
            if seconds > LEAST_SHOWN
        )


def machine() -> str:
    """What the figures were had on."""
    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"confluent-kafka {version('confluent-kafka')}, rocksdict {version('rocksdict')}"
    )
