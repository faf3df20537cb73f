"""The watching end of a worker's trace: shared memory that a SIGKILL does not take away."""

from __future__ import annotations

import mmap
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from streams.engine.faults import (
    STAND_STILL,
    TRACE_BYTES,
    TRACE_HEAD,
    TRACE_NAME,
    TRACE_SLOT,
    WAIT,
)

TRANSACTION_OPENS, TRANSACTION_ENDS = ("before_produce",), ("after_commit", "txn_aborted")
CYCLE_OPENS = ("mid_stage", *TRANSACTION_OPENS)


@dataclass(frozen=True, slots=True)
class Passed:
    """One point of a trace: how often it was passed, and the number of its last pass."""

    count: int = 0
    last: int = 0


class Trace:
    """One run of one worker."""

    def __init__(self, path: Path) -> None:
        # The worker makes the file anew in place, so that this mapping stays the one it uses.
        path.write_bytes(b"\0" * TRACE_BYTES)
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), TRACE_BYTES)

    def points(self) -> dict[str, Passed]:
        found = {}
        for offset in range(TRACE_HEAD.size, TRACE_BYTES - TRACE_SLOT.size, TRACE_SLOT.size):
            name, count, last = TRACE_SLOT.unpack_from(self._map, offset)
            if not name.strip(b"\0"):
                break
            found[name.rstrip(b"\0").decode()] = Passed(count, last)
        return found

    def count(self, point: str) -> int:
        return self.points().get(point, Passed()).count

    def last_point(self) -> str:
        name: bytes = TRACE_HEAD.unpack_from(self._map)[1]
        return name.rstrip(b"\0").decode()

    def in_open_transaction(self) -> bool:
        return self._between(TRANSACTION_OPENS, TRANSACTION_ENDS)

    def in_open_cycle(self) -> bool:
        return self._between(CYCLE_OPENS, (*TRANSACTION_ENDS, "after_poll"))

    def between_commit_and_write(self) -> bool:
        return self.last_point() == "after_commit"

    def stand_still_at(self, point: str) -> None:
        """Ask the worker to stop itself there."""
        self._want(point, STAND_STILL, 0)

    def wait_at(self, point: str, seconds: float) -> None:
        """Ask the worker to wait there at each pass."""
        self._want(point, WAIT, int(seconds * 1000))

    def clear(self) -> None:
        """Ask for nothing more."""
        self._want("", 0, 0)

    def _want(self, point: str, action: int, milliseconds: int) -> None:
        wanted = struct.pack(f"{TRACE_NAME}sBxxxI", point.encode(), action, milliseconds)
        self._map[8 + TRACE_NAME : TRACE_HEAD.size] = wanted

    def _between(self, opens: tuple[str, ...], ends: tuple[str, ...]) -> bool:
        points = self.points()
        opened = max(points.get(point, Passed()).last for point in opens)
        ended = max(points.get(point, Passed()).last for point in ends)
        return opened > ended


def wait_for_count(trace: Trace, point: str, more_than: int, seconds: float) -> bool:
    """Wait until a point was passed more often than this."""
    deadline = time.monotonic() + seconds
    while trace.count(point) <= more_than:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
