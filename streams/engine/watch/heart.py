"""The worker's beats: to the supervising process, or, without one, to a timer of the interpreter.

`supervised` makes this process the light one: it forks the worker off, and gives its own place to
`supervisor.py`. So the process that was started stays the one to send signals to, what was imported
is imported once, and its memory is not kept twice.
"""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import mmap
import os
import signal
import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from streams.engine.watch import supervisor

if TYPE_CHECKING:
    from typing import NoReturn

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG: Final = 1
TASKS: Final = Path("/proc/self/task")


class Heart(Protocol):
    """Takes the worker's signs of life."""

    def beat(self) -> None:
        """Say that the event loop runs."""


class SharedHeart:
    """Beats in memory that the supervising process reads.

    Attributes:
        limit_s: After this time without a beat the supervisor ends this process.
    """

    def __init__(self, descriptor: int, limit_s: float) -> None:
        self.limit_s = limit_s
        self._memory = mmap.mmap(descriptor, mmap.PAGESIZE)

    def beat(self) -> None:
        """Write the time."""
        supervisor.BEAT.pack_into(self._memory, 0, monotonic())


class TimerHeart:
    """Without a supervising process: a timer in C that dumps the stacks and ends the process.

    Faust's own command has none. The exit code is then 1, because the interpreter gives no choice.

    Attributes:
        limit_s: After this time without a beat the process ends.
    """

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s

    def beat(self) -> None:
        """Wind the timer up again."""
        faulthandler.dump_traceback_later(self.limit_s, exit=True, file=sys.__stderr__ or 2)


def supervised(limit_s: float) -> Heart | None:
    """Put this process under a supervising one, which takes its place and its process id.

    Returns in a child of the process that called. SIGTERM, SIGINT and the like are passed on to
    it; it dies with the supervisor, also by SIGKILL; it answers SIGQUIT with the stacks of all
    threads on stderr.

    Args:
        limit_s: Longest time without a beat once beating began; 0 for no supervision.

    Returns:
        What to beat; None if there is no supervision (then `TimerHeart` can be used).
    """
    if limit_s <= 0:
        return None
    if sum(1 for _ in TASKS.iterdir()) > 1 if TASKS.is_dir() else True:
        log.warning("no supervising process: this one has threads already, or no /proc")
        return None
    descriptor = os.memfd_create("lotgate-beats", 0)
    os.truncate(descriptor, mmap.PAGESIZE)
    libc = ctypes.CDLL(None)
    sys.stdout.flush()
    sys.stderr.flush()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, supervisor.LISTENED)
    parent = os.getpid()
    child = os.fork()
    if child:
        _become_supervisor(child, descriptor, limit_s)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(supervisor.WATCHDOG)
    faulthandler.register(signal.SIGQUIT, file=sys.__stderr__ or 2, all_threads=True)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    heart = SharedHeart(descriptor, limit_s)
    os.close(descriptor)
    return heart


def _become_supervisor(child: int, descriptor: int, limit_s: float) -> NoReturn:
    arguments = [str(child), str(descriptor), repr(limit_s)]
    if sys.executable:
        os.execv(sys.executable, [  # noqa: S606 - our own interpreter, without a shell
            sys.executable, "-I", "-S", supervisor.__file__, *arguments
        ])  # fmt: skip
    supervisor.main(arguments)
    os._exit(supervisor.WATCHDOG)
