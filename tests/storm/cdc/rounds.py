"""The rounds of a storm: a source starts, is disturbed perhaps, and dies."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from tests.storm.cdc.field import SNAPSHOT_DEATHS, Storm
from tests.storm.cdc.long_writers import big_transaction
from tests.storm.cdc.nest import Life

BIG_ROWS = 2_000
"""So many rows are several Kafka transactions."""
POINT_S = 10.0
"""How long a source may take to die at the point that was armed, before it is killed."""
STARTING_S = 4.0
WORKING_S = 2.5
WORK_S = 45.0
ROUND_S = 1.2
"""In which the rows of a round are written."""
DISTURBANCES = ("walsender", "server", "server_killed", "broker")


def strike(storm: Storm) -> None:
    """Let one source after the other start and die."""
    plan = storm.plan
    faults = plan.faults(storm.rng)
    disturbances = _disturbances(storm, len(faults))
    big = {len(faults) * 3 // 10, len(faults) * 7 // 10}
    for number, armed in enumerate(faults):
        if number == SNAPSHOT_DEATHS - 1:
            for writer in storm.writers:
                writer.start()
        disturbance = disturbances.get(number, "")
        # What is disturbed must live until then.
        fault = "" if disturbance else armed
        life = storm.nest.hatch(fault)
        if number in big:
            rows = max(BIG_ROWS, plan.rows // 20)
            big_transaction(storm.rig.dsn, number, rows)
            storm.quota.wrote(rows)
        if number == SNAPSHOT_DEATHS:
            _finish_snapshot(storm, life)
        _work(storm, life, fault, number / len(faults), 0.5 if disturbance else storm.rng.random())
        if disturbance and not life.ended.is_set():
            _disturb(storm, life, disturbance)
        _end(storm, life, fault)
        storm.check()
        if number % 10 == 9:
            storm.say(f"{number + 1} rounds, {storm.quota.rows} rows, {dict(storm.kills)}")


def _finish_snapshot(storm: Storm, life: Life) -> None:
    """Let the snapshot end: its deaths are over, and from here on the log is read."""
    deadline = time.monotonic() + WORK_S
    while not storm.watcher.has_read_all() and not life.ended.wait(0.05):
        if time.monotonic() > deadline:
            raise TimeoutError("the snapshot does not end")


def _work(storm: Storm, life: Life, fault: str, progress: float, lot: float) -> None:
    """Let a source work while the rows of this round are written."""
    began, step = time.monotonic(), storm.plan.rows / storm.plan.kills
    first_commit = 0.0
    while _goes_on(life, fault, began, first_commit, lot):
        if not first_commit and life.trace.count("after_commit"):
            first_commit = time.monotonic()
        # A point that is still not met needs more rows.
        share = min(4.0 if fault else 1.0, (time.monotonic() - began) / ROUND_S)
        storm.quota.allow(int(storm.plan.rows * progress + step * share))
        life.ended.wait(0.05)


def _goes_on(life: Life, fault: str, began: float, first_commit: float, lot: float) -> bool:
    """Whether this round's process may live on, by its lot from 0 to 1."""
    if life.ended.is_set():
        return False
    now = time.monotonic()
    if fault:
        return now - began < POINT_S
    # A third dies while it starts, the others after some work.
    if lot < 1 / 3:
        return now - began < lot * STARTING_S
    if not first_commit:
        return now - began < WORK_S
    return now - first_commit < (lot - 1 / 3) * WORKING_S


def _end(storm: Storm, life: Life, fault: str) -> None:
    if life.kill():
        storm.kills["random"] += 1
    elif life.died_at_point:
        storm.kills[fault.partition(":")[0]] += 1
    else:
        storm.wrong_ends += 1
        storm.say(f"the source ended by itself with {life.code}")


def _disturbances(storm: Storm, rounds: int) -> dict[int, str]:
    every = storm.plan.disturb
    if not every:
        return {}
    numbers = range(SNAPSHOT_DEATHS + 2, rounds, every)
    return {number: DISTURBANCES[index % len(DISTURBANCES)] for index, number in enumerate(numbers)}


def _disturb(storm: Storm, life: Life, kind: str) -> None:
    storm.say(f"disturbs: {kind}")
    acts: dict[str, Callable[[], None]] = {
        "walsender": lambda: storm.rig.sql(
            "select pg_terminate_backend(active_pid) from pg_replication_slots where active"
        ),
        "server": lambda: storm.stack.restart("database"),
        "server_killed": lambda: _killed(storm, "database", signal.SIGQUIT),
        "broker": lambda: _killed(storm, "broker", signal.SIGKILL),
    }
    acts[kind]()
    storm.disturbances[kind] += 1
    # Every other process dies in the middle of it.
    if storm.disturbances.total() % 2:
        _come_through(storm, life, kind)


def _come_through(storm: Storm, life: Life, disturbance: str) -> None:
    """See that the source goes on by itself."""
    before = life.trace.count("after_commit")
    storm.quota.allow(storm.quota.rows + 200)
    deadline = time.monotonic() + WORK_S
    while life.trace.count("after_commit") <= before and not life.ended.wait(0.05):
        if time.monotonic() > deadline:
            storm.wrong_ends += 1
            storm.say(f"the source does not come back after {disturbance}")
            return


def _killed(storm: Storm, part: str, number: int) -> None:
    storm.stack.kill(part, number)
    process = storm.stack.process(part)
    deadline = time.monotonic() + 30
    while process.running() and time.monotonic() < deadline:
        time.sleep(0.05)
    storm.stack.start(part)
