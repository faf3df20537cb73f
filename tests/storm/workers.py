"""The workers of a storm: real processes, kept running by a supervisor, killed by nemeses."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from streams.engine import ExitCode
from tests.storm.trace import Trace

ROOT = Path(__file__).parents[2]
SESSION_MS = 3_000
TRANSACTION_MS = 8_000
STILL_S = 6.0
STOP_S = 45.0


@dataclass
class Run:
    """One process of a worker."""

    process: subprocess.Popen[bytes]
    trace: Trace

    def state(self) -> str:
        """The kernel's letter: T stands still, Z has ended."""
        try:
            line = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8")
        except FileNotFoundError:
            return "Z"
        return line.rpartition(")")[2].split()[0]

    def wait_still(self, seconds: float = STILL_S) -> bool:
        """Wait until the process stands still; False when it does not in time."""
        deadline = time.monotonic() + seconds
        while (state := self.state()) != "T":
            if state == "Z" or time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def send(self, number: int) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)


@dataclass
class Tally:
    """What happened to the workers."""

    kills: int = 0
    kills_in_open_cycle: int = 0
    kills_in_open_transaction: int = 0
    kills_between_commit_and_write: int = 0
    exits: Counter[int] = field(default_factory=Counter)
    unforeseen: int = 0
    """Ends that the engine has no name for, and crashes."""

    def ended(self, code: int) -> None:
        self.exits[code] += 1
        self.unforeseen += code in (1, ExitCode.UNFORESEEN) or code < 0


class Workers:
    """Starts, restarts and kills workers by their instance id."""

    def __init__(self, folder: Path, disks: Path, settings: dict[str, Any]) -> None:
        self.folder = folder
        self.disks = disks
        self.tally = Tally()
        self.traces: list[Trace] = []
        self.runs: dict[str, Run] = {}
        self._settings = settings
        self._wanted: dict[str, bool] = {}
        self._faults: dict[str, str] = {}
        self._lock = threading.RLock()
        self._closing = threading.Event()
        # A pipe, so that a limit on the size of a worker's files is no limit on what it says.
        with (folder / "workers.log").open("ab") as log:
            self._log = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=log)
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        self._supervisor.start()

    @property
    def names(self) -> list[str]:
        """The workers that should run."""
        return sorted(name for name, wanted in self._wanted.items() if wanted)

    def join(self, name: str, fault: str = "") -> None:
        """Start a worker, and again whenever it ends."""
        with self._lock:
            self._faults[name] = fault
            self._wanted[name] = True
            self._start(name)

    def kill(self, name: str, *, stay_away: bool = False) -> str:
        """SIGKILL; gives the last point that the worker passed."""
        with self._lock:
            run = self.runs[name]
            self._wanted[name] = False
            run.send(signal.SIGKILL)
            code = run.process.wait(STOP_S)
            if code == -signal.SIGKILL:
                tally, trace = self.tally, run.trace
                tally.kills += 1
                tally.kills_in_open_cycle += trace.in_open_cycle()
                tally.kills_in_open_transaction += trace.in_open_transaction()
                tally.kills_between_commit_and_write += trace.between_commit_and_write()
            self._wanted[name] = not stay_away
        return run.trace.last_point() or "its start"

    def come_back(self, name: str, fault: str = "") -> None:
        """Let a worker that was kept away run again, at first with a fault armed."""
        with self._lock:
            self._faults[name] = fault
            self._wanted[name] = True

    def leave(self, name: str) -> int:
        """SIGTERM, without coming back; gives the exit code."""
        with self._lock:
            self._wanted[name] = False
            run = self.runs[name]
        run.send(signal.SIGTERM)
        try:
            code = run.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            run.send(signal.SIGKILL)
            code = run.process.wait(STOP_S)
        self.tally.ended(code)
        return code

    def step_clock(self, name: str, seconds: float) -> None:
        """Set a worker's clock off."""
        file = self._clock(name)
        file.touch()
        # In place: the worker has it mapped.
        with file.open("r+b") as clock:
            clock.write(struct.pack("<q", int(seconds * 1_000_000)))

    def at_work(self, seconds: float) -> list[str]:
        """The workers that commit something in this time."""
        before = {name: self.runs[name].trace.count("after_commit") for name in self.names}
        time.sleep(seconds)
        return [
            name
            for name, count in before.items()
            if self.runs[name].trace.count("after_commit") > count
        ]

    def wait_running(self, name: str, seconds: float = 20) -> bool:
        """Wait until a worker has polled."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            run = self.runs[name]
            if run.process.poll() is None and run.trace.count("after_poll"):
                return True
            time.sleep(0.05)
        return False

    def close(self) -> None:
        """End everything."""
        self._closing.set()
        self._supervisor.join()
        for run in self.runs.values():
            run.send(signal.SIGKILL)
            run.process.wait(STOP_S)
        assert self._log.stdin is not None
        self._log.stdin.close()
        self._log.wait(10)

    def passed(self, point: str) -> int:
        """How often all runs of all workers passed a point."""
        return sum(trace.count(point) for trace in self.traces)

    def _supervise(self) -> None:
        while not self._closing.wait(0.1):
            with self._lock:
                for name in self.names:
                    code = self.runs[name].process.poll()
                    if code is not None:
                        if code != -signal.SIGKILL:
                            self.tally.ended(code)
                        self._start(name)

    def _start(self, name: str) -> None:
        trace_file = self.folder / f"trace-{name}-{len(self.traces)}"
        trace = Trace(trace_file)
        fault = ",".join(filter(None, (f"trace={trace_file}", self._faults.pop(name, ""))))
        if not self._clock(name).exists():
            self.step_clock(name, 0)
        settings = self.folder / f"settings-{name}.json"
        own = {"instance": name, "data": str(self.disks / name), "clock": str(self._clock(name))}
        settings.write_bytes(orjson.dumps({**self._settings, **own}))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.storm.job"],
            cwd=ROOT,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith("LOTGATE_")},
                "STORM_SETTINGS": str(settings),
                "LOTGATE_FAULT": fault,
            },
            stdin=subprocess.DEVNULL,
            stdout=self._log.stdin,
            stderr=self._log.stdin,
        )
        self.traces.append(trace)
        self.runs[name] = Run(process, trace)

    def _clock(self, name: str) -> Path:
        return self.folder / f"clock-{name}"
