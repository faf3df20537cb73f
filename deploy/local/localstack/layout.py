"""Where the local stack keeps its things: one directory to look at, one to remove."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[3]
"""The checkout that this package belongs to."""

LOCAL = Path(__file__).resolve().parents[1]
"""The folder with what the local stack ships: SQL, pinned lists, templates."""


def default_directory() -> Path:
    """Return the stack's directory: `LOTGATE_DIR`, else `.lotgate` in the checkout."""
    chosen = os.environ.get("LOTGATE_DIR")
    return Path(chosen).expanduser().resolve() if chosen else REPOSITORY / ".lotgate"


@dataclass(frozen=True)
class Layout:
    """The folders of one local stack.

    Attributes:
        root: Data, logs, ports and process records of this stack.
        parts: What was downloaded or built once; several stacks may share it.
    """

    root: Path
    parts: Path

    @property
    def data(self) -> Path:
        """Data folders of the running parts."""
        return self.root / "data"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """One record per process that this stack started."""
        return self.root / "run"

    @property
    def workshops(self) -> Path:
        """Unfinished work on the parts: what is found here by the next to prepare is left over."""
        return self.parts / ".workshops"

    @property
    def ports(self) -> Path:
        """The ports that were chosen once."""
        return self.root / "ports.json"

    @property
    def secrets(self) -> Path:
        """Passwords of this stack, one file each, readable by the owner only."""
        return self.root / "secrets"

    def make(self) -> None:
        """Create the folders that are missing."""
        for folder in (self.root, self.parts, self.data, self.logs, self.run):
            folder.mkdir(parents=True, exist_ok=True)
        self.secrets.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    staging.replace(path)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that no reader ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    staging.write_text(text, encoding="utf-8")
    staging.replace(path)


def secret(folder: Path, name: str) -> str:
    """Return the secret kept under that name, drawing it on first use.

    Of two that draw at once, both get the one that was kept first.
    """
    path = folder / name
    if not path.exists():
        drawn = folder / f".{name}.{secrets.token_hex(8)}"
        write_private(drawn, secrets.token_urlsafe(24) + "\n")
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(drawn)
        drawn.unlink()
    return path.read_text(encoding="utf-8").strip()


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Keep every other thread and process out of the block; a killed one's lock goes with it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Take a lock only if nobody holds it; the value says whether it was free."""
    if not path.parent.exists():
        yield False
        return
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
