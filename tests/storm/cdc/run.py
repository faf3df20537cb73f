"""One storm over the PostgreSQL source, from its first process to its final line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from localstack import Stack

from tests.storm.cdc import wal
from tests.storm.cdc.field import POINTS, SNAPSHOT_POINT, Plan, Storm
from tests.storm.cdc.findings import Judgement
from tests.storm.cdc.judging import judge
from tests.storm.cdc.nest import Life
from tests.storm.cdc.reading import Topics
from tests.storm.cdc.rounds import strike
from tests.storm.cdc.tables import COPIED, SHAPES
from tests.storm.cdc.wal import Committed

QUIET_S = 180.0


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
        strike(storm)
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
    storm.check()
    for _ in _until_read(storm, life, deadline):
        time.sleep(0.1)
    storm.nest.close()
    storm.say("healed, everything is read")


def _until_read(storm: Storm, life: Life, deadline: float) -> Iterator[None]:
    with psycopg.connect(storm.rig.dsn, autocommit=True) as server:
        row = server.execute("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
        end = int(row[0]) if row else 0
        server.execute("insert into item values (0, 0, 'the last row')")
    while not (storm.watcher.has_read_all() and storm.watcher.stored > end):
        if life.ended.is_set() or time.monotonic() > deadline:
            raise TimeoutError(
                f"the source does not come to the end at {end:X} (status {life.code}); stored is "
                f"{storm.watcher.position}; {storm.nest.last_words()}"
            )
        yield


def _judge_invariant(storm: Storm, judgement: Judgement, topics: Topics) -> int:
    """Judge what the watcher saw; gives how many positions inside a transaction were stored."""
    seen = storm.watcher.end()
    if storm.watcher.failure is not None:
        raise storm.watcher.failure
    judgement.count("invariant_violations", len(seen.violations), seen.violations[:3])
    positions = [each for each in topics.positions() if "lsn" in each]
    # A slot is confirmed at its snapshot's point from the start, until the log moves it on.
    stored = {each["lsn"] for each in positions}
    never = seen.confirmed - stored
    judgement.count("invariant_violations", len(never), f"confirmed, never stored: {never}")
    left = sorted({"middle", "snapshot"} & positions[-1].keys())
    judgement.count("metadata_errors", len(left), f"the last position still has {left}")
    return sum(1 for each in positions if each.get("middle"))


def _line(storm: Storm, judgement: Judgement, log: list[Committed]) -> dict[str, Any]:
    written = [each for each in log if each.commit_lsn >= storm.filled]
    events = [event for each in written for event in each.events]
    counters = judgement.counters()
    transactions, records = counters.pop("transactions"), counters.pop("records")
    points = {name: storm.kills[name] for name in _points(storm.plan)}
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
    return (SNAPSHOT_POINT, *POINTS, "random")
