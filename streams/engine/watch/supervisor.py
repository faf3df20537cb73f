"""The light process above a worker: it ends a worker whose beats stop, after a dump of its stacks.

A rule that hangs in C code holds the interpreter's lock, and then no thread of the worker can run,
so what notices must be another process. It is a Python of its own that imports nothing but the
standard library's system calls (this file is run as a script, and must stay importable alone).

Run as `python -I -S supervisor.py <pid of the worker> <descriptor of the beats> <limit in s>` by
the worker's parent, in its own place (`execv`), with the signals it listens to blocked.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import time

WATCHDOG = 12
"""`ExitCode.WATCHDOG`; named here again because this file imports nothing of ours."""
BEAT = struct.Struct("=d")
"""What is in the shared memory: CLOCK_MONOTONIC at the last beat, in s; 0 before the first."""
DUMP_S = 1.0
"""Time for the stacks to be written before the worker is killed."""
DEATH_S = 10.0
"""Longest wait for a killed worker to be gone: a disk that does not answer can hold it."""
LATE_S = 1.0
"""The supervisor itself slept this much too long: it was stopped, or the machine is too busy."""
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1,
             signal.SIGUSR2, signal.SIGCONT)  # fmt: skip
LISTENED = {*PASSED_ON, signal.SIGCHLD, signal.SIGALRM}


class Patience:
    """Judges the age of the last beat. Pure: the caller says what time it is.

    Attributes:
        limit_s: Longest time without a beat.
    """

    def __init__(self, limit_s: float, now: float) -> None:
        self.limit_s = limit_s
        self._excused = now
        self._looked = now

    def excuse(self, now: float) -> None:
        """Count anew: the worker could not move, for a reason that is not its own."""
        self._excused = now

    def silence(self, beat: float, now: float, pause_s: float) -> float:
        """How long the worker has been silent without an excuse.

        Args:
            beat: When it last gave a sign; 0 before the first, which is not judged: a start waits
                for its broker.
            now: The time on the same clock.
            pause_s: How long the supervisor meant to sleep before this look.

        Returns:
            Seconds; more than `limit_s` means that it hangs.
        """
        if now - self._looked > pause_s + LATE_S:
            self._excused = now
        self._looked = now
        return now - max(beat, self._excused) if beat else 0.0


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped by a signal or a debugger."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123 - pathlib is half of the cost
            return stat.read().rpartition(b")")[2].split()[0] in (b"T", b"t")
    except (OSError, IndexError):
        return False


def watch(pid: int, beats: int, limit_s: float) -> int:
    """Listen until the worker ends, or end it.

    Args:
        pid: The worker, a child of this process.
        beats: Descriptor of the memory it beats in.
        limit_s: Longest time without a beat.

    Returns:
        The exit code; the negative number of a signal if one ended the worker.
    """
    pause = min(1.0, limit_s / 10)
    patience = Patience(limit_s, time.monotonic())
    # Not `sigtimedwait`: continued after a stop that outlasted its time-out, it returns whatever
    # was in memory (CPython 3.11).
    signal.setitimer(signal.ITIMER_REAL, pause, pause)
    while True:
        told = signal.sigwaitinfo(LISTENED)
        # A terminal tells its whole group, the worker included; everybody else tells only us.
        if told.si_signo in PASSED_ON and told.si_code <= 0:
            os.kill(pid, told.si_signo)
        status = _ended(pid)
        if status is not None:
            return os.waitstatus_to_exitcode(status)
        now = time.monotonic()
        silence = patience.silence(_beat(beats), now, pause)
        if is_stopped(pid):
            patience.excuse(now)
        elif silence > limit_s:
            return _end(pid, silence, limit_s)


def _beat(beats: int) -> float:
    found: float = BEAT.unpack(os.pread(beats, BEAT.size, 0))[0]
    return found


def _ended(pid: int) -> int | None:
    """Reap what has ended: as a container's first process we inherit every orphan."""
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return WATCHDOG << 8
        if ended == pid:
            return status
        if ended == 0:
            return None


def _end(pid: int, silence: float, limit_s: float) -> int:
    _say(f"no sign of life for {silence:.1f} s (limit {limit_s:g} s); the stacks of its threads:")
    os.kill(pid, signal.SIGQUIT)
    time.sleep(DUMP_S)
    os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + DEATH_S
    while _ended(pid) is None and time.monotonic() < until:
        time.sleep(0.05)
    _say(
        "the worker hung and was killed; nothing of its open cycle is visible. The innermost lines"
        " above say where: correct that rule or call, or raise LOTGATE_WATCHDOG_S"
    )
    return WATCHDOG


def _say(text: str) -> None:
    try:
        os.write(2, f"lotgate: exit {WATCHDOG}: {text}\n".encode())
    except OSError:
        return


def end_like(code: int) -> None:
    """End this process as the worker ended: by the same signal, or with the same code."""
    if code < 0:
        # No core of this process: the worker's own is the one that tells something.
        import resource  # noqa: PLC0415 - needed at the end only

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        number = -code
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
        # A container's first process does not die of its own signals.
        code = 128 + number
    os._exit(code)


def main(arguments: list[str]) -> None:
    """Watch the worker that the arguments name, and end as it does."""
    pid, beats, limit = arguments
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, LISTENED)
    end_like(watch(int(pid), int(beats), float(limit)))


if __name__ == "__main__":
    main(sys.argv[1:])
