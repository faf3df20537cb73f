"""Every exit code of a worker has a meaning and a page that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.engine import MEANING, ExitCode
from streams.engine.watch.supervisor import WATCHDOG
from streams.operator.exit_codes import all_codes

pytestmark = pytest.mark.urs("M4.4")

RUNBOOKS = Path(__file__).parents[2] / "deploy" / "runbooks" / "README.md"


@pytest.mark.parametrize("code", ExitCode)
def test_an_exit_code_is_explained(code: ExitCode) -> None:
    assert MEANING[code]
    assert all_codes()[int(code)] == MEANING[code]
    headings = [line for line in RUNBOOKS.read_text().splitlines() if line.startswith("## ")]
    (heading,) = [line for line in headings if f"exit code {int(code)}:" in line]
    assert heading


def test_the_supervisor_ends_with_the_watchdogs_code() -> None:
    assert WATCHDOG == ExitCode.WATCHDOG
