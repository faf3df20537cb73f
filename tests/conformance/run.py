"""A whole run: play, judge, and say what differs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.conformance import consistency
from tests.conformance.judge import Judge, Verdict
from tests.conformance.oracle import DEFAULT
from tests.conformance.stage import Parts, play

if TYPE_CHECKING:
    from tests.conformance.oracle import Form, Oracle


@dataclass
class Report:
    """What a run found.

    Attributes:
        compared: Cases and schemas that the oracle has a word on.
        rows: Rows of the server that the records of the default form were compared with.
        alone: Cases without an expectation, checked by themselves.
    """

    compared: list[Verdict] = field(default_factory=list)
    alone: list[Verdict] = field(default_factory=list)
    rows: int = 0

    @property
    def failed(self) -> list[Verdict]:
        return [each for each in (*self.compared, *self.alone) if each.problems]

    def lines(self) -> list[str]:
        """The report for people; the last line counts."""
        lines = []
        for verdict in self.failed:
            lines.append(f"case {verdict.name} ({verdict.form}):")
            lines += [f"  {problem}" for problem in verdict.problems]
        good = sum(not each.problems for each in self.alone)
        lines.append(
            f"without an expectation: {good} of {len(self.alone)} consistent in themselves"
        )
        if self.rows:
            lines.append(f"default form: compared with {self.rows} rows as the server selects them")
        passed = sum(not each.problems for each in self.compared)
        lines.append(f"{passed} passed, {len(self.failed)} failed")
        return lines


def run(parts: Parts, oracle: Oracle, forms: tuple[Form, ...] = (), **settings: Any) -> Report:
    """Run a directory and judge what came of it.

    Args:
        parts: Where the real parts are.
        oracle: The directory.
        forms: Which of its forms; all where empty.
        settings: Settings of the source beyond the oracle's.
    """
    forms = forms or (*oracle.forms, DEFAULT)
    found = play(parts, oracle, forms, **settings)
    report = Report(rows=found.rows)
    for form in forms:
        judge = Judge(oracle, form, found.servers[form.name], found.clocks)
        events = found.events[form.name]
        for case in oracle.cases:
            of_case = events.get(case.name, [])
            by_itself = consistency.problems(of_case)
            if case.name in found.refused:
                by_itself.append(found.refused[case.name])
            if case.expected is None or form.name not in case.expected:
                report.alone.append(Verdict(case.name, form.name, by_itself))
                continue
            verdict = judge.case(case, of_case)
            verdict.problems += by_itself
            report.compared.append(verdict)
        report.compared += judge.schemas.values()
    if DEFAULT in forms:
        report.alone.append(Verdict("rows as selected", DEFAULT.name, found.selected))
    if found.alone:
        report.alone.append(Verdict("records of no case", "", found.alone))
    return report
