"""`lotgate translate`: rows in, events out, bad rows by line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from connectors.translators.tryton import TABLES
from streams.cli import cli
from streams.operator.translate.rows import read_rows
from tests.translation_erpnext import Erpnext, story

pytestmark = pytest.mark.urs("M8.6")

PRODUCT = {"id": 1, "code": "RESIN", "template": 1, "create_uid": 1, "write_uid": 1}
LOT = {"id": 7, "number": "R-1", "product": 1, "active": True, "create_uid": 1, "write_uid": 1}
GOOD = (
    {"table": "product_product", "op": "r", "after": PRODUCT},
    {"table": "stock_lot", "op": "c", "after": LOT},
)


def run(folder: Path, *rows: Any, system: str = "tryton", name: str = "rows.jsonl") -> Result:
    file = folder / name
    file.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows))
    asked = ["translate", "--system", system, "--rows", str(file), "--site", "PLANT1", "--json"]
    return CliRunner().invoke(cli, asked)


def told(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_it_shows_events_with_the_lines_that_completed_them(tmp_path: Path) -> None:
    result = run(tmp_path, *GOOD)
    assert result.exit_code == 0, result.output
    (event,) = told(result)["events"]
    assert (event["line"], event["event"]["lot_id"]) == (2, "PLANT1/RESIN/R-1")
    assert event["event"]["envelope"]["transform"][0]["id"] == "tryton"


def test_the_table_for_people_names_event_subject_and_version(tmp_path: Path) -> None:
    run(tmp_path, *GOOD)
    asked = ["translate", "--system", "tryton", "--rows", str(tmp_path / "rows.jsonl")]
    lines = CliRunner().invoke(cli, asked).stdout.splitlines()
    assert lines[0] == "tryton@1: events 1, transactions 2, bad rows 0"
    assert lines[2].split()[:4] == ["2", "inventory.lot", "SITE/RESIN/R-1", "1"]


def test_csv_says_the_same_as_json_lines(tmp_path: Path) -> None:
    quoted = [json.dumps(row["after"]).replace('"', '""') for row in GOOD]
    lines = [
        f'{row["table"]},{row["op"]},"{after}"' for row, after in zip(GOOD, quoted, strict=True)
    ]
    by_csv = told(run(tmp_path, "table,op,after", *lines, name="rows.csv"))["events"]
    by_json = told(run(tmp_path, *GOOD))["events"]
    assert [each["event"] for each in by_csv] == [each["event"] for each in by_json]
    assert [each["line"] for each in by_csv] == [3]


@pytest.mark.parametrize(
    ("row", "code", "words"),
    [
        ("nonsense", "not_json", "no JSON"),
        ("[1]", "not_an_object", "no JSON object"),
        ({"tabel": "stock_lot", "op": "c"}, "unknown_field", "'table'"),
        ({"table": "stock_lots", "op": "c"}, "unknown_table", "'stock_lot'"),
        ({"table": "stock_lot", "op": "insert"}, "unknown_op", "c (create)"),
        ({"table": "stock_lot", "op": "c"}, "no_image", "after"),
        ({"table": "stock_lot", "op": "c", "after": 3}, "not_an_object", "after"),
        ({"table": "stock_lot", "op": "c", "after": {"idd": 7}}, "no_key", "'idd'"),
        ({"table": "stock_lot", "op": "t"}, "table_truncated", "truncated"),
        (
            {"table": "stock_lot", "op": "c", "after": {"id": 9, "nummber": "x", "active": True}},
            "column_not_published",
            "'nummber'",
        ),
    ],
)
def test_a_bad_row_is_named_by_line_and_reason_and_the_others_flow(
    tmp_path: Path, row: Any, code: str, words: str
) -> None:
    result = run(tmp_path, GOOD[0], row, GOOD[1])
    assert result.exit_code == 4
    found = told(result)
    (bad,) = found["bad"]
    assert (bad["line"], bad["code"]) == (2, code)
    assert words in bad["reason"] + bad["advice"]
    assert [each["line"] for each in found["events"]] == [3]


def test_a_column_that_nobody_reads_but_nearly_is_noted(tmp_path: Path) -> None:
    image = {**LOT, "id": 8, "number": "R-2", "activ": LOT["active"]}
    del image["active"]
    odd = {**GOOD[1], "after": image}
    (note,) = told(run(tmp_path, GOOD[0], odd))["notes"]
    assert (note["line"], note["code"], note["advice"]) == (
        2, "column_not_read", "did you mean 'active'?",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("system", "code"),
    [
        ("nobody", "unknown_translator"),
        ("examples.translator_template:Nothing", "bad_translator"),
        ("decimal:Decimal", "bad_translator"),
    ],
)
def test_a_system_that_is_none_is_refused(tmp_path: Path, system: str, code: str) -> None:
    result = run(tmp_path, *GOOD, system=system)
    assert result.exit_code == 2
    assert f"[{code}]" in result.output


def test_a_name_that_is_nearly_right_is_told(tmp_path: Path) -> None:
    assert "did you mean 'tryton'?" in run(tmp_path, *GOOD, system="tryten").output


def test_a_translator_of_ones_own_needs_no_installation(tmp_path: Path) -> None:
    lot = {"table": "scale_lot", "op": "c", "after": {"id": 1, "code": "A", "product": "P",
                                                       "blocked": False}}  # fmt: skip
    result = run(tmp_path, lot, system="examples.translator_template:ScaleTranslator")
    assert told(result)["events"][0]["event"]["lot_id"] == "PLANT1/P/A"


def test_a_whole_story_of_erpnext_gives_what_the_pipeline_gives(tmp_path: Path) -> None:
    site = Erpnext()
    said = [item for _, items in story(site) for item in items]
    rows = [
        {"table": c.table, "op": c.op, "key": dict(c.key), "after": c.after, "tx": made.tx_id}
        for made in site.log
        for c in made.changes
    ]
    found = told(run(tmp_path, *rows, system="erpnext"))
    facts = [item for item in said if hasattr(item, "envelope")]
    assert [each["event"]["envelope"]["subject_id"] for each in found["events"]] == [
        fact.envelope.subject_id.replace("PLANT-1", "PLANT1") for fact in facts
    ]
    assert [bad["code"] for bad in found["bad"]] == ["unknown_state"]


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_bring_it_down(text: bytes, is_csv: bool) -> None:
    changes, bad = read_rows(text, is_csv=is_csv, tables=TABLES)
    assert all(each.line > 0 and each.reason for each in bad)
    assert all(each.line > 0 for each in changes)
