"""The template of a translator, tested as users test their own: given rows, expected facts."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from examples.translator_template import ScaleTranslator
from streams.operator.translate.rows import read_rows
from streams.operator.translate.trial import Trial, tried

pytestmark = pytest.mark.urs("M8.6")

LOT = {"id": 1, "code": "R-1", "product": "RESIN", "blocked": False}
WEIGHING = {"id": 7, "lot_id": 1, "kilograms": "12.50", "cancelled": False, "login": "scale2"}


def given(*rows: tuple[str, str, dict[str, Any]], tx: str = "") -> Trial:
    lines = [
        json.dumps({"table": table, "op": op, "tx": tx, "after": after})
        for table, op, after in rows
    ]
    translator = ScaleTranslator()
    changes, bad = read_rows("\n".join(lines).encode(), is_csv=False, tables=translator.tables)
    assert bad == []
    return tried(translator, changes, "PLANT1")


def facts(trial: Trial) -> list[tuple[str, str, Decimal | None]]:
    return [(e.fact.lot_id, e.fact.disposition, e.fact.quantity) for e in trial.given]


def test_a_lot_and_what_was_weighed_of_it() -> None:
    trial = given(("scale_lot", "c", LOT), ("weighing", "c", WEIGHING))
    assert facts(trial) == [
        ("PLANT1/RESIN/R-1", "UnRestricted", None),
        ("PLANT1/RESIN/R-1", "UnRestricted", Decimal("12.5")),
    ]
    assert trial.given[1].fact.envelope.actor.user_id == "scale2"


@pytest.mark.parametrize("turn", [1, -1])
def test_the_order_of_rows_in_a_transaction_says_nothing(turn: int) -> None:
    rows = [("scale_lot", "c", LOT), ("weighing", "c", WEIGHING)][::turn]
    assert facts(given(*rows, tx="1")) == [("PLANT1/RESIN/R-1", "UnRestricted", Decimal("12.5"))]


def test_a_repeated_row_says_nothing_new() -> None:
    rows = (("scale_lot", "c", LOT), ("weighing", "c", WEIGHING), ("weighing", "u", WEIGHING))
    assert len(given(*rows).given) == 2


def test_a_cancelled_weighing_brings_nothing_and_counts_again_when_it_is_taken_back() -> None:
    cancelled, again = {"id": 7, "cancelled": True}, {"id": 7, "cancelled": False}
    trial = given(
        ("scale_lot", "c", LOT), ("weighing", "c", WEIGHING),
        ("weighing", "u", cancelled), ("weighing", "u", again),
    )  # fmt: skip
    assert [each.fact.arrived for each in trial.given] == [False, True, True]


def test_snapshot_rows_are_no_news() -> None:
    trial = given(("scale_lot", "r", LOT), ("weighing", "r", WEIGHING))
    assert facts(trial) == [("PLANT1/RESIN/R-1", "UnRestricted", None)]


def test_a_bad_row_is_named_by_its_line_and_column() -> None:
    trial = given(
        ("scale_lot", "c", LOT), ("weighing", "c", {**WEIGHING, "kilograms": "a lot"}),
        ("weighing", "c", {**WEIGHING, "id": 8, "lot_id": 9}),
    )  # fmt: skip
    assert [(bad.line, bad.code) for bad in trial.bad] == [
        (2, "bad_quantity"), (3, "reference_unknown"),
    ]  # fmt: skip
