"""What a whole run found, and its last line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.bench.measure.figures import middle, ratio

if TYPE_CHECKING:
    from tests.bench.measure.latency import Latency
    from tests.bench.rows import Result


@dataclass
class Findings:
    """Everything that a bench run found.

    Attributes:
        records: Of the reference input.
        slice_records: Of stock Faust's.
        rounds: Of each row.
        results: Runs by row.
        latencies: Measurements by row; `none` is broker and clients alone.
        profiles: Microseconds per record by layer, of runs under the sampler.
        failures: What did not come to an end, one text each.
        seconds: How long the whole bench took.
    """

    records: int
    slice_records: int
    rounds: int
    results: dict[str, list[Result]] = field(default_factory=dict)
    latencies: dict[str, list[Latency]] = field(default_factory=dict)
    profiles: dict[str, dict[str, float]] = field(default_factory=dict)
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
            "cpu_ratio_ks_general_serde": of("cpu_per_million", "ours", "ks_general"),
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


def rounded(value: float | None) -> float | None:
    """A figure with one decimal."""
    return None if value is None else round(value, 1)
