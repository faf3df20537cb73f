"""Get the peers: their Python environment, their jars, their compiled program. Done once."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from localstack.host.artifacts import Coordinate, sha256
from localstack.layout import REPOSITORY, exclusive
from localstack.parts.java import java

if TYPE_CHECKING:
    from collections.abc import Callable

HERE: Final = Path(__file__).parent
JARS: Final = HERE / "jars.txt"
REQUIREMENTS: Final = HERE / "requirements.txt"
COMPILER: Final = "org.eclipse.jdt.internal.compiler.batch.Main"


@dataclass(frozen=True)
class Peers:
    """Where the peers are.

    Attributes:
        python: The interpreter that has them.
        java: The Java runtime.
        class_path: The compiled program and its jars.
    """

    python: Path
    java: Path
    class_path: str


def prepared(say: Callable[[str], None]) -> Peers:
    """Fetch and build what is missing; quick when nothing is.

    Raises:
        RuntimeError: Something could not be fetched, or is not what was pinned.
    """
    folder = REPOSITORY / ".lotgate" / "parts" / "bench"
    with exclusive(folder / "lock"):
        python = _environment(folder, say)
        jars = _jars(folder / "jars", say)
        classes = _classes(folder, jars, say)
    class_path = os.pathsep.join(map(str, [classes, *jars]))
    return Peers(python, java(), class_path)


def _environment(folder: Path, say: Callable[[str], None]) -> Path:
    """The peers' own virtual environment, made anew when the list changes."""
    home = folder / f"venv-{_digest(REQUIREMENTS)}"
    python = home / "bin" / "python"
    done = home / "complete"
    if not done.exists():
        say("peers: installing Quix Streams and stock Faust (once)")
        shutil.rmtree(home, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(home)])
        _run([str(python), "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS)])
        done.touch()
    return python


def _jars(folder: Path, say: Callable[[str], None]) -> list[Path]:
    """The pinned jars; each is checked before it gets its name."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for line in JARS.read_text(encoding="utf-8").splitlines():
        digest, name = line.split()
        coordinate = Coordinate.parse(name)
        place = folder / coordinate.filename
        if not place.exists():
            say(f"peers: fetching {coordinate.filename} (once)")
            _fetch(coordinate, digest, place)
        found.append(place)
    return found


def _fetch(coordinate: Coordinate, digest: str, place: Path) -> None:
    # Imported here: the resolver is needed only while something is missing.
    from jgo.maven import MavenContext, PythonResolver

    with tempfile.TemporaryDirectory(dir=place.parent) as staging:
        context = MavenContext(
            resolver=PythonResolver(), repo_cache=Path(staging), local_repos=[], timeout=60
        )
        component = context.project(coordinate.group, coordinate.artifact)
        got: Path = component.at_version(coordinate.version).artifact().resolve()
        if sha256(got) != digest:
            raise RuntimeError(f"{coordinate} as downloaded is not the file that was pinned")
        got.replace(place)


def _classes(folder: Path, jars: list[Path], say: Callable[[str], None]) -> Path:
    """The Kafka Streams program, compiled by the Eclipse compiler: the runtime has none."""
    sources = sorted((HERE / "java").glob("*.java"))
    home = folder / f"classes-{_digest(JARS, *sources)}"
    if home.exists():
        return home
    say("peers: compiling the Kafka Streams program (once)")
    jar_path = os.pathsep.join(map(str, jars))
    staging = folder / "classes-unfinished"
    shutil.rmtree(staging, ignore_errors=True)
    compiler = [str(java()), "-cp", jar_path, COMPILER]
    options = ["-21", "-nowarn", "-proc:none", "-encoding", "UTF-8"]
    _run([*compiler, *options, "-cp", jar_path, "-d", str(staging), *map(str, sources)])
    staging.replace(home)
    return home


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}\n{done.stdout}{done.stderr}")
