"""The bench's page and its last line say what the runs were."""

from __future__ import annotations

import json

from tests.bench.findings import Findings
from tests.bench.measure.latency import Latency
from tests.bench.measure.window import Run, Sight, Window
from tests.bench.report import Report
from tests.bench.rows import Result

ISSUED = {
    "cpu_ratio_ks_eos",
    "cpu_ratio_quix_eos",
    "cpu_ratio_faust",
    "rate_ratio_ks_eos",
    "p50_ratio_ks",
    "p99_ratio_ks",
    "rss_mb",
    "two_worker_cpu_ratio",
    "two_worker_rate_ratio_ks2",
    "output_ok",
}


def a_result(cpu_s: float, wall_s: float, *, exact: bool = True) -> Result:
    return Result(Run(500_000, wall_s, cpu_s, 1.0, cpu_s + 2, 500_000, 1.5, 120.0), exact)


def a_latency(p50: float, lost: int = 0) -> Latency:
    return Latency(100, p50, 2 * p50, 3 * p50, 0.2, 0.3, lost)


def findings() -> Findings:
    found = Findings(500_000, 10_000, 3)
    found.results = {
        "ours": [a_result(6.0, 10.0), a_result(5.0, 10.0), a_result(9.0, 12.5)],
        "ks": [a_result(8.0, 8.0)] * 3,
    }
    found.latencies = {"ours": [a_latency(9.0)], "ks_tuned": [a_latency(12.0)]}
    found.profiles = {"ours": {"rule": 1.25, "hardly": 0.001}}
    return found


def test_the_last_line_has_medians_as_ratios_of_ours_to_the_peers() -> None:
    line = findings().last_line()
    assert set(line) >= ISSUED
    assert line["cpu_ratio_ks_eos"] == 0.75
    assert line["rate_ratio_ks_eos"] == 0.8
    assert line["p50_ratio_ks"] == line["p99_ratio_ks"] == 0.75
    assert line["rss_mb"] == 120.0
    assert line["cpu_s_per_million"] == 12.0
    assert line["cpu_ratio_quix_eos"] is None
    assert line["output_ok"] is True
    assert json.loads(json.dumps(line)) == line


def test_one_wrong_output_one_lost_hold_or_one_failure_is_told() -> None:
    wrong, lost, failed = findings(), findings(), findings()
    wrong.results["ks"] = [a_result(8.0, 8.0, exact=False)]
    lost.latencies["ours"] = [a_latency(9.0, lost=1)]
    failed.failures.append("Quix Streams exactly-once: it ended")
    assert [each.output_ok for each in (wrong, lost, failed)] == [False] * 3
    assert "exact 0 of 1" in Report(wrong).text()
    assert "- Quix Streams exactly-once: it ended" in Report(failed).text()


def test_the_page_has_a_line_for_each_row_that_ran() -> None:
    lines = Report(findings()).text().splitlines()
    assert (
        "| Lotgate, one worker | 12.0 | 16.0 | 50,000 | 120 | 1.5 | 2.0 | - | exact 3 of 3 |"
        in (lines)
    )
    assert sum(line.startswith("| Kafka Streams") for line in lines) == 2
    assert "| rule | 1.25 |" in lines
    assert not any("hardly" in line for line in lines)


def looks(*positions: tuple[int, int]) -> list[Sight]:
    return [Sight(float(at), done, at * 2.0, 0.0) for at, done in enumerate(positions, 1)]


def window(members: int) -> Window:
    return Window(members, [10, 10], Sight(0.0, (0, 0), 0.0, 0.0))


def test_one_worker_is_measured_from_its_first_commit_to_its_last() -> None:
    it = window(1)
    seen = looks((0, 0), (3, 0), (9, 9), (10, 10))
    for sight in seen:
        it.see(sight)
    assert it.edges(seen[-1]) == (seen[1], seen[3])
    assert it.began_work == 2.0


def test_what_is_committed_at_once_is_measured_whole() -> None:
    it = window(1)
    seen = looks((0, 0), (10, 10))
    for sight in seen:
        it.see(sight)
    assert it.edges(seen[-1]) == (it.zero, seen[-1])


def test_two_workers_are_measured_while_both_work() -> None:
    it = window(2)
    seen = looks((2, 2), (3, 2), (4, 3), (7, 10), (10, 10))
    assert it.wants_shares(seen[0])
    it.shares, it.marks = [[0], [1]], seen[0].done
    assert not it.wants_shares(seen[1])
    for sight in seen:
        it.see(sight)
    assert it.edges(seen[-1]) == (seen[2], seen[3])
