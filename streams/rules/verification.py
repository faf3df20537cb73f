"""Run acceptance cases through the shipped rules and say what differs.

A case that cannot be run counts as failed and says why: a silent skip would look like a pass.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from streams.rules.cases import customer_spec, hold
from streams.rules.cases.case import Case, Unsupported, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

RUNNERS: Mapping[str, Callable[[Case], list[str]]] = {
    "hold": hold.run,
    "customer_spec": customer_spec.run,
}
"""The rule groups that have a runner."""


class Document(Protocol):
    """A text that can be read, as a file's path is one. Rules know no disk."""

    def read_text(self, _encoding: str, /) -> str:
        """Give the text.

        Raises:
            OSError: It cannot be read.
            UnicodeDecodeError: It is not in this encoding.
        """
        ...


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How a case ended.

    Attributes:
        source: The file.
        case_id: The case's own id, empty if it could not be read.
        group: Its rule group, empty if it could not be read.
        differences: What differs, or why it could not be run. Empty means passed.
    """

    source: str
    case_id: str = ""
    group: str = ""
    differences: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the rules gave exactly what the case expects."""
        return not self.differences


def verify(paths: Iterable[Document]) -> list[CaseResult]:
    """Run case files through the shipped rules.

    Args:
        paths: Files in the format of `streams.rules.cases.case`.

    Returns:
        One result per file, in the order given.
    """
    return [_verified(path) for path in paths]


def verify_text(text: str, source: str) -> CaseResult:
    """Run one case.

    Args:
        text: The case as JSON.
        source: What to call it in the result.
    """
    try:
        case = parsed(text)
    except Unsupported as error:
        return CaseResult(source, differences=(str(error),))
    runner = RUNNERS.get(case.group)
    if runner is None:
        reason = f"there are no shipped rules for the group {case.group!r} yet"
        return CaseResult(source, case.id, case.group, (reason,))
    try:
        found = runner(case)
    except Unsupported as error:
        found = [str(error)]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found = [f"the case is malformed: {error!r}"]
    return CaseResult(source, case.id, case.group, tuple(found))


def rendered(results: Iterable[CaseResult], *, as_json: bool = False) -> str:
    """Write results for people or for programs.

    Args:
        results: The results.
        as_json: One JSON object per line and nothing else.

    Returns:
        For people: a line per case, its differences indented, and last `N passed, N failed`.
    """
    results = list(results)
    if as_json:
        return "\n".join(_as_json(result) for result in results)
    lines: list[str] = []
    for result in results:
        lines.append(
            f"{'passed' if result.passed else 'FAILED'}  {result.case_id or result.source}"
        )
        lines.extend(f"        {difference}" for difference in result.differences)
    passed = sum(result.passed for result in results)
    lines.append(f"{passed} passed, {len(results) - passed} failed")
    return "\n".join(lines)


def _verified(path: Document) -> CaseResult:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return CaseResult(str(path), differences=(f"the file cannot be read: {error}",))
    return verify_text(text, str(path))


def _as_json(result: CaseResult) -> str:
    return json.dumps(
        {
            "case": result.case_id,
            "differences": list(result.differences),
            "passed": result.passed,
            "rule_group": result.group,
            "source": result.source,
        }
    )
