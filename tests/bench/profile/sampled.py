"""A worker that writes down, when it ends, where its CPU seconds went.

    python -m tests.bench.profile.sampled PLACE_OF_APP RESULT_FILE

A thread looks at all others every two milliseconds, and gives the CPU time that each has used
since (the kernel's clock of that very thread, in nanoseconds) to what it is doing now. So waiting
costs nothing, and C code counts for the Python function that called it.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from streams.engine import run_worker

if TYPE_CHECKING:
    from types import FrameType

EVERY_S: Final = 0.002
DEEPEST: Final = 60

Stack = tuple[str, ...]


class Sampler(threading.Thread):
    """Counts nanoseconds of CPU by thread and stack, the innermost function first."""

    def __init__(self) -> None:
        super().__init__(name="sampler", daemon=True)
        self.found: Counter[tuple[str, Stack]] = Counter()
        self._known: dict[int, int] = {}

    def run(self) -> None:
        """Look until the process ends."""
        while True:
            time.sleep(EVERY_S)
            self._look()

    def _look(self) -> None:
        names = {each.ident: each.name for each in threading.enumerate()}
        for thread, frame in sys._current_frames().items():
            if thread == self.ident:
                continue
            try:
                now = time.clock_gettime_ns(time.pthread_getcpuclockid(thread))
            except OSError:
                # It has ended since.
                continue
            used = now - self._known.get(thread, now)
            self._known[thread] = now
            if used > 0:
                name = names.get(thread, "unnamed")
                self.found[name, stack_of(frame)] += used

    def write(self, place: Path) -> None:
        """Write what was found."""
        told = [[name, list(stack), ns] for (name, stack), ns in self.found.copy().items()]
        place.write_text(json.dumps(told), encoding="utf-8")


def stack_of(frame: FrameType | None) -> Stack:
    """Functions from the innermost out, as `file:name`."""
    found: list[str] = []
    while frame is not None and len(found) < DEEPEST:
        code = frame.f_code
        found.append(f"{code.co_filename}:{code.co_qualname}")
        frame = frame.f_back
    return tuple(found)


def main() -> int:
    """Run the app's worker under the sampler; the environment is a worker's."""
    module, _, name = sys.argv[1].partition(":")
    app: Any = getattr(import_module(module), name)
    sampler = Sampler()
    sampler.start()
    try:
        return run_worker(app)
    finally:
        sampler.write(Path(sys.argv[2]))


if __name__ == "__main__":
    sys.exit(main())
