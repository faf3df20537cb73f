"""What the bench of change data capture computes from what it sees."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.bench.cdc.__main__ import arguments, is_whole
from tests.bench.cdc.findings import Findings, Result
from tests.bench.cdc.measure.drain import Drain
from tests.bench.cdc.measure.limits import Limit
from tests.bench.cdc.measure.memory import Held
from tests.bench.cdc.measure.paced import Waits
from tests.bench.cdc.output import plain
from tests.bench.cdc.report import Report
from tests.bench.cdc.table import COLUMNS, Tally, tally

pytestmark = pytest.mark.urs("M3.1")

AT = datetime(2026, 3, 1, 12, 30, 0, 123456, tzinfo=UTC)
MICROS = 1_772_368_200_123_456
ROW: tuple[Any, ...] = (
    *(1, "LOT-1", "ITEM-1", "diameter", 7, 1.5),
    *(Decimal("12.3400"), True, AT, AT.replace(tzinfo=None), date(2026, 3, 1), None),
)
AS_AVRO = (*ROW[:6], (123_400).to_bytes(3, "big"), True, MICROS, MICROS, 20_513, None)
AS_JSON = (*ROW[:6], "AeII", True, "2026-03-01T12:30:00.123456Z", MICROS, 20_513, None)
DRAIN = Drain(1_000, 500, 0.01, 0.005, 0.02, 0.1, 0.003, 0.01, 2.0, 100.0)
WAITS = Waits(100, 5.0, 6.0, 10.0, 0.1, 0, 0)


def test_a_row_is_the_same_whoever_wrote_it() -> None:
    assert len(ROW) == len(COLUMNS)
    assert tally([ROW]) == tally([AS_AVRO]) == tally([AS_JSON])


@pytest.mark.parametrize("column", range(len(ROW)))
def test_each_cell_counts(column: int) -> None:
    other = list(AS_AVRO)
    other[column] = {bytes: b"\x01", bool: False}.get(type(other[column]), 3)
    assert tally([tuple(other)]) != tally([AS_AVRO])


def test_a_multiset_knows_what_came_twice_and_not_in_which_order() -> None:
    second = (2, *AS_AVRO[1:])
    assert tally([AS_AVRO, second]) == tally([second]) + tally([AS_AVRO])
    assert tally([AS_AVRO, AS_AVRO]) != tally([AS_AVRO, second])
    assert tally([AS_AVRO, AS_AVRO, second]) != tally([AS_AVRO, second])
    assert tally([]) == Tally(0, 0)


def test_a_schema_without_logical_types_keeps_all_else() -> None:
    given = {"type": "record", "fields": [{"type": ["null", {"type": "int", "logicalType": "x"}]}]}
    assert plain(given) == {"type": "record", "fields": [{"type": ["null", {"type": "int"}]}]}


def test_figures_of_a_run() -> None:
    assert DRAIN.cpu_per_million == pytest.approx(10)
    assert DRAIN.whole_per_million == pytest.approx(20)
    assert DRAIN.rate == pytest.approx(50_000)
    assert DRAIN.whole_rate == pytest.approx(10_000)
    assert DRAIN.server_per_million == pytest.approx(3)


def findings() -> Findings:
    """One round in which we are faster."""
    slow = Result(replace(DRAIN, cpu_s=0.05, wall_s=0.04, rss_mb=900.0), exact=True)
    tuned = Result(replace(DRAIN, cpu_s=0.025, wall_s=0.02), exact=None)
    ours = Result(DRAIN, exact=True)
    return Findings(
        1_000,
        1,
        streams={"ours": [ours], "dbz_avro": [slow], "dbz_avro_tuned": [slow]}
        | {"dbz_json_tuned": [tuned]},
        snapshots={"ours": [ours], "dbz_avro": [slow]},
        log_limits=[Limit(1_000, 0.01, 0.001, 0.003)],
        waits={"ours": [WAITS], "dbz_quick": [replace(WAITS, p50=20.0, p99=20.0)]},
    )


def test_ratios_are_ours_to_the_peer() -> None:
    line = findings().last_line()
    assert line["cpu_ratio_dbz_avro"] == 0.1
    assert line["cpu_ratio_dbz_best"] == 0.2
    assert line["rate_ratio_dbz"] == 4
    assert line["rate_ratio_dbz_best"] == 2
    assert line["rate_ratio_limit"] == 0.5
    assert line["snapshot_rate_ratio"] == 4
    assert (line["p50_ratio"], line["p99_ratio"]) == (0.25, 0.5)
    assert line["rss_mb"] == 100
    assert line["output_ok"] is True


def test_an_output_is_not_right_when_anything_was_wrong() -> None:
    for spoil in (
        {"failures": ["x"]},
        {"streams": {"ours": [Result(DRAIN, exact=False)]}},
        {"waits": {"ours": [replace(WAITS, lost=1)]}},
        {"waits": {"ours": [replace(WAITS, doubled=1)]}},
        {"memory": {"one": Held(1, 1, 0, 1, 1, early=1, exact=True)}},
    ):
        assert replace(findings(), **spoil).output_ok is False


def test_the_page_names_every_row_that_ran() -> None:
    text = Report(findings()).text()
    assert "| Lotgate | 10.0 | 20.0 | 50,000 | 100 | 2.0 | 3.0 | 10.0 | - | exact 1 of 1 |" in text
    assert "| Debezium, Avro, its defaults | 100.0 |" in text
    assert "| 0.2 | exact 0 of 0 |" in text
    assert "100,000 rows/s, CPU s per million 1.0, of the server 3.0." in text
    assert "| Lotgate | 5.0 | 6.0 | 10.0 | 0.100 |" in text


def test_only_a_whole_run_is_kept() -> None:
    assert is_whole(arguments([]))
    for words in (["--rows", "1000"], ["--rounds", "1"], ["--only", "ours"], ["--memory"]):
        assert not is_whole(arguments(words))
    assert not is_whole(arguments(["--parts", "stream,paced"]))
