"""Get Debezium: its plug-in, Kafka Connect, and the Avro converter, as pinned files. Done once."""

from __future__ import annotations

import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from localstack.host import artifacts
from localstack.host.artifacts import Coordinate, sha256
from localstack.layout import REPOSITORY, exclusive
from localstack.parts.java import java

if TYPE_CHECKING:
    from collections.abc import Callable

FILES: Final = Path(__file__).with_name("files.txt")
PARALLEL: Final = 6


@dataclass(frozen=True)
class Installed:
    """Where Debezium is.

    Attributes:
        java: The Java runtime.
        class_path: Kafka Connect.
        plugins: Folder with the plug-ins, one folder each.
    """

    java: Path
    class_path: str
    plugins: Path


def installed(say: Callable[[str], None]) -> Installed:
    """Fetch what is missing; quick when nothing is.

    Raises:
        RuntimeError: A file is not the one that was pinned.
        DownloadFailed: A file could not be had.
    """
    home = REPOSITORY / ".lotgate" / "parts" / "debezium"
    with exclusive(home / "lock"):
        wanted = [line.split() for line in FILES.read_text(encoding="utf-8").splitlines()]
        missing = [each for each in wanted if not _place(home, each[1], each[2]).exists()]
        if missing:
            say(f"Debezium: fetching {len(missing)} files (once)")
            with ThreadPoolExecutor(PARALLEL) as pool:
                list(pool.map(lambda each: _fetched(home, *each), missing))
            shutil.rmtree(home / "staging", ignore_errors=True)
    jars = sorted(str(path) for path in (home / "connect").glob("*.jar"))
    return Installed(java(), ":".join(jars), home / "plugins")


def _place(home: Path, folder: str, name: str) -> Path:
    """Where a file ends up; an archive stays, empty, as a sign that it was unpacked."""
    root = home if folder == "connect" else home / "plugins"
    return root / folder / Coordinate.parse(name).filename


def _fetched(home: Path, digest: str, folder: str, name: str) -> None:
    coordinate, place = Coordinate.parse(name), _place(home, folder, name)
    place.parent.mkdir(parents=True, exist_ok=True)
    staging = home / "staging" / coordinate.artifact
    got = artifacts._download(staging, coordinate, lambda _amount: None)
    if sha256(got) != digest:
        raise RuntimeError(f"{coordinate} as downloaded is not the file that was pinned")
    if coordinate.packaging != "tar.gz":
        got.replace(place)
        return
    with tarfile.open(got) as packed:
        # Python before 3.11.4 has no filter; what is unpacked is the pinned file anyway.
        packed.extraction_filter = getattr(tarfile, "data_filter", None)
        packed.extractall(place.parent)  # noqa: S202 - filtered by the line above
    place.touch()
