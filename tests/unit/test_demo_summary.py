"""The demo's table says WRONG where a read-back is not the expected one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from demo.summary import fits, inspection_table, path_told, quantile, shares_told
from demo.watch import Seen
from localstack.scenario import Expected

COMMIT = datetime(2026, 3, 2, 8, tzinfo=UTC)
LOT = Expected("D-001", "FG-DEVICE", 2, "escaped", contained=3, escaped=5)
FREE = Expected("R-002", "RM-RESIN", None, "free")


def share(outcome: str, quantity: str, place: str = "", document: str = "") -> dict[str, Any]:
    return {
        "outcome": outcome,
        "quantity": quantity,
        "unit": "u",
        "place": place,
        "document": document,
    }


def seen(result: str, *shares: dict[str, Any]) -> Seen:
    return Seen(
        result,
        "hold",
        {"shares": list(shares)},
        COMMIT,
        COMMIT + timedelta(milliseconds=60),
        COMMIT + timedelta(seconds=2),
    )


RIGHT = seen("escaped", share("contained", "3"), share("escaped", "5", "Hospital", "out 1"))


def test_the_expected_read_back_is_right() -> None:
    outcome = inspection_table("inspection 9", (LOT, FREE), {"D-001": RIGHT}, {"D-001": "H-001"})
    assert outcome.right
    assert "WRONG" not in outcome.table
    assert "H-001 > D-001" in outcome.table
    assert "60 ms" in outcome.table


@pytest.mark.parametrize(
    "other",
    [
        seen("contained", share("contained", "3"), share("escaped", "5")),
        seen("escaped", share("contained", "2"), share("escaped", "5")),
        seen("escaped", share("contained", "3"), share("escaped", "5"), share("free", "1")),
    ],
)
def test_another_read_back_is_wrong(other: Seen) -> None:
    assert not fits(LOT, other)
    outcome = inspection_table("inspection 9", (LOT,), {"D-001": other}, {})
    assert not outcome.right
    assert "WRONG, expected escaped" in outcome.table


def test_a_lot_that_was_never_read_back_or_should_be_free_is_wrong() -> None:
    assert not inspection_table("inspection 9", (LOT,), {}, {}).right
    assert not inspection_table("inspection 9", (FREE,), {"R-002": RIGHT}, {}).right


def test_only_outcomes_that_need_a_person_name_their_documents() -> None:
    told = shares_told(RIGHT.ack["shares"])
    assert told == "3 u contained, 5 u escaped (Hospital: out 1)"


def test_a_cycle_in_the_genealogy_ends_the_path() -> None:
    assert path_told("A", {"A": "B", "B": "A"}) == "B > A"


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2.0), (0.99, 4.0), (0.25, 1.0), (0.0, 1.0)])
def test_quantiles_are_values_that_were_seen(share: float, expected: float) -> None:
    assert quantile([1.0, 2.0, 3.0, 4.0], share) == expected
