"""Customer specifications: the CRM's transactions, and what a result is judged by."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.model.facts import CharacteristicLimit, CustomerSpec, SpecState
from streams.model.rows import SourceTransaction
from streams.model.specification import Fit, Measurement
from streams.model.translation import UNSTAMPED, Rejected
from streams.rules.specification import in_force, judge
from streams.rules.verification import verify, verify_text
from tests.translation_stream import Database, Translation

pytestmark = pytest.mark.urs("M5.6")

GOLDEN = Path(__file__).parents[1] / "golden"
SPEC, LIMIT = "customer_spec", "customer_spec_limit"
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
JULY = datetime(2026, 7, 1, tzinfo=UTC)


class Crm:
    """A CRM whose transactions are translated at once."""

    def __init__(self) -> None:
        self.database = Database("crm", "crm")
        self.translation = Translation()

    def save(self, *changes: Any, snapshot: bool = False) -> list[Any]:
        made = self.database.transaction(*changes, snapshot=snapshot)
        return self.translation.feed(made)

    def spec(self, key: int = 1, op: str = "c", **cells: Any) -> Any:
        usual = {
            "customer_code": "C-100",
            "product_code": "FG-1",
            "revision": "A",
            "state": "approved",
            "sampling_plan": "AQL 1.0",
            "effective_from": "2026-01-01 00:00:00+00",
            "effective_to": None,
        }
        return self.database.change(op, SPEC, key, **(usual if op == "c" else {}) | cells)

    def limit(self, key: int, op: str = "c", **cells: Any) -> Any:
        usual = {
            "spec_id": 1,
            "characteristic": "moisture",
            "lower_limit": "0.05",
            "upper_limit": "0.20",
            "unit": "%",
        }
        return self.database.change(op, LIMIT, key, **(usual if op == "c" else {}) | cells)

    @property
    def now(self) -> datetime:
        """Commit time of the last transaction."""
        return self.database.log[-1].committed_at

    @property
    def last(self) -> SourceTransaction:
        return self.database.log[-1]


@pytest.fixture
def crm() -> Crm:
    crm = Crm()
    crm.save(crm.spec(), crm.limit(1), crm.limit(2, characteristic="ash", upper_limit="1.50"))
    return crm


def specs(said: list[Any]) -> list[CustomerSpec]:
    return [item for item in said if isinstance(item, CustomerSpec)]


def measured(value: str, at: datetime, characteristic: str = "moisture") -> Measurement:
    return Measurement(characteristic, Decimal(value), at, "%")


def test_a_record_with_its_limits_is_one_fact(crm: Crm) -> None:
    (found,) = specs(crm.translation.said)
    assert (found.spec_id, found.customer, found.item, found.revision) == (
        "1",
        "C-100",
        "FG-1",
        "A",
    )
    assert found.limits == (
        CharacteristicLimit("ash", Decimal("0.05"), Decimal("1.5"), "%"),
        CharacteristicLimit("moisture", Decimal("0.05"), Decimal("0.2"), "%"),
    )
    assert (found.state, found.effective_from, found.effective_to) == ("approved", JANUARY, None)
    assert (found.envelope.subject_id, found.envelope.subject_version) == ("C-100/FG-1", 1)
    assert found.envelope.event_type == "lotgate.quality.customer_spec"


def test_an_edit_that_says_its_date_is_one_fact_that_holds_from_then_on(crm: Crm) -> None:
    (found,) = crm.save(
        crm.limit(1, "u", upper_limit="0.15"),
        crm.spec(1, "u", revision="B", effective_from="2026-07-01 00:00:00+00"),
    )
    assert (found.revision, found.effective_from, found.envelope.subject_version) == ("B", JULY, 2)
    history = specs(crm.translation.said)
    before, after = JULY - timedelta(seconds=1), JULY
    assert judge(history, measured("0.18", before)).fit == Fit.WITHIN
    assert judge(history, measured("0.18", before)).version == 1
    assert judge(history, measured("0.18", after)).fit == Fit.ABOVE
    assert judge(history, measured("0.18", after)).event_id == found.envelope.event_id


def test_an_edit_without_a_date_takes_effect_at_its_commit(crm: Crm) -> None:
    (found,) = crm.save(crm.limit(1, "u", upper_limit="0.15"))
    assert found.effective_from == crm.now
    history = specs(crm.translation.said)
    assert judge(history, measured("0.18", crm.now - timedelta(seconds=1))).fit == Fit.WITHIN
    assert judge(history, measured("0.18", crm.now)).fit == Fit.ABOVE


def test_a_change_that_changes_nothing_and_a_replay_say_nothing(crm: Crm) -> None:
    crm.save(crm.limit(1, "u", upper_limit="0.15"))
    assert crm.save(crm.limit(1, "u", upper_limit="0.150")) == []
    assert crm.translation.feed(*crm.database.log) == []


def test_a_later_snapshot_does_not_reach_back(crm: Crm) -> None:
    change = crm.limit(1, "u", upper_limit="0.10")
    (found,) = crm.save(replace(change, op="r"), snapshot=True)
    assert found.effective_from == crm.now


def test_deleting_a_limit_or_a_record_ends_it_from_then_on(crm: Crm) -> None:
    (found,) = crm.save(crm.limit(2, "d"))
    assert [each.characteristic for each in found.limits] == ["moisture"]
    (found,) = crm.save(crm.spec(1, "d"))
    assert (found.state, found.effective_from) == (SpecState.WITHDRAWN, crm.now)
    history = specs(crm.translation.said)
    assert judge(history, measured("0.1", crm.now)).fit == Fit.NO_SPECIFICATION
    assert judge(history, measured("0.1", JANUARY)).fit == Fit.WITHIN


@pytest.mark.parametrize(
    ("table", "cells", "code"),
    [
        (SPEC, {"state": "maybe"}, "unknown_state"),
        (SPEC, {"customer_code": " "}, "spec_without_subject"),
        (SPEC, {"effective_from": None}, "no_effectivity"),
        (SPEC, {"effective_from": "soon"}, "bad_time"),
        (LIMIT, {"characteristic": None}, "limit_without_characteristic"),
        (LIMIT, {"lower_limit": "2"}, "limits_crossed"),
        (LIMIT, {"characteristic": "ash"}, "limit_twice"),
        (LIMIT, {"upper_limit": "NaN"}, "bad_quantity"),
        (LIMIT, {"spec_id": 99}, "reference_unknown"),
    ],
)
def test_a_bad_row_costs_its_specification_and_is_named(
    crm: Crm, table: str, cells: dict[str, Any], code: str
) -> None:
    change = crm.spec(1, "u", **cells) if table == SPEC else crm.limit(1, "u", **cells)
    said = crm.save(change, crm.spec(2, product_code="FG-2"))
    assert code in [item.code for item in said if isinstance(item, Rejected)]
    assert "2" in [spec.spec_id for spec in specs(said)]


def test_units_and_characteristics_that_do_not_fit_are_said(crm: Crm) -> None:
    history = specs(crm.translation.said)
    assert judge(history, measured("1", JULY, "colour")).fit == Fit.NO_LIMIT
    other = replace(measured("0.1", JULY), unit="ppm")
    assert judge(history, other).fit == Fit.OTHER_UNIT
    assert judge(history, measured("0.01", JULY)).fit == Fit.BELOW
    assert judge(history, measured("0.1", JANUARY - timedelta(1))).fit == Fit.NO_SPECIFICATION


def test_of_several_records_the_one_that_took_effect_last_is_in_force() -> None:
    old = _version("1", 1, 0, upper=20, ends=100)
    closed = _version("1", 2, 50, upper=20, ends=100)
    new = _version("2", 1, 100, upper=15)
    history = [new, closed, old]
    assert in_force(history, _at(40)) == old
    assert in_force(history, _at(99)) == closed
    assert in_force(history, _at(100)) == new
    draft = replace(_version("2", 2, 100, upper=9), state=SpecState.DRAFT)
    assert in_force([*history, draft], _at(100)) == new


@pytest.mark.urs("X7")
def test_acceptance_cases_pass_and_a_wrong_expectation_is_told() -> None:
    files = sorted(GOLDEN.glob("customer-spec-*.json"))
    assert [result.differences for result in verify(files)] == [(), ()]
    case = json.loads(files[0].read_text(encoding="utf-8"))
    case["expected"]["after"]["fit"] = "within"
    assert verify_text(json.dumps(case), "case").differences == (
        'after.fit: expected "within", got "above"',
    )
    case["inputs"].append({"type": "weather"})
    assert "weather" in verify_text(json.dumps(case), "case").differences[0]


def _at(day: int) -> datetime:
    return JANUARY + timedelta(days=day)


def _version(
    record: str, version: int, day: int, *, upper: int, ends: int | None = None
) -> CustomerSpec:
    envelope = replace(UNSTAMPED, event_id=f"{record}/{version}", subject_version=version)
    limits = (CharacteristicLimit("moisture", None, Decimal(upper)),)
    end = None if ends is None else _at(ends)
    return CustomerSpec(envelope, record, "C", "I", "", SpecState.APPROVED, _at(day), end, limits)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 50)), min_size=1, max_size=8),
    st.integers(0, 40),
    st.randoms(use_true_random=False),
)
def test_what_was_measured_before_an_edit_takes_effect_is_judged_as_before_it(
    edits: list[tuple[int, int]], day: int, chance: Any
) -> None:
    """The law of effectivity: an edit that holds from later on changes no earlier judgement."""
    versions = [
        _version("1", number, start, upper=upper) for number, (start, upper) in enumerate(edits, 1)
    ]
    at = _at(day)
    shuffled = [*versions, *versions]
    chance.shuffle(shuffled)
    found = in_force(shuffled, at)
    assert found == in_force([each for each in versions if each.effective_from <= at], at)
    covering = [each for each in versions if each.effective_from <= at]
    assert found == (covering[-1] if covering else None)
