"""The table, the file of results, and the last line."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench.measure.figures import middle, ratio
from tests.bench.rows import LATENCY, THROUGHPUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.measure.latency import Latency
    from tests.bench.rows import Result

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


@dataclass
class Findings:
    """Everything that a bench run found.

    Attributes:
        records: Of the reference input.
        slice_records: Of stock Faust's.
        rounds: Of each row.
        results: Runs by row.
        latencies: Measurements by row; `none` is broker and clients alone.
        failures: What did not come to an end, one text each.
        seconds: How long the whole bench took.
    """

    records: int
    slice_records: int
    rounds: int
    results: dict[str, list[Result]] = field(default_factory=dict)
    latencies: dict[str, list[Latency]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def run(self, key: str, figure: str) -> float | None:
        """A row's median."""
        return middle(getattr(each.run, figure) for each in self.results.get(key, []))

    def wait(self, key: str, figure: str) -> float | None:
        """A latency row's median."""
        return middle(getattr(each, figure) for each in self.latencies.get(key, []))

    @property
    def output_ok(self) -> bool:
        """Whether every run ended, with the right output."""
        exact = all(each.exact for found in self.results.values() for each in found)
        whole = all(each.lost == 0 for found in self.latencies.values() for each in found)
        return exact and whole and not self.failures

    def last_line(self) -> dict[str, Any]:
        """Ratios are ours divided by the peer's."""

        def of(figure: str, ours: str, theirs: str) -> float | None:
            return ratio(self.run(ours, figure), self.run(theirs, figure))

        def waits(figure: str, theirs: str) -> float | None:
            return ratio(self.wait("ours", figure), self.wait(theirs, figure))

        return {
            "cpu_ratio_ks_eos": of("cpu_per_million", "ours", "ks"),
            "cpu_ratio_quix_eos": of("cpu_per_million", "ours", "quix"),
            "cpu_ratio_faust": of("cpu_per_million", "ours", "faust"),
            "rate_ratio_ks_eos": of("rate", "ours", "ks"),
            "p50_ratio_ks": waits("p50", "ks_tuned"),
            "p99_ratio_ks": waits("p99", "ks_tuned"),
            "rss_mb": rounded(self.run("ours", "rss_mb")),
            "two_worker_cpu_ratio": of("cpu_per_million", "ours_2", "ours"),
            "two_worker_rate_ratio_ks2": of("rate", "ours_2", "ks_2"),
            "output_ok": self.output_ok,
            "cpu_ratio_ks_cached": of("cpu_per_million", "ours", "ks_cached"),
            "whole_cpu_ratio_ks_eos": of("whole_per_million", "ours", "ks"),
            "cpu_ratio_ks2_two_workers": of("cpu_per_million", "ours_2", "ks_2"),
            "many_lots_cpu_ratio": of("cpu_per_million", "ours_wide", "ours"),
            "envelope_cpu_ratio": of("cpu_per_million", "ours_envelope", "ours"),
            "p50_ratio_ks_default": waits("p50", "ks_default"),
            "p99_ratio_ks_default": waits("p99", "ks_default"),
            "p50_ms": rounded(self.wait("ours", "p50")),
            "p99_ms": rounded(self.wait("ours", "p99")),
            "ks_p50_ms": rounded(self.wait("ks_tuned", "p50")),
            "ks_p99_ms": rounded(self.wait("ks_tuned", "p99")),
            "cpu_s_per_million": rounded(self.run("ours", "cpu_per_million")),
            "records_per_s": rounded(self.run("ours", "rate")),
            "records": self.records,
            "rounds": self.rounds,
            "runs": sum(len(each) for each in self.results.values()),
            "failures": len(self.failures),
        }

    def write(self) -> None:
        """Replace the committed results."""
        RESULTS.write_text(self.text(), encoding="utf-8")
        everything = {
            "machine": machine(),
            "last_line": self.last_line(),
            "throughput": {
                key: [asdict(each.run) | {"exact": each.exact} for each in found]
                for key, found in self.results.items()
            },
            "latency": {k: [asdict(each) for each in found] for k, found in self.latencies.items()},
            "failures": self.failures,
        }
        FIGURES.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")

    def text(self) -> str:
        """The page that people read."""
        return "\n".join([*self._head(), *self._throughput(), *self._waits(), *self._tail(), ""])

    def _head(self) -> list[str]:
        return [
            "# Bench results",
            "",
            " ".join(HEAD.format(it=self, minutes=self.seconds / 60, on=machine()).split()),
            "",
        ]

    def _throughput(self) -> list[str]:
        return [
            f"| {' | '.join(COLUMNS)} |",
            "|---" * len(COLUMNS) + "|",
            *(self._line(row.key, row.title) for row in THROUGHPUT if row.key in self.results),
            "",
        ]

    def _line(self, key: str, title: str) -> str:
        def shown(figure: str, form: Callable[[float], str]) -> str:
            value = self.run(key, figure)
            return "-" if value is None else form(value)

        exact = sum(each.exact for each in self.results[key])
        against = ratio(
            self.run("ours", "cpu_per_million"), self.run(key, "cpu_per_million"), digits=2
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
            f"exact {exact} of {len(self.results[key])}",
        ]
        return f"| {' | '.join(cells)} |"

    def _waits(self) -> list[str]:
        titles = {"none": "no engine: broker and clients alone"} | {
            row.key: row.title for row in LATENCY
        }
        lines = [
            f"| {title} | {self.wait(key, 'p50'):.1f} | {self.wait(key, 'p95'):.1f} "
            f"| {self.wait(key, 'p99'):.1f} | {self.wait(key, 'cpu'):.2f} |"
            for key, title in titles.items()
            if key in self.latencies
        ]
        return [
            "At 2,000 records per second, produce to read_committed receive, in ms:",
            "",
            "| Row | p50 | p95 | p99 | CPU s per s |",
            "|---|---|---|---|---|",
            *lines,
            "",
        ]

    def _tail(self) -> list[str]:
        threads = [
            f"- {row.title}: {told}"
            for row in THROUGHPUT
            if (told := self._threads(row.key)) and row.engine == "ours"
        ]
        failed = [f"- {each.splitlines()[0]}" for each in self.failures]
        return [
            "CPU s per million by thread, whole run:",
            "",
            *threads,
            *(["", "Not ended:", "", *failed] if failed else []),
            "",
            METHOD,
        ]

    def _threads(self, key: str) -> str:
        found = self.results.get(key)
        if not found:
            return ""
        run = found[-1].run
        shares = sorted(run.threads.items(), key=lambda each: -each[1])
        return ", ".join(
            f"{name} {seconds * 1e6 / run.total:.1f}"
            for name, seconds in shares
            if seconds > LEAST_SHOWN
        )


def rounded(value: float | None) -> float | None:
    """A figure with one decimal."""
    return None if value is None else round(value, 1)


def machine() -> str:
    """What the figures were had on."""
    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"confluent-kafka {version('confluent-kafka')}, rocksdict {version('rocksdict')}"
    )
