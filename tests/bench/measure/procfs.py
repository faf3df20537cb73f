"""What Linux tells about processes: CPU seconds of a tree and of threads, peak memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class Stat:
    """One line of `/proc/<pid>/stat` or of a thread's.

    Attributes:
        name: The program or the thread.
        parent: Process number of its parent.
        own_s: CPU seconds, user and system, of all its threads.
        ended_s: The same of its children that have ended and were waited for.
    """

    name: str
    parent: int
    own_s: float
    ended_s: float


def stat(path: Path) -> Stat | None:
    """Read a `stat` file; None when the process has gone."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    head, _, tail = text.rpartition(")")
    rest = tail.split()
    user, system, ended_user, ended_system = (int(each) * TICK_S for each in rest[11:15])
    return Stat(head.partition("(")[2], int(rest[1]), user + system, ended_user + ended_system)


def tree(root: int) -> list[int]:
    """A process and all its living descendants."""
    children: dict[int, list[int]] = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit() and (found := stat(folder / "stat")):
            children.setdefault(found.parent, []).append(int(folder.name))
    members = [root]
    for member in members:
        members += children.get(member, [])
    return members


def cpu_s(root: int) -> float:
    """CPU seconds of a process tree since its start, its ended members included."""
    found = (stat(PROC / str(pid) / "stat") for pid in tree(root))
    return sum(each.own_s + each.ended_s for each in found if each is not None)


def peak_mb(root: int) -> float:
    """The sum of the peak resident memory of a tree's living members, in MB of 1024 KiB."""
    total = 0
    for pid in tree(root):
        try:
            text = (PROC / str(pid) / "status").read_text(encoding="utf-8")
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line[:6] == "VmHWM:")
    return total / 1024


def threads(root: int) -> dict[str, float]:
    """CPU seconds of a tree by the threads' names.

    Python names no threads towards the system before 3.14: those that bear their process's name
    are told apart by their number, in the order in which they were started.
    """
    found: dict[str, float] = {}
    for pid in tree(root):
        unnamed = 0
        process = stat(PROC / str(pid) / "stat")
        try:
            tasks = sorted((PROC / str(pid) / "task").iterdir(), key=lambda each: int(each.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
        for task in tasks:
            thread = stat(task / "stat")
            if thread is None or process is None:
                continue
            name = thread.name
            if int(task.name) == pid:
                name = "main" if pid == root else "child's main"
            elif name == process.name:
                unnamed += 1
                name = f"{process.name} thread {unnamed}"
            found[name] = found.get(name, 0.0) + thread.own_s
    return found
