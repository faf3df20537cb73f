"""Places in a cycle where a test can make the process die, wait or stand still.

Each point is a call of `reach`, which does nothing unless `arm` was given a setting; the
composition root arms from `LOTGATE_FAULT`. Its entries are separated by commas:

- `<point>` or `<point>:<nth>`: die there, the first or the nth time;
- `<point>:<nth>~<seconds>`: wait there, the nth time and every time after it (a slow disk, a long
  transaction);
- `trace=<file>`: count every point in a file that is shared memory with whoever watches. It
  outlives the process, so after a `kill -9` it tells how far the cycle was; and through it the
  watcher can ask a running process to stand still at a point.
"""

from __future__ import annotations

import os
import signal
import struct
import time
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable

DEATH: Final = 137
"""Exit status of a death at a fault point: what a shell reports for `kill -9`."""

ENGINE_POINTS: Final = (
    "after_poll",
    "mid_stage",
    "before_produce",
    "after_produce",
    "before_offsets",
    "after_offsets",
    "before_commit",
    "after_commit",
    "after_write",
    "in_restore",
    "in_revoke",
)
"""The engine's own points, in the order a cycle meets them. Connectors name further ones."""
RELEASE_POINT: Final = "in_release"
"""Met before each record that waited behind a dead letter and now runs."""

TRACE_BYTES: Final = 4_096
TRACE_NAME: Final = 24
TRACE_HEAD: Final = struct.Struct(f"<Q{TRACE_NAME}s{TRACE_NAME}sBxxxI")
"""Of a trace: passes so far, the last point, the wanted point, what is wanted, milliseconds."""
TRACE_SLOT: Final = struct.Struct(f"<{TRACE_NAME}sQQ")
"""Of one point in a trace: its name, how often it was passed, the number of its last pass."""
STAND_STILL: Final = 1
"""Wanted once: the process stops itself (SIGSTOP) at the point."""
WAIT: Final = 2
"""Wanted until taken back: the process waits at every pass of the point."""


class _Trace:
    """The writing end of a trace file."""

    def __init__(self, path: Path) -> None:
        path.touch()
        with path.open("r+b") as file:
            file.truncate(TRACE_BYTES)
            self._map = mmap(file.fileno(), TRACE_BYTES)
        self._slots: dict[str, tuple[int, bytes]] = {}
        self._passes = 0

    def passed(self, point: str) -> None:
        slot, name = self._slots.get(point) or self._slot(point)
        self._passes += 1
        _, count, _ = TRACE_SLOT.unpack_from(self._map, slot)
        TRACE_SLOT.pack_into(self._map, slot, name, count + 1, self._passes)
        struct.pack_into(f"<Q{TRACE_NAME}s", self._map, 0, self._passes, name)
        _, _, wanted, action, milliseconds = TRACE_HEAD.unpack_from(self._map)
        if action and wanted == name:
            self._do(action, milliseconds)

    def _do(self, action: int, milliseconds: int) -> None:
        if action == STAND_STILL:
            self._map[8 + 2 * TRACE_NAME] = 0
            os.kill(os.getpid(), signal.SIGSTOP)
        else:
            time.sleep(milliseconds / 1000)

    def _slot(self, point: str) -> tuple[int, bytes]:
        offset = TRACE_HEAD.size + len(self._slots) * TRACE_SLOT.size
        found = (offset, point.encode()[:TRACE_NAME].ljust(TRACE_NAME, b"\0"))
        self._slots[point] = found
        return found


class _Armed:
    """What is armed in this process."""

    def __init__(self, die: Callable[[int], object]) -> None:
        self.left: dict[str, int] = {}
        self.waits: dict[str, float] = {}
        self.trace: _Trace | None = None
        self._die = die

    def reach(self, point: str) -> None:
        if self.trace is not None:
            self.trace.passed(point)
        if point not in self.left:
            return
        self.left[point] -= 1
        left = self.left[point]
        if point in self.waits:
            if left <= 0:
                time.sleep(self.waits[point])
        elif left == 0:
            self._die(DEATH)


_armed: _Armed | None = None


def arm(setting: str, die: Callable[[int], object] = os._exit) -> None:
    """Choose what happens where.

    Args:
        setting: As in `LOTGATE_FAULT`, see above; empty disarms.
        die: What death is; a driver without a broker takes it for the end of a pretended process.

    Raises:
        Misconfigured: A number is not one.
    """
    global _armed  # noqa: PLW0603 - one process has one setting, and `reach` must cost nothing
    armed = _Armed(die)
    for entry in filter(None, setting.split(",")):
        if entry.startswith("trace="):
            armed.trace = _Trace(Path(entry.removeprefix("trace=")))
            continue
        where, _, seconds = entry.partition("~")
        point, _, nth = where.partition(":")
        armed.left[point] = _number(setting, nth)
        if seconds:
            armed.waits[point] = _seconds(setting, seconds)
    _armed = armed if setting else None


def reach(point: str) -> None:
    """Pass a point: die or wait here if it is armed and it is its turn."""
    if _armed is not None:
        _armed.reach(point)


def _number(setting: str, nth: str) -> int:
    if nth and not (nth.isdigit() and int(nth) > 0):
        raise _bad(setting, "after the colon stands a number from 1")
    return int(nth or 1)


def _seconds(setting: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as failure:
        raise _bad(setting, "after the tilde stand seconds") from failure


def _bad(setting: str, why: str) -> Misconfigured:
    return Misconfigured(
        f"LOTGATE_FAULT is {setting!r}: {why}",
        code="bad_fault_point",
        advice="write <point>, <point>:<nth> or <point>:<nth>~<seconds>, or unset it",
    )
