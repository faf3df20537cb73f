"""One storm over the PostgreSQL source, from its first process to its final line."""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from localstack import Stack

from tests.live.test_cdc_support import drop_rig, make_rig
from tests.storm.cdc import wal
from tests.storm.cdc.judging import Judgement, judge
from tests.storm.cdc.nest import Life, Nest, Order
from tests.storm.cdc.reading import Topics
from tests.storm.cdc.tables import COPIED, SCHEMA, SHAPES, before_the_snapshot
from tests.storm.cdc.wal import Committed
from tests.storm.cdc.watch import Watcher
from tests.storm.cdc.writers import LongWriter, Quota, Writer, big_transaction

WRITERS = 4
SNAPSHOT_ROWS = 3_000
POINTS = (
    "before_produce",
    "mid_transaction",
    "after_produce",
    "before_offset",
    "before_commit",
    "after_commit",
    "after_confirm",
)
"""Met all the time; `in_snapshot` only until the snapshot is done, so it comes first."""
SNAPSHOT_POINT = "in_snapshot"
SNAPSHOT_DEATHS = 2
POINT_S = 10.0
"""How long a source may take to die at the point that was armed, before it is killed."""
STARTING_S = 4.0
WORK_S = 45.0
QUIET_S = 180.0
ROUND_S = 1.2
"""In which the rows of a round are written."""
DISTURBANCES = ("walsender", "server", "server_killed", "broker")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of a storm.

    Attributes:
        points: Where sources die, and in what order; drawn by the seed when empty.
        disturb: One out of so many rounds has a disturbance of server or broker; 0 for none.
    """

    seed: int = 1
    kills: int = 100
    rows: int = 200_000
    points: tuple[str, ...] = ()
    disturb: int = 8

    def faults(self, rng: Random) -> list[str]:
        """What is armed in each round: `<point>:<nth>`, or nothing for a kill at random."""
        if self.points:
            return list(self.points)
        first = [f"{SNAPSHOT_POINT}:{nth + 1}" for nth in range(SNAPSHOT_DEATHS)]
        armed = [
            f"{point}:{rng.randint(1, 4)}"
            for point in POINTS
            for _ in range(max(1, (self.kills - SNAPSHOT_DEATHS) // (2 * len(POINTS))))
        ]
        rest = armed + [""] * max(0, self.kills - SNAPSHOT_DEATHS - len(armed))
        rng.shuffle(rest)
        return first + rest


class Storm:
    """What is running."""

    def __init__(self, plan: Plan, folder: Path, stack: Stack) -> None:
        self.plan = plan
        self.stack = stack
        self.rng = Random(plan.seed)
        self.quota = Quota()
        self.kills: Counter[str] = Counter()
        self.disturbances: Counter[str] = Counter()
        self.wrong_ends = 0
        self.began = time.monotonic()
        addresses = stack.addresses()
        self.admin = addresses.admin_dsn
        self.rig = make_rig(self.admin, addresses.bootstrap, addresses.registry_url, *SCHEMA)
        wal.make_slot(self.rig.dsn, self.rig.name)
        self.rig.sql(*before_the_snapshot(SNAPSHOT_ROWS))
        row = self.rig.rows("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        self.filled = int(row[0][0])
        order = Order(self.rig.dsn, self.rig.bootstrap, self.rig.registry_url, self.rig.name)
        self.nest = Nest(order, folder)
        self.writers: list[Writer | LongWriter] = [
            Writer(self.rig.dsn, number + 1, plan.seed, self.quota, max(20, plan.rows // 150))
            for number in range(WRITERS)
        ]
        offsets = f"{self.rig.name}.lotgate-cdc-offsets"
        self.watcher = Watcher(self.admin, self.rig.name, self.rig.bootstrap, offsets)
        self.writers.append(
            LongWriter(self.rig.dsn, self.quota, plan.rows * 6 // 10, self.watcher.streams)
        )

    def say(self, text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - self.began:7.1f} s  {text}\n")
        sys.stderr.flush()

    def close(self) -> None:
        self.quota.end()
        for writer in self.writers:
            if writer.ident is not None:
                writer.join()
        self.nest.close()
        self.watcher.end()
        wal.drop_slot(self.rig.dsn, self.rig.name)
        drop_rig(self.rig, self.admin)


def run_storm(plan: Plan, folder: Path, stack: Stack) -> dict[str, Any]:
    """Storm, heal, compare; gives the fields of the final line.

    Args:
        plan: What to do.
        folder: Where traces and logs are kept.
        stack: A stack whose broker, registry and database run.
    """
    storm = Storm(plan, folder, stack)
    try:
        storm.watcher.start()
        _strike(storm)
        _heal(storm)
        log = wal.read_slot(storm.rig.dsn, storm.rig.name)
        topics = Topics(storm.rig.bootstrap, storm.rig.registry_url, storm.rig.name)
        judgement = judge(topics, log, storm.rig.dsn, {})
        middles = _judge_invariant(storm, judgement, topics)
        for line in judgement.told:
            storm.say(line)
        return {**_line(storm, judgement, log), "middles_stored": middles}
    finally:
        storm.close()


def _strike(storm: Storm) -> None:
    """The rounds: start, disturb perhaps, die."""
    plan = storm.plan
    faults = plan.faults(storm.rng)
    disturbances = _disturbances(storm, len(faults))
    big = {len(faults) * 3 // 10, len(faults) * 7 // 10}
    for number, fault in enumerate(faults):
        if number == SNAPSHOT_DEATHS - 1:
            for writer in storm.writers:
                writer.start()
        life = storm.nest.hatch(fault)
        began = time.monotonic()
        if number in big and plan.rows >= 1_000:
            big_transaction(storm.rig.dsn, number, plan.rows // 20)
            storm.quota.wrote(plan.rows // 20)
        lot = storm.rng.random()
        while _goes_on(life, fault, began, lot):
            # A point that is still not met needs more rows.
            share = min(4.0 if fault else 1.0, (time.monotonic() - began) / ROUND_S)
            storm.quota.allow(int(plan.rows * (number + share) / len(faults)))
            life.ended.wait(0.05)
        disturb = disturbances.get(number)
        if disturb is not None and not life.ended.is_set():
            storm.say(f"round {number}: {disturb}")
            _disturb(storm, disturb)
        _end(storm, life, fault)
        _writers_live(storm)
        if number % 10 == 9:
            storm.say(f"{number + 1} rounds, {storm.quota.rows} rows, {dict(storm.kills)}")


def _goes_on(life: Life, fault: str, began: float, lot: float) -> bool:
    """Whether this round's process may live on, by its lot from 0 to 1."""
    if life.ended.is_set():
        return False
    age = time.monotonic() - began
    if fault:
        return age < POINT_S
    # A third dies while it starts, the others after some work.
    if lot < 1 / 3:
        return age < lot * STARTING_S
    return age < WORK_S and life.trace.count("after_commit") < 1 + 20 * (lot - 1 / 3)


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


def _disturb(storm: Storm, kind: str) -> None:
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
    life = storm.nest.lives[-1]
    before = life.trace.count("after_commit")
    storm.quota.allow(storm.quota.rows + 200)
    deadline = time.monotonic() + WORK_S
    # It must come through by itself, unless its fault point comes first.
    while life.trace.count("after_commit") <= before and not life.ended.wait(0.05):
        if time.monotonic() > deadline:
            storm.wrong_ends += 1
            storm.say(f"the source does not come back after {kind}")
            return


def _killed(storm: Storm, part: str, number: int) -> None:
    storm.stack.kill(part, number)
    process = storm.stack.process(part)
    deadline = time.monotonic() + 30
    while process.running() and time.monotonic() < deadline:
        time.sleep(0.05)
    storm.stack.start(part)


def _heal(storm: Storm) -> None:
    """Write what is left, let one source read all of it, and end that in order."""
    life = storm.nest.hatch()
    deadline = time.monotonic() + QUIET_S
    storm.quota.allow(storm.plan.rows)
    while storm.quota.rows < storm.plan.rows and time.monotonic() < deadline:
        time.sleep(0.1)
    storm.quota.end()
    for writer in storm.writers:
        writer.join()
    _writers_live(storm)
    for _ in _until_read(storm, life, deadline):
        time.sleep(0.1)
    storm.nest.close()
    storm.say("healed, everything is read")


def _writers_live(storm: Storm) -> None:
    for each in (*storm.writers, storm.watcher):
        if each.failure is not None:
            raise each.failure


def _until_read(storm: Storm, life: Life, deadline: float) -> Iterator[None]:
    with psycopg.connect(storm.rig.dsn, autocommit=True) as server:
        row = server.execute("select pg_current_wal_flush_lsn() - '0/0'::pg_lsn").fetchone()
        end = int(row[0]) if row else 0
        server.execute("insert into item values (0, 0, 'the last row')")
    confirmed = (
        "select confirmed_flush_lsn - '0/0'::pg_lsn from pg_replication_slots "
        f"where slot_name = '{storm.rig.name}'"
    )
    while storm.rig.rows(confirmed)[0][0] < end:
        if life.ended.is_set() or time.monotonic() > deadline:
            raise TimeoutError(f"the source does not come to the end (status {life.code})")
        yield


def _judge_invariant(storm: Storm, judgement: Judgement, topics: Topics) -> int:
    """Judge what the watcher saw; gives how many positions inside a transaction were stored."""
    seen = storm.watcher.end()
    if storm.watcher.failure is not None:
        raise storm.watcher.failure
    judgement.count("invariant_violations", len(seen.violations), seen.violations[:3])
    positions = [each for each in topics.positions() if each.get("phase") == "stream"]
    stored = {each["lsn"] for each in positions}
    never = seen.confirmed - stored
    judgement.count("invariant_violations", len(never), f"confirmed, never stored: {never}")
    return sum(1 for each in positions if each.get("middle"))


def _line(storm: Storm, judgement: Judgement, log: list[Committed]) -> dict[str, Any]:
    written = [each for each in log if each.commit_lsn >= storm.filled]
    events = [event for each in written for event in each.events]
    counters = judgement.counters()
    transactions, records = counters.pop("transactions"), counters.pop("records")
    points = {name: storm.kills[name] for name in (*_points(storm.plan), "random")}
    return {
        "ok": not any(counters.values())
        and not storm.wrong_ends
        and all(points.values())
        and len(events) >= storm.plan.rows
        and storm.kills.total() >= storm.plan.kills,
        **counters,
        "kills": storm.kills.total(),
        "kills_per_point": points,
        "disturbances": dict(storm.disturbances),
        "wrong_ends": storm.wrong_ends,
        "looks_at_the_invariant": storm.watcher.seen.looks,
        "rows": len(events),
        "copies": sum(1 for each in events if each.table == COPIED and each.op == "c"),
        "tables": len(SHAPES),
        "transactions": transactions,
        "records": records,
        "seed": storm.plan.seed,
        "seconds": round(time.monotonic() - storm.began, 1),
    }


def _points(plan: Plan) -> tuple[str, ...]:
    if plan.points:
        return tuple(dict.fromkeys(each.partition(":")[0] for each in plan.points if each))
    return (SNAPSHOT_POINT, *POINTS)
