"""The names that authors of rules use: documented by examples that run, and checked by types."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import streams.engine as surface
from streams.engine import Lotgate, Store, Timer, Topic, Verdict
from streams.engine.testing import Driver

ROOT = Path(__file__).parents[2]
DOCUMENTED = (Lotgate, Lotgate.stage, Store, Timer, Topic, Verdict, Driver, surface)


def name_of(documented: Any) -> str:
    return str(getattr(documented, "__name__", documented))


@pytest.mark.parametrize("documented", DOCUMENTED, ids=name_of)
def test_each_name_of_the_small_surface_has_an_example_that_runs(documented: Any) -> None:
    module = documented if documented is surface else sys.modules[documented.__module__]
    finder = doctest.DocTestFinder(recurse=False)
    (found,) = finder.find(documented, module=module, globs=dict(vars(module)))
    assert found.examples, "an example that cannot run is no example"
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found, out=said.append)
    assert result.failed == 0, "".join(said)


def test_the_docstring_tells_who_needs_each_public_name() -> None:
    told = surface.__doc__ or ""
    silent = [name for name in surface.__all__ if f"`{name}" not in told]
    assert silent == []


USER_JOB = """
from dataclasses import dataclass
from typing import Any

from streams.engine import Lotgate, Store, Timer, Topic, Verdict, View
from streams.engine.testing import Driver


@dataclass(frozen=True)
class Check:
    lot: str


@dataclass(frozen=True)
class LotState:
    n: int


@dataclass(frozen=True)
class Other:
    n: int


SCHEMA: dict[str, Any] = {}
CHECKS = Topic("checks", Check, SCHEMA, lambda event: event.lot)
LOTS = Store("lots", LotState, SCHEMA)
app = Lotgate("user-job")
"""
GOOD = """
def late(state: LotState | None, timer: Timer, now_us: int) -> Verdict[LotState]:
    return Verdict(state)


def late_in_view(view: View[LotState], timer: Timer, now_us: int) -> tuple[object, ...]:
    return ()


@app.stage(CHECKS, store=LOTS, due=late)
def by_key(state: LotState | None, event: Check) -> Verdict[LotState]:
    return Verdict(LotState((state.n if state else 0) + 1), (event,), (Timer("late", 1),))


@app.stage(CHECKS, store=LOTS, scope="partition", due=late_in_view)
def by_partition(view: View[LotState], event: Check) -> tuple[object, ...]:
    view.put(event.lot, LotState(1))
    return (event,)


@app.stage(CHECKS)
def stateless(state: None, event: Check) -> Verdict[None]:
    return Verdict(None, (event,))


with Driver(app) as driver:
    state: LotState | None = driver.state("L1", LOTS)
    checks: list[Check] = driver.emitted(CHECKS)
"""
WRONG = {
    "state": """
@app.stage(CHECKS, store=LOTS)
def rule(state: Other | None, event: Check) -> Verdict[Other]:
    return Verdict(state)
""",
    "state that is never absent": """
@app.stage(CHECKS, store=LOTS)
def rule(state: LotState, event: Check) -> Verdict[LotState]:
    return Verdict(state)
""",
    "new state": """
@app.stage(CHECKS, store=LOTS)
def rule(state: LotState | None, event: Check) -> Verdict[Other]:
    return Verdict(Other(1))
""",
    "event": """
@app.stage(CHECKS, store=LOTS)
def rule(state: LotState | None, event: Other) -> Verdict[LotState]:
    return Verdict(state)
""",
    "scope": """
@app.stage(CHECKS, store=LOTS, scope="partition")
def rule(state: LotState | None, event: Check) -> Verdict[LotState]:
    return Verdict(state)
""",
    "state of due": """
def late(state: Other | None, timer: Timer, now_us: int) -> Verdict[Other]:
    return Verdict(state)


@app.stage(CHECKS, store=LOTS, due=late)
def rule(state: LotState | None, event: Check) -> Verdict[LotState]:
    return Verdict(state)
""",
    "timers without a store": """
def late(state: None, timer: Timer, now_us: int) -> Verdict[None]:
    return Verdict(state)


@app.stage(CHECKS, due=late)
def rule(state: None, event: Check) -> Verdict[None]:
    return Verdict(state)
""",
}


def test_types_accept_a_right_job_and_refuse_each_wrong_one(tmp_path: Path) -> None:
    """One run of the type checker over all of them: the faults are told apart by file."""
    (tmp_path / "right.py").write_text(USER_JOB + GOOD, encoding="utf-8")
    for number, wrong in enumerate(WRONG.values()):
        (tmp_path / f"wrong_{number}.py").write_text(USER_JOB + wrong, encoding="utf-8")
    answer = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *map(str, sorted(tmp_path.glob("*.py")))],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=250,
    )  # fmt: skip
    told = answer.stdout + answer.stderr
    faults = [line for line in answer.stdout.splitlines() if ": error:" in line]
    assert not [line for line in faults if "right.py" in line], told
    for number, name in enumerate(WRONG):
        own = [line for line in faults if f"wrong_{number}.py" in line]
        assert own, f"a wrong {name} was accepted\n{told}"
        assert any("[arg-type]" in line or "[call-overload]" in line for line in own), own
    assert (ROOT / "streams" / "py.typed").is_file()
