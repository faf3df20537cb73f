"""What a storm does around the workers: to brokers, disks and clocks."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.storm.field import Storm
from tests.storm.trace import Trace


def broker_kill(storm: Storm) -> None:
    """kill -9 of a broker."""
    _kill_broker(storm, storm.rng.choice(storm.cluster.nodes), "")


def coordinator_loss(storm: Storm) -> None:
    """kill -9 of the broker that coordinates the group, or a worker's transactions."""
    if storm.rng.random() < 0.5:
        _kill_broker(storm, storm.cluster.coordinator(storm.group), ", the group's coordinator")
        return
    name = storm.rng.choice(storm.workers.names)
    node = storm.cluster.transaction_coordinator(f"{storm.group}-{name}")
    _kill_broker(storm, node, f", the coordinator of {name}'s transactions")


def _kill_broker(storm: Storm, node: int, what: str) -> None:
    storm.cluster.kill(node)
    storm.broker_kills += 1
    storm.say(f"kill -9 broker {node}{what}")
    storm.rest(0.5, 3.0)
    storm.cluster.heal()
    storm.say(f"broker {node} is back")


def slow_disk(storm: Storm) -> None:
    """Every write of the stores waits."""
    traces: list[Trace] = [run.trace for run in storm.workers.runs.values()]
    seconds = storm.rng.uniform(0.05, 0.4)
    storm.say(f"slow disks: {seconds:.2f} s before every write")
    for trace in traces:
        trace.wait_at("after_commit", seconds)
    storm.rest(1.5, 3.0)
    for trace in traces:
        trace.clear()


def full_disk(storm: Storm) -> None:
    """The workers' disk is full for a while."""
    filler = storm.workers.disks / "filler"
    limited = os.path.ismount(storm.workers.disks)
    if limited:
        _fill(filler)
    else:
        _limit_files(storm, 64 * 1024)
    storm.say("the workers' disk is full")
    storm.rest(2.0, 3.0)
    if limited:
        filler.unlink(missing_ok=True)
    else:
        _limit_files(storm, resource.RLIM_INFINITY)
    storm.say("the workers' disk has room again")


def _fill(filler: Path) -> None:
    block = b"\0" * (1 << 20)
    with filler.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(block)
            except OSError as failure:
                if failure.errno != errno.ENOSPC:
                    raise
                if len(block) == 1:
                    return
                block = block[: len(block) // 16] or b"\0"


def _limit_files(storm: Storm, size: int) -> None:
    for run in storm.workers.runs.values():
        with suppress(ProcessLookupError):
            resource.prlimit(run.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def step_clocks(storm: Storm) -> None:
    """The workers' clocks jump, forwards and backwards."""
    steps = {name: round(storm.rng.uniform(-3, 3), 1) for name in storm.workers.names}
    for name, seconds in steps.items():
        storm.workers.step_clock(name, seconds)
    storm.say(f"clock steps: {steps}")


def size_limited(folder: Path, megabytes: int) -> bool:
    """Make a folder a small file system of its own, where the machine allows that."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    return shutil.which("mount") is not None and not _status(command)


def unmount(folder: Path) -> None:
    if os.path.ismount(folder):
        _status(["umount", "-l", str(folder)])


def _status(command: list[str]) -> int:
    return subprocess.run(command, capture_output=True, check=False).returncode
