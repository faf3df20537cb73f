"""The files of the validation evidence: read back, merged, written, hashed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tests.evidence_environment import environment

if TYPE_CHECKING:
    from pathlib import Path

Results = dict[str, dict[str, Any]]
"""Test id to its result, as `tests.evidence_report.Result` has it."""


def requirements(file: Path) -> dict[str, str]:
    """Return every requirement's id and title."""
    found = json.loads(file.read_text("utf-8"))
    return {str(name): str(title) for name, title in found.items()}


def earlier(folder: Path, state: dict[str, str]) -> Results:
    """Return results of earlier runs on the same state of the sources; else none."""
    try:
        matrix = json.loads((folder / "matrix.json").read_text("utf-8"))
        return dict(matrix["tests"]) if matrix["sources"] == state else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def prune(folder: Path, results: Results, began: float) -> None:
    """Remove artefacts of results that no longer count.

    Args:
        folder: The evidence folder.
        results: The results that count.
        began: When this run began, in seconds since 1970; what is younger is left alone, because a
            run beside this one may not have written its results yet.
    """
    named = {folder / a["path"] for result in results.values() for a in result["artefacts"]}
    for place in (folder / "artefacts").rglob("*"):
        if place.is_file() and place not in named and place.stat().st_mtime < began:
            place.unlink()


def write_all(
    folder: Path,
    titles: dict[str, str],
    results: Results,
    state: dict[str, str],
    parts: dict[str, str],
) -> None:
    """Write matrix, environment and manifest.

    Args:
        folder: Where.
        titles: Requirements by id.
        results: Results of all runs that count.
        state: State of the sources.
        parts: Versions of the real parts that this run used; those of earlier runs are kept.
    """
    known = _earlier_parts(folder, state)
    matrix = matrix_of(titles, results, state)
    _write(folder / "matrix.json", _json(matrix))
    _write(folder / "matrix.md", as_markdown(matrix))
    _write(folder / "environment.json", _json(environment(state, known | parts)))
    _write(folder / "manifest.sha256", manifest(folder))


def matrix_of(titles: dict[str, str], results: Results, state: dict[str, str]) -> dict[str, Any]:
    """Put requirements and results together."""
    rows = []
    for name, title in titles.items():
        tests = {test: r for test, r in sorted(results.items()) if name in r["requirements"]}
        rows.append({"id": name, "title": title, "status": _status(tests), "tests": sorted(tests)})
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


def as_markdown(matrix: dict[str, Any]) -> str:
    """Lay the matrix out for people."""
    sources = matrix["sources"]
    changed = (
        f", with changes {sources['changes_sha256'][:12]}" if sources["changes_sha256"] else ""
    )
    lines = [
        "# Requirements, tests, results",
        "",
        f"Written {matrix['written_at']}, sources at commit {sources['commit']}{changed}.",
        "",
        "| Requirement | Status | Test | Result | Seconds | Artefacts (SHA-256) |",
        "|---|---|---|---|---|---|",
    ]
    for row in matrix["requirements"]:
        head = f"| {row['id']} {row['title']} | {row['status']} "
        for test in row["tests"]:
            result = matrix["tests"][test]
            kept = "<br>".join(f"{a['name']} `{a['sha256'][:16]}`" for a in result["artefacts"])
            lines.append(f"{head}| `{test}` | {result['result']} | {result['seconds']} | {kept} |")
            head = "| | "
    lines += ["", f"Without a test: {', '.join(matrix['without_test']) or 'none'}.", ""]
    return "\n".join(lines)


def manifest(folder: Path) -> str:
    """Return the hashes of all files, in the form of `sha256sum`."""
    kept = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "manifest.sha256")
    return "".join(f"{sha256(p.read_bytes()).hexdigest()}  {p.relative_to(folder)}\n" for p in kept)


def _earlier_parts(folder: Path, state: dict[str, str]) -> dict[str, str]:
    try:
        before = json.loads((folder / "environment.json").read_text("utf-8"))
        return dict(before["real_parts"]) if before["sources"] == state else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _write(place: Path, content: str) -> None:
    """Write a file whole or not at all."""
    draft = place.with_name(f"{place.name}.draft")
    draft.write_text(content, "utf-8")
    draft.replace(place)
