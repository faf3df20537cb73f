"""What a storm does to the workers; and all nemeses by name."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable

from tests.storm.field import ALL_NAMES, Storm
from tests.storm.surroundings import (
    broker_kill,
    coordinator_loss,
    full_disk,
    slow_disk,
    step_clocks,
)
from tests.storm.trace import wait_for_count
from tests.storm.workers import SESSION_MS, Run

HELD_POINTS = (
    "after_commit",
    "before_commit",
    "before_offsets",
    "after_offsets",
    "after_produce",
    "before_produce",
    "mid_stage",
    "after_write",
    "after_poll",
)
START_FAULTS = ("in_restore", "after_commit:2", "before_commit:2", "mid_stage:2", "in_revoke")
GONE_S = SESSION_MS / 1000 + 1.2
"""After so long a silence the group has given a worker's partitions away."""
REFUSAL_S = 12.0


def kill_some(storm: Storm) -> None:
    """kill -9 at any instruction, several times."""
    for _ in range(storm.rng.randint(2, 4)):
        name = storm.one()
        storm.rest(0.0, 0.3)
        point = storm.workers.kill(name)
        storm.say(f"kill -9 {name}, last seen at {point}")
        storm.rest(0.1, 0.6)


def kill_all(storm: Storm) -> None:
    """kill -9 of all workers at once."""
    storm.one()
    points = [storm.workers.kill(name) for name in storm.workers.names]
    storm.say(f"kill -9 all, last seen at {', '.join(points)}")


def kill_at(storm: Storm, point: str) -> bool:
    """kill -9 while a worker stands at a point of its cycle."""
    name = storm.one()
    if not held(storm, name, point):
        return False
    storm.workers.kill(name)
    storm.say(f"kill -9 {name} standing at {point}")
    return True


def kill_between_commit_and_write(storm: Storm) -> None:
    """kill -9 when the transaction is committed and the store is not yet written."""
    any(kill_at(storm, "after_commit") for _ in range(4))


def kill_at_some_point(storm: Storm) -> None:
    """kill -9 at a drawn point of the cycle."""
    kill_at(storm, storm.rng.choice(HELD_POINTS))


def die_at_start(storm: Storm) -> None:
    """A worker without its disk dies at a fault point soon after its start."""
    name = storm.one()
    fault = storm.rng.choice(START_FAULTS)
    storm.workers.kill(name, stay_away=True)
    shutil.rmtree(storm.workers.disks / name, ignore_errors=True)
    storm.workers.come_back(name, fault)
    storm.say(f"kill -9 {name}, its disk is lost, and it dies again at {fault}")
    storm.rest(1.0, 2.0)


def held(storm: Storm, name: str, point: str, meanwhile: Callable[[], None] = lambda: None) -> bool:
    """Let a worker stand still at a point of its cycle; False if it does not come there."""
    run = storm.workers.runs[name]
    run.trace.stand_still_at(point)
    meanwhile()
    if run.wait_still():
        return True
    run.trace.clear()
    run.send(signal.SIGCONT)
    storm.say(f"{name} did not come to {point}")
    return False


def past_its_session(storm: Storm, name: str, where: str) -> None:
    """Let a worker that stands still go on when the group has given its partitions away."""
    storm.say(f"SIGSTOP {name} {where}, past its session")
    time.sleep(GONE_S)
    storm.workers.runs[name].send(signal.SIGCONT)


def zombie(storm: Storm) -> None:
    """A worker stands still with an open transaction past its session, then goes on."""
    storm.need_two()
    name = storm.one()
    run = storm.workers.runs[name]
    before = run.trace.count("offsets_refused")
    if not held(storm, name, "before_offsets"):
        return
    past_its_session(storm, name, "in an open transaction")
    if _refused(run, before):
        storm.zombie_commits_refused += 1
        storm.say(f"SIGCONT {name}: its commit was refused")
    else:
        storm.say(f"SIGCONT {name}: nothing was refused")


def stop_anywhere(storm: Storm) -> None:
    """SIGSTOP at any instruction, past the session; SIGCONT."""
    name = storm.one()
    run = storm.workers.runs[name]
    before = run.trace.count("offsets_refused")
    run.send(signal.SIGSTOP)
    past_its_session(storm, name, f"last seen at {run.trace.last_point()}")
    time.sleep(0.5)
    storm.zombie_commits_refused += run.trace.count("offsets_refused") - before


def late_commit(storm: Storm) -> None:
    """A worker stands still past its session when the group has its positions already.

    What it commits when it goes on is valid, and must be in the state of those who took over.
    """
    storm.need_two()
    name = storm.one()
    run = storm.workers.runs[name]
    before = run.trace.count("after_commit")
    if not held(storm, name, "after_offsets"):
        return
    past_its_session(storm, name, "with its positions in an open transaction")
    through = wait_for_count(run.trace, "after_commit", before, 2.0)
    storm.say(f"SIGCONT {name}: it {'committed' if through else 'did not commit'}")


def zombie_with_timers(storm: Storm) -> None:
    """No input, only timers: a cycle of a worker that lost its partitions is refused too."""
    storm.need_two()
    name = storm.one()
    storm.feeder.pause()
    try:
        run = storm.workers.runs[name]
        _wait_idle(run)
        before = run.trace.count("offsets_refused")
        due = time.time_ns() // 1000 + 700_000
        if not held(storm, name, "timer_cycle", lambda: storm.feeder.set_timers(due, 3)):
            return
        past_its_session(storm, name, "in a cycle of timers only")
        if _refused(run, before):
            storm.zombie_commits_refused += 1
            storm.zombie_timer_cycles_refused += 1
            storm.say(f"SIGCONT {name}: its cycle of timers was refused")
    finally:
        storm.feeder.resume()


def _refused(run: Run, before: int) -> bool:
    return wait_for_count(run.trace, "offsets_refused", before, REFUSAL_S)


def _wait_idle(run: Run, seconds: float = 8.0) -> None:
    """Wait until a worker commits nothing for half a second."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        count = run.trace.count("after_commit")
        time.sleep(0.5)
        if run.trace.count("after_commit") == count:
            return


def take_over_open(storm: Storm) -> None:
    """kill -9 before a commit; the worker stays away, so another takes over what it left open."""
    storm.need_two()
    name = storm.one()
    run = storm.workers.runs[name]
    run.trace.stand_still_at("before_commit")
    held = run.wait_still()
    point = storm.workers.kill(name, stay_away=True)
    storm.say(f"kill -9 {name} {'standing' if held else 'last seen'} at {point}, it stays away")
    time.sleep(GONE_S + 1)
    storm.workers.come_back(name)


def rolling_restart(storm: Storm) -> None:
    """Every worker in turn ends in order and comes back."""
    codes = []
    for name in storm.workers.names:
        storm.workers.wait_running(name)
        codes.append(storm.workers.leave(name))
        storm.workers.join(name)
        storm.workers.wait_running(name)
    storm.say(f"rolling restart, exit codes {codes}")


def join_or_leave(storm: Storm) -> None:
    """One worker more, or one less for good."""
    names = storm.workers.names
    away = [name for name in ALL_NAMES if name not in names]
    if away and (len(names) == 1 or storm.rng.random() < 0.6):
        name = storm.rng.choice(away)
        storm.workers.join(name)
        storm.workers.wait_running(name)
        storm.say(f"{name} joins")
    else:
        name = storm.one()
        storm.say(f"{name} leaves with {storm.workers.leave(name)}")
    storm.rest(0.5, 2.0)


NEMESES: dict[str, Callable[[Storm], None]] = {
    each.__name__: each
    for each in (
        kill_some,
        kill_all,
        kill_between_commit_and_write,
        kill_at_some_point,
        die_at_start,
        zombie,
        stop_anywhere,
        late_commit,
        zombie_with_timers,
        take_over_open,
        broker_kill,
        coordinator_loss,
        rolling_restart,
        join_or_leave,
        slow_disk,
        full_disk,
        step_clocks,
    )
}
WEIGHTS = {
    "kill_some": 10,
    "kill_at_some_point": 10,
    "kill_between_commit_and_write": 4,
    "kill_all": 2,
    "step_clocks": 3,
    "late_commit": 2,
}
"""How often each comes beside the others; 1 where nothing is said."""
