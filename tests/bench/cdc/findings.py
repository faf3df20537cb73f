"""What a whole run found, and its last line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.bench.findings import rounded
from tests.bench.measure.figures import middle, ratio

if TYPE_CHECKING:
    from tests.bench.cdc.measure.drain import Drain
    from tests.bench.cdc.measure.limits import Limit
    from tests.bench.cdc.measure.memory import Held
    from tests.bench.cdc.measure.paced import Waits


@dataclass(frozen=True)
class Result:
    """A run; whether its output was the table, row by row; None where it was only counted."""

    drain: Drain
    exact: bool | None


@dataclass
class Findings:
    """Everything that a bench run found.

    Attributes:
        rows: Of the table.
        rounds: Of each row.
        streams: Runs over the log, by row.
        snapshots: Runs over the table, by row.
        log_limits: What `pg_recvlogical` did.
        copy_limits: What a COPY did.
        waits: Measurements at a steady rate, by row.
        memory: By trial, of the longer mode.
        failures: What did not come to an end, one text each.
        seconds: How long the whole bench took.
    """

    rows: int
    rounds: int
    streams: dict[str, list[Result]] = field(default_factory=dict)
    snapshots: dict[str, list[Result]] = field(default_factory=dict)
    log_limits: list[Limit] = field(default_factory=list)
    copy_limits: list[Limit] = field(default_factory=list)
    waits: dict[str, list[Waits]] = field(default_factory=dict)
    memory: dict[str, Held] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def stream(self, key: str, figure: str) -> float | None:
        """A median over the runs of a row on the log."""
        return middle(getattr(each.drain, figure) for each in self.streams.get(key, []))

    def snapshot(self, key: str, figure: str) -> float | None:
        """The same on the table."""
        return middle(getattr(each.drain, figure) for each in self.snapshots.get(key, []))

    def wait(self, key: str, figure: str) -> float | None:
        """The same at a steady rate."""
        return middle(getattr(each, figure) for each in self.waits.get(key, []))

    @property
    def output_ok(self) -> bool:
        """Whether every run ended, and every output that was compared was the table."""
        runs = [
            each for of in (self.streams, self.snapshots) for found in of.values() for each in found
        ]
        exact = all(each.exact is not False for each in runs)
        whole = all(
            each.lost == each.doubled == 0 for found in self.waits.values() for each in found
        )
        held = all(each.exact and not each.early for each in self.memory.values())
        return exact and whole and held and not self.failures

    def best(self, figure: str) -> float | None:
        """The least of Debezium's medians when tuned."""
        found = [self.stream(key, figure) for key in ("dbz_avro_tuned", "dbz_json_tuned")]
        return min((each for each in found if each is not None), default=None)

    def fastest(self) -> float | None:
        """The highest of Debezium's rates when tuned."""
        found = [self.stream(key, "rate") for key in ("dbz_avro_tuned", "dbz_json_tuned")]
        return max((each for each in found if each is not None), default=None)

    def peak_mb(self) -> float | None:
        """The highest memory of any run of ours over the log, the longer mode included."""
        runs = [
            each.drain.rss_mb
            for key, found in self.streams.items()
            if key.startswith("ours")
            for each in found
        ]
        held = [each.peak_mb for each in self.memory.values()]
        return max([*runs, *held], default=None)

    def last_line(self) -> dict[str, Any]:
        """Ratios are ours divided by the peer's."""
        cpu, rate = self.stream("ours", "cpu_per_million"), self.stream("ours", "rate")
        sent = middle(each.rate for each in self.log_limits)
        copied = middle(each.rate for each in self.copy_limits)
        taken = self.snapshot("ours", "rate")
        return {
            "cpu_ratio_dbz_avro": ratio(cpu, self.stream("dbz_avro", "cpu_per_million")),
            "cpu_ratio_dbz_best": ratio(cpu, self.best("cpu_per_million")),
            "rate_ratio_dbz": ratio(rate, self.stream("dbz_avro", "rate")),
            "rate_ratio_limit": ratio(rate, sent),
            "snapshot_rate_ratio": ratio(taken, self.snapshot("dbz_avro", "rate")),
            "p50_ratio": ratio(self.wait("ours", "p50"), self.wait("dbz_quick", "p50")),
            "p99_ratio": ratio(self.wait("ours", "p99"), self.wait("dbz_quick", "p99")),
            "rss_mb": rounded(self.peak_mb()),
            "output_ok": self.output_ok,
            "rate_ratio_dbz_best": ratio(rate, self.fastest()),
            "whole_cpu_ratio_dbz_avro": ratio(
                self.stream("ours", "whole_per_million"),
                self.stream("dbz_avro", "whole_per_million"),
            ),
            "snapshot_cpu_ratio": ratio(
                self.snapshot("ours", "cpu_per_million"),
                self.snapshot("dbz_avro", "cpu_per_million"),
            ),
            "snapshot_whole_rate_ratio": ratio(
                self.snapshot("ours", "whole_rate"), self.snapshot("dbz_avro", "whole_rate")
            ),
            "snapshot_copy_ratio": ratio(taken, copied),
            "cpu_s_per_million": rounded(cpu),
            "rows_per_s": rounded(rate),
            "snapshot_rows_per_s": rounded(taken),
            "p50_ms": rounded(self.wait("ours", "p50")),
            "p99_ms": rounded(self.wait("ours", "p99")),
            "dbz_p50_ms": rounded(self.wait("dbz_quick", "p50")),
            "dbz_p99_ms": rounded(self.wait("dbz_quick", "p99")),
            "dbz_rss_mb": rounded(self.stream("dbz_avro", "rss_mb")),
            "snapshot_rss_mb": rounded(self.snapshot("ours", "rss_mb")),
            "rows": self.rows,
            "rounds": self.rounds,
            "failures": len(self.failures),
        }
