"""Validation evidence from a test run: which requirement was proved by which test, on what.

A test cites requirements with `@pytest.mark.urs("M4.1", ...)`; the ids and titles stand in
`tests/requirements.json`, and an unknown id fails the collection. Every run writes to
`build/evidence/` (option `--evidence-dir`):

* `matrix.json`, `matrix.md`: requirement, test, result, duration, artefacts with their hashes;
* `environment.json`: Python, platform, packages, commit, versions of the real parts that ran;
* `artefacts/`: what tests attached with the fixture `artefact`;
* `manifest.sha256`: hashes of all of these, for `sha256sum --check`.

Several runs on the same state of the sources add up: each replaces the results of the tests it ran
and keeps the others. A run on another state begins anew. Neither random order nor a part of the
suite makes a difference.
"""

from __future__ import annotations

import dataclasses
import fcntl
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import pytest

from tests import evidence_files as files
from tests.evidence_environment import PROBES, tree_state

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

REQUIREMENTS: Final = Path(__file__).with_name("requirements.json")
_SAFE = re.compile(r"[^A-Za-z0-9._-]+")


class Artefact(Protocol):
    """Attaches something to the evidence of the running test."""

    def __call__(self, name: str, content: bytes | str) -> Path:
        """Keep a file.

        Args:
            name: File name, unique in the test.
            content: What is kept; text as UTF-8.

        Returns:
            Where it lies.
        """
        ...


@dataclass(slots=True)
class Result:
    """How a test ended."""

    requirements: list[str]
    result: str = "not run"
    seconds: float = 0.0
    artefacts: list[dict[str, str]] = field(default_factory=list)


class EvidenceReport:
    """Collects the results of one run and writes them at its end."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        self.root = root
        self.titles = files.requirements(REQUIREMENTS)
        self.results: dict[str, Result] = {}
        self.parts: dict[str, str] = {}
        self.began = time.time()

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self,
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Refuse marks that name no requirement, as an error of the file that holds them."""
        report = yield
        wrong = sorted(
            f"{item.nodeid}: {name!r}"
            for item in report.result or ()
            if isinstance(item, pytest.Item)
            for name in cited(item)
            if name not in self.titles
        )
        if wrong:
            told = "\n  ".join(wrong)
            report.outcome = "failed"
            report.longrepr = f"urs marks name no requirement of {REQUIREMENTS}:\n  {told}"
            report.result = []
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note how each phase of a marked test ended."""
        report = yield
        if cited(item):
            self._note(item, report)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """Ask a real part for its version as soon as it runs."""
        value = yield
        probe = PROBES.get(fixturedef.argname)
        # A test's own stand-in may have the same name; real parts live as long as the session.
        if probe is not None and fixturedef.scope == "session":
            self.parts[fixturedef.argname] = probe(value)
        return value

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the evidence, if any marked test ran."""
        if self.results and not session.config.option.collectonly:
            self.write()

    def attach(self, item: pytest.Item, name: str, content: bytes | str) -> Path:
        """Keep an artefact of a test."""
        data = content.encode() if isinstance(content, str) else content
        place = self.folder / "artefacts" / _SAFE.sub("_", item.nodeid) / _SAFE.sub("_", name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        entry = {
            "name": name,
            "path": str(place.relative_to(self.folder)),
            "sha256": sha256(data).hexdigest(),
        }
        result = self._result(item)
        result.artefacts = [a for a in result.artefacts if a["name"] != name] + [entry]
        return place

    def write(self) -> None:
        """Merge this run's results into the folder and write every file anew."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder):
            state = tree_state(self.root)
            kept = files.earlier(self.folder, state)
            kept.update({name: dataclasses.asdict(r) for name, r in self.results.items()})
            files.prune(self.folder, kept, self.began)
            files.write_all(self.folder, self.titles, kept, state, self.parts)

    def _result(self, item: pytest.Item) -> Result:
        return self.results.setdefault(item.nodeid, Result(cited(item)))

    def _note(self, item: pytest.Item, report: pytest.TestReport) -> None:
        result = self._result(item)
        result.seconds = round(result.seconds + report.duration, 3)
        if report.failed:
            result.result = "failed" if report.when == "call" else "error"
        elif report.skipped:
            result.result = "xfailed" if hasattr(report, "wasxfail") else "skipped"
        elif report.when == "call":
            result.result = "passed"


def cited(item: pytest.Item) -> list[str]:
    """Return the requirements that a test cites, each once, in order."""
    names = [str(name) for mark in item.iter_markers("urs") for name in mark.args]
    return list(dict.fromkeys(names))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one run at a time write into a folder."""
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the folder be chosen."""
    parser.addoption(
        "--evidence-dir", default="build/evidence", help="where validation evidence is written"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin to collect."""
    config.addinivalue_line("markers", "urs(*ids): the user requirements that a test proves")
    folder = config.rootpath / str(config.getoption("--evidence-dir"))
    config.pluginmanager.register(EvidenceReport(folder, config.rootpath), "evidence-report")


@pytest.fixture
def artefact(request: pytest.FixtureRequest) -> Artefact:
    """Attach files to the evidence of this test: topic dumps, SQL results, logs."""
    report = request.config.pluginmanager.get_plugin("evidence-report")
    assert isinstance(report, EvidenceReport)

    def attach(name: str, content: bytes | str) -> Path:
        return report.attach(request.node, name, content)

    return attach
