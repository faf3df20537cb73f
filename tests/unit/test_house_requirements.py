"""Acceptance tests cite what they prove, and nothing that the product says it lacks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.evidence_files import requirements
from tests.evidence_matrix import states
from tests.evidence_report import REQUIREMENTS

TESTS = Path(__file__).parents[1]
SUITES = ("live", "laws", "flow", "golden")
GROUND: dict[str, str] = {
    "live/test_stack.py": "the ground on which others prove something: parts start and answer",
    "live/test_plant.py": "the ground on which others prove something: the ERP holds the scenario",
}
"""Acceptance tests that prove no requirement of the product, each with the reason."""


def name_of(file: Path) -> str:
    return file.relative_to(TESTS).as_posix()


def acceptance() -> list[Path]:
    return sorted(file for suite in SUITES for file in (TESTS / suite).rglob("test_*.py"))


def marks_by_test(file: Path) -> Iterator[tuple[str, set[str]]]:
    """Every test of a file with the requirements that it cites, its module's included."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    module: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            module = cited(node.value)
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith("test_"):
            yield node.name, module.union(*map(cited, node.decorator_list))


def cited(node: ast.AST) -> set[str]:
    """The ids in a mark, or in a list of marks."""
    return {
        word.value
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.urs"
        for word in call.args
        if isinstance(word, ast.Constant) and isinstance(word.value, str)
    }


@pytest.mark.parametrize("file", acceptance(), ids=name_of)
def test_an_acceptance_test_cites_a_requirement(file: Path) -> None:
    silent = [test for test, marks in marks_by_test(file) if not marks]
    if name_of(file) in GROUND:
        assert silent, "this file needs no exception"
    else:
        assert silent == [], "say what they prove: @pytest.mark.urs(...)"


def test_exceptions_are_files_that_exist() -> None:
    assert set(GROUND) <= {name_of(file) for file in acceptance()}


@pytest.mark.parametrize("file", sorted(TESTS.rglob("test_*.py")), ids=name_of)
def test_nothing_is_proved_that_the_readme_calls_not_yet(file: Path) -> None:
    product = states()
    wrong = {
        f"{test}: {name}"
        for test, marks in marks_by_test(file)
        for name in marks
        if product.get(name, "").startswith("not yet")
    }
    assert wrong == set()


def test_the_readme_tells_the_state_of_every_capability() -> None:
    known = {name for name in requirements(REQUIREMENTS) if name.startswith("M")}
    assert set(states()) == known
    assert {state.split(":")[0] for state in states().values()} <= {"works", "partly", "not yet"}
