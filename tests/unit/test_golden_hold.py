"""Acceptance cases of the hold through the shipped rules, and the runner's own strictness."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streams.rules.verification import rendered, verify, verify_text

FOLDER = Path(__file__).parents[1] / "golden"
DUE = (
    "hold-close-before-open-duplicated",
    "hold-late-genealogy-edge",
    "hold-read-back-disagrees",
    "hold-release-restores-prior",
    "hold-rework-loop",
    "hold-two-causes-one-closed",
)
NOT_DUE = {"hold-clear-one-lot": "clearances are not among the shipped rules yet"}
"""Cases whose rules come later: they must fail, and for this reason."""


def case(**changes: Any) -> str:
    text = (FOLDER / "hold-two-causes-one-closed.json").read_text(encoding="utf-8")
    return json.dumps({**json.loads(text), **changes})


def reasons(text: str) -> tuple[str, ...]:
    return verify_text(text, "case").differences


@pytest.mark.urs("M4.1", "X1", "X7")
@pytest.mark.parametrize("name", DUE)
def test_a_due_case_passes(name: str) -> None:
    [result] = verify([FOLDER / f"{name}.json"])
    assert result.differences == ()
    assert (result.case_id, result.group) == (name, "hold")


@pytest.mark.parametrize("name", NOT_DUE)
def test_a_case_that_is_not_due_fails_and_says_why(name: str) -> None:
    [result] = verify([FOLDER / f"{name}.json"])
    assert result.differences == (NOT_DUE[name],)


def test_every_hold_case_is_listed() -> None:
    assert {path.stem for path in FOLDER.glob("hold-*.json")} == {*DUE, *NOT_DUE}


def test_the_last_line_counts() -> None:
    text = rendered(verify(sorted(FOLDER.glob("hold-*.json"))))
    assert text.splitlines()[-1] == f"{len(DUE)} passed, {len(NOT_DUE)} failed"
    assert "FAILED  hold-clear-one-lot" in text


def test_json_is_one_object_per_case() -> None:
    lines = rendered(verify([FOLDER / f"{DUE[0]}.json"]), as_json=True).splitlines()
    [result] = [json.loads(line) for line in lines]
    assert result["case"] == DUE[0]
    assert result["passed"] is True


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rule_group": "astrology"}, "no shipped rules for the group 'astrology'"),
        ({"surprise": 1}, "the case has the unknown key surprise"),
        ({"given": {"moon": "full"}}, "given has the unknown key moon"),
        ({"expected": {"mood": 1}}, "expected has the unknown key mood"),
        ({"expected": {"lots": {"L1": {"mood": 1}}}}, "expected.lots.L1 has the unknown key mood"),
        ({"orders": "whatever comes"}, "a sentence that this runner cannot follow"),
        ({"orders": [[0, 7]]}, "orders must be lists of indexes into inputs"),
        ({"inputs": [{"type": "comet"}]}, "inputs of type 'comet' are not known"),
        ({"inputs": [{"type": "nonconformity", "nc_id": "N"}]}, "lacks"),
        ({"inputs": [{"type": "lot", "lot": "L", "version": 1, "at": "noon"}]}, "is not a time"),
        (
            {"inputs": [{"type": "lot", "lot": "L", "version": 1, "at": "2026-03-02T08:00:00"}]},
            "does not say its offset from UTC",
        ),
        (
            {"inputs": [{"type": "nonconformity", "nc_id": "N", "op": "shout"}]},
            "a nonconformity cannot 'shout'",
        ),
        ({"inputs": [], "orders": "all permutations", "title": None, "id": 1}, "lots.L1"),
        ({"inputs": {"a": 1}}, "inputs is not a list"),
        ({"inputs": [3]}, "an item of inputs is not an object"),
        ({"expected": {"lots": 3}}, "the case is malformed"),
    ],
)
def test_what_cannot_be_checked_fails_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    found = reasons(case(**changes))
    assert reason in found[0]


def test_a_file_that_is_no_case_fails(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    results = verify([broken, tmp_path / "absent.json"])
    assert "the file is not JSON" in results[0].differences[0]
    assert "the file cannot be read" in results[1].differences[0]
    assert rendered(results).endswith("0 passed, 2 failed")


@pytest.mark.parametrize(
    ("expected", "difference"),
    [
        (
            {"lots": {"L1": {"disposition": "UnRestricted"}}},
            'lots.L1.disposition: expected "UnRestricted", got "Restricted"',
        ),
        ({"release_commands": 1}, "release_commands: expected 1, got 0"),
        ({"hold_commands": 2}, "hold_commands: expected 2, got 1"),
        ({"applied_version": {"NC1": 1}}, "applied_version.NC1: expected 1, got 2"),
        ({"lots": {"L9": {"open_causes": []}}}, "lots.L9.open_causes: expected [], got null"),
    ],
)
def test_a_wrong_expectation_is_reported_with_both_sides(
    expected: dict[str, Any], difference: str
) -> None:
    assert reasons(case(expected=expected)) == (difference,)


def test_every_order_of_a_case_is_run() -> None:
    right = {"lots": {"L1": {"open_causes": ["NC2"]}}}
    assert reasons(case(orders="all permutations", expected=right)) == ()
    [only] = reasons(case(orders="all permutations", expected={"release_commands": 0}))
    assert only == "release_commands: expected 0, got 1 (order [0, 2, 1])"


def test_an_unknown_lot_is_held_on_arrival() -> None:
    nonconformity = json.loads(case())["inputs"][0]
    arrival = {"type": "lot", "lot": "L1", "version": 1, "at": "2026-03-02T12:00:00Z"}
    text = case(
        given={"lots": {"L1": {"known": False}}},
        inputs=[nonconformity],
        expected={
            "hold_commands": 0,
            "then": {"event": arrival, "hold_commands": 1},
        },
    )
    assert reasons(text) == ()


def test_a_failed_inspection_is_a_cause_of_its_own_type() -> None:
    inspection = {
        "type": "inspection_result",
        "inspection_id": "I1",
        "version": 1,
        "verdict": "rejected",
        "lots": ["L1"],
        "at": "2026-03-02T08:00:00Z",
    }
    expected = {"lots": {"L1": {"open_causes": ["inspection:case:I1"]}}}
    assert reasons(case(inputs=[inspection], expected=expected)) == ()


def test_too_many_inputs_for_all_orders_are_refused() -> None:
    inputs = json.loads(case())["inputs"] * 3
    [reason] = reasons(case(inputs=inputs, orders="all permutations"))
    assert reason == "all orders of 9 inputs are too many: at most 6 inputs"
