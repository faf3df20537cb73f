"""The files of the validation evidence: read back, merged, written, hashed."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tests.evidence_environment import environment
from tests.evidence_matrix import as_markdown, matrix_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.evidence_matrix import Results


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
    surroundings = environment(state, known | parts)
    _write(folder / "matrix.json", _json(matrix))
    _write(folder / "matrix.md", as_markdown(matrix, surroundings))
    _write(folder / "environment.json", _json(surroundings))
    _write(folder / "manifest.sha256", manifest(folder))


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
