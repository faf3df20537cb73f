"""Processes of the stack: started in their own session, recognised later, ended for certain."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from localstack.errors import PartDidNotStart, StackError
from localstack.host import launch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LAUNCHER = Path(launch.__file__)
POLL_SECONDS = 0.02
LOG_TAIL_LINES = 15


@dataclass(frozen=True)
class Identity:
    """One process for ever: its number, when it started, and in which boot of the machine.

    Attributes:
        pid: Process number; the system gives it to others later.
        started: Clock ticks since boot at which it started.
        boot: The kernel's id of this boot.
        program: What was started.
    """

    pid: int
    started: int
    boot: str
    program: str = ""

    def alive(self) -> bool:
        """Tell whether this very process still runs; a reused number does not count."""
        try:
            line = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return False
        state, *rest = line.rpartition(")")[2].split()
        return state not in "ZX" and int(rest[18]) == self.started and self.boot == boot_id()

    def send(self, number: int) -> None:
        """Send a signal, unless the process has gone."""
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def wait_gone(self, seconds: float) -> bool:
        """Wait until the process has ended; return False if it has not in time."""
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True


def boot_id() -> str:
    """Return the kernel's id of the present boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


@dataclass(frozen=True)
class Command:
    """How a process is started and asked to end.

    Attributes:
        argv: Program and arguments; the program as an absolute path.
        env: The whole environment; the starter's own is used where it is None.
        folder: Working directory.
    """

    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    folder: Path = Path("/")


@dataclass(frozen=True)
class Process:
    """A named process of the stack with its record and its log."""

    name: str
    record: Path
    log: Path
    last_words: int = field(default=LOG_TAIL_LINES)

    def identity(self) -> Identity | None:
        """Return what the record says, or None if nothing was started under that name."""
        try:
            return Identity(**json.loads(self.record.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def running(self) -> bool:
        """Tell whether the process that the record names still runs."""
        identity = self.identity()
        return identity is not None and identity.alive()

    def start(self, command: Command) -> None:
        """Start the process; its record exists when this returns."""
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(self.record), str(self.log)]
        ended = subprocess.run(
            [*launcher, str(command.folder), *command.argv],
            env=None if command.env is None else dict(command.env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            self.record.unlink(missing_ok=True)
            raise PartDidNotStart(f"{self.name} could not be started: {ended.stderr.strip()}")

    def signal(self, number: int) -> None:
        """Send a signal to the process, if it runs."""
        identity = self.identity()
        if identity is not None:
            identity.send(number)

    def stop(self, number: int, seconds: float) -> None:
        """End the process: ask, wait, then kill. What is not ours or is gone is left alone."""
        identity = self.identity()
        if identity is None:
            return
        identity.send(number)
        if not identity.wait_gone(seconds):
            identity.send(signal.SIGKILL)
            if not identity.wait_gone(seconds):
                raise StackError(
                    f"{self.name} (process {identity.pid}) does not end, even when killed. "
                    "It may hang in the kernel; its record was kept. Look at the disk, then retry."
                )
        self.record.unlink(missing_ok=True)

    def tail(self) -> str:
        """Return the last lines of the log."""
        if not self.log.exists():
            return "(no log yet)"
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - 16_384))
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-self.last_words :])
