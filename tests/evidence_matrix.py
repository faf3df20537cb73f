"""The matrix of requirements, tests and results: put together, and laid out for people."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

Results = dict[str, dict[str, Any]]
"""Test id to its result, as `tests.evidence_report.Result` has it."""

README: Final = Path(__file__).parents[1] / "README.md"
_STATE = re.compile(r"^\| (M\d\.\d) \|[^|]+\| ([^|]+) \|$", re.MULTILINE)

_HOW_TO_READ: Final = """\
**How to read it.** *Tests* says how the tests that cite a requirement ended: `passed`, if all of
them did; `failed`, if one did not; `incomplete`, if one was skipped or did not end; `no test`, if
none that ran cites it. *Product* says how much of the requirement this release fulfils, by its own
README (`-`: not one of its capabilities): passed tests of a requirement that is fulfilled *partly*
prove that part and no more. Below the overview stand the tests themselves, each with its id (file
and name) and with the SHA-256 of what it left in `artefacts/`. `matrix.json` is the same for
programs, `environment.json` names sources, packages and real parts, `manifest.sha256` covers all
files: `sha256sum --check manifest.sha256` finds any change."""


def states(readme: Path = README) -> dict[str, str]:
    """Return what the product says of each of its capabilities: works, partly or not yet."""
    return dict(_STATE.findall(readme.read_text("utf-8")))


def matrix_of(titles: dict[str, str], results: Results, state: dict[str, str]) -> dict[str, Any]:
    """Put requirements and results together."""
    product = states()
    rows = []
    for name, title in titles.items():
        tests = {test: r for test, r in sorted(results.items()) if name in r["requirements"]}
        rows.append({
            "id": name,
            "title": title,
            "product": product.get(name, ""),
            "status": _status(tests),
            "tests": sorted(tests),
        })  # fmt: skip
    return {
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "sources": state,
        "without_test": [row["id"] for row in rows if not row["tests"]],
        "requirements": rows,
        "tests": dict(sorted(results.items())),
    }


def _status(tests: Results) -> str:
    """One failing test fails its requirement; a test that did not run leaves it open."""
    outcomes = {result["result"] for result in tests.values()}
    if not outcomes:
        return "no test"
    if outcomes & {"failed", "error"}:
        return "failed"
    return "passed" if outcomes == {"passed"} else "incomplete"


def as_markdown(matrix: dict[str, Any], environment: dict[str, Any]) -> str:
    """Lay the matrix out for people."""
    blocks = [
        "# Requirements, tests, results",
        _on_what(matrix, environment),
        _HOW_TO_READ,
        _overview(matrix),
        *(_section(row, matrix["tests"]) for row in matrix["requirements"] if row["tests"]),
        f"## Without a test\n\n{_without(matrix)}",
    ]
    return "\n\n".join(blocks) + "\n"


def _on_what(matrix: dict[str, Any], environment: dict[str, Any]) -> str:
    sources = matrix["sources"]
    changed = sources["changes_sha256"]
    parts = ", ".join(environment["real_parts"].values()) or "none was started"
    counted = Counter(result["result"] for result in matrix["tests"].values())
    ended = ", ".join(f"{number} {result}" for result, number in sorted(counted.items()))
    return "\n".join([
        f"- Written: {matrix['written_at']}",
        f"- Sources: commit {sources['commit']}"
        + (f", and changes that are not committed (SHA-256 {changed})" if changed else ""),
        f"- Ran on: Python {environment['python'].split()[0]}, {environment['platform']}",
        f"- Real parts: {parts}",
        f"- Tests that cite a requirement: {ended}",
    ])  # fmt: skip


def _overview(matrix: dict[str, Any]) -> str:
    lines = ["| Id | Requirement | Product | Tests | Number |", "|---|---|---|---|---|"]
    lines += [
        f"| {row['id']} | {row['title']} | {row['product'] or '-'} | {row['status']} "
        f"| {len(row['tests'])} |"
        for row in matrix["requirements"]
    ]
    return "\n".join(lines)


def _section(row: dict[str, Any], results: Results) -> str:
    lines = [f"## {row['id']} {row['title']}: {row['status']}", ""]
    lines += ["| Test | Result | Seconds | Artefacts (SHA-256) |", "|---|---|---|---|"]
    for test in row["tests"]:
        result = results[test]
        kept = "<br>".join(f"{a['name']} `{a['sha256']}`" for a in result["artefacts"])
        # A parameter may hold a bar, which would end the cell.
        told = f"{sentence(test)}<br>`{test}`".replace("|", "\\|")
        lines.append(f"| {told} | {result['result']} | {result['seconds']} | {kept} |")
    return "\n".join(lines)


def _without(matrix: dict[str, Any]) -> str:
    titles = {row["id"]: row["title"] for row in matrix["requirements"]}
    return "\n".join(f"- {name} {titles[name]}" for name in matrix["without_test"]) or "None."


def sentence(test: str) -> str:
    """Return a test's name as the sentence that it is, its parameters in brackets."""
    name, _, parameters = test.rpartition("::")[2].partition("[")
    told = name.removeprefix("test_").replace("_", " ").capitalize()
    return f"{told} [{parameters}" if parameters else told
