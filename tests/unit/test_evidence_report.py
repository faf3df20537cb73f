"""A test run leaves evidence: the matrix, its artefacts, and hashes that can be checked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.evidence_files import requirements
from tests.evidence_report import REQUIREMENTS

ROOT = Path(__file__).parents[2]

PASSES = """
import pytest

@pytest.mark.urs("M4.1", "X1")
def test_held(artefact):
    artefact("dump.txt", "lot R-001 held")

@pytest.mark.urs("M4.4")
@pytest.mark.parametrize("n", [1, 2])
def test_again(n):
    pass

def test_without_mark():
    pass
"""
FAILS = """
import pytest

@pytest.fixture
def broken():
    raise RuntimeError("no part")

@pytest.mark.urs("M4.4")
def test_wrong():
    assert False

@pytest.mark.urs("M6.2")
def test_no_part(broken):
    pass

@pytest.mark.urs("M7.6")
def test_skipped():
    pytest.skip("said aloud")
"""


def run(folder: Path, *words: str, **sources: str) -> subprocess.CompletedProcess[str]:
    for name, text in sources.items():
        (folder / f"{name}.py").write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.evidence_report", "-p", "no:cacheprovider"]
        + [f"--rootdir={folder}", "-q", *words]
        + [str(folder / f"{name}.py") for name in sources],
        cwd=folder,
        env={
            **os.environ,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'deploy' / 'local'}",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def matrix(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "build/evidence/matrix.json").read_text())
    return found


def status(folder: Path) -> dict[str, str]:
    return {row["id"]: row["status"] for row in matrix(folder)["requirements"]}


@pytest.mark.urs("X6")
def test_the_matrix_names_test_result_and_artefact_and_lists_what_has_no_test(
    tmp_path: Path,
) -> None:
    ended = run(tmp_path, test_passes=PASSES)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = matrix(tmp_path)
    result = found["tests"]["test_passes.py::test_held"]
    assert result["result"] == "passed"
    (kept,) = result["artefacts"]
    data = (tmp_path / "build/evidence" / kept["path"]).read_bytes()
    assert data == b"lot R-001 held"
    assert kept["sha256"] == sha256(data).hexdigest()
    assert status(tmp_path)["M4.1"] == "passed"
    assert len(found["tests"]) == 3
    assert "M1.1" in found["without_test"]
    assert "M4.1" not in found["without_test"]
    text = (tmp_path / "build/evidence/matrix.md").read_text()
    assert "test_passes.py::test_held" in text
    assert kept["sha256"] in text
    assert "| M4.1 | " in text
    assert "## M4.4 Processing anything again changes nothing: passed" in text
    assert "| Again [1]<br>`test_passes.py::test_again[1]` | passed |" in text
    assert "- Tests that cite a requirement: 3 passed" in text
    assert "- M1.1 Each flow streams or runs in batches" in text


@pytest.mark.urs("X6")
def test_the_manifest_covers_every_file_and_can_be_checked(tmp_path: Path) -> None:
    run(tmp_path, test_passes=PASSES)
    folder = tmp_path / "build/evidence"
    lines = (folder / "manifest.sha256").read_text().splitlines()
    listed = {line.split("  ", 1)[1]: line.split("  ", 1)[0] for line in lines}
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert set(listed) == files - {"manifest.sha256"}
    assert {"matrix.json", "matrix.md", "environment.json"} <= set(listed)
    for name, digest in listed.items():
        assert sha256((folder / name).read_bytes()).hexdigest() == digest


def test_a_failure_an_error_and_a_skip_are_told_apart(tmp_path: Path) -> None:
    ended = run(tmp_path, test_fails=FAILS)
    assert ended.returncode == 1
    assert status(tmp_path)["M4.4"] == "failed"
    assert status(tmp_path)["M6.2"] == "failed"
    assert status(tmp_path)["M7.6"] == "incomplete"
    tests = matrix(tmp_path)["tests"]
    assert tests["test_fails.py::test_no_part"]["result"] == "error"


def test_runs_on_the_same_sources_add_up_and_a_rerun_replaces(tmp_path: Path) -> None:
    run(tmp_path, test_passes=PASSES)
    run(tmp_path, "-k", "wrong", test_fails=FAILS)
    assert status(tmp_path)["M4.1"] == "passed"
    assert status(tmp_path)["M4.4"] == "failed"
    run(tmp_path, test_fails=FAILS.replace("assert False", "assert True"))
    assert status(tmp_path)["M4.4"] == "passed"


def test_a_run_on_other_sources_begins_anew(tmp_path: Path) -> None:
    commit = ["git", "-c", "user.name=qa", "-c", "user.email=qa@example.com", "commit", "-qam"]
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "tracked").write_text("1")
    subprocess.run(["git", "add", "tracked"], cwd=tmp_path, check=True)
    subprocess.run([*commit, "one"], cwd=tmp_path, check=True)
    run(tmp_path, test_passes=PASSES)
    old = list((tmp_path / "build/evidence/artefacts").rglob("dump.txt"))
    assert len(old) == 1
    os.utime(old[0], (1, 1))
    (tmp_path / "tracked").write_text("2")
    run(tmp_path, test_fails=FAILS)
    assert status(tmp_path)["M4.1"] == "no test"
    assert matrix(tmp_path)["sources"]["changes_sha256"]
    assert not old[0].exists()


def test_a_mark_with_an_unknown_id_fails_the_collection(tmp_path: Path) -> None:
    ended = run(tmp_path, test_typo=PASSES.replace("M4.1", "M4.11"))
    assert ended.returncode == 2
    assert "test_typo.py::test_held: 'M4.11'" in ended.stdout + ended.stderr
    assert not (tmp_path / "build").exists()


def test_collecting_only_writes_nothing(tmp_path: Path) -> None:
    run(tmp_path, "--collect-only", test_passes=PASSES)
    assert not (tmp_path / "build").exists()


def test_the_environment_names_python_packages_and_commit(tmp_path: Path) -> None:
    run(tmp_path, test_passes=PASSES)
    found = json.loads((tmp_path / "build/evidence/environment.json").read_text())
    assert found["python"] == sys.version
    assert "pytest" in found["packages"]
    assert found["sources"]["commit"] == "not a git repository"


def test_there_are_48_capabilities_and_eight_differences_each_with_a_title() -> None:
    titles = requirements(REQUIREMENTS)
    modules = [name for name in titles if name.startswith("M")]
    assert modules == [f"M{m}.{n}" for m in range(1, 9) for n in range(1, 7)]
    assert [name for name in titles if name.startswith("X")] == [f"X{n}" for n in range(1, 9)]
    assert all(title.strip() for title in titles.values())
