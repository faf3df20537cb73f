"""The plan of a storm over the PostgreSQL source, and what runs while it blows."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

from localstack import Stack

from tests.live.test_cdc_support import drop_rig, make_rig
from tests.storm.cdc import wal
from tests.storm.cdc.long_writers import LongWriter
from tests.storm.cdc.nest import Nest, Order
from tests.storm.cdc.quota import Quota
from tests.storm.cdc.tables import SCHEMA, before_the_snapshot
from tests.storm.cdc.watch import Watcher
from tests.storm.cdc.writers import Writer

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
HOPELESS = 3
"""So many ends that nobody caused, and there is nothing to judge."""


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
        self.rig.sql(*before_the_snapshot(min(SNAPSHOT_ROWS, plan.rows // 6)))
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

    def check(self) -> None:
        """Raise what ended a writer or the watcher; give up on a source that does not work."""
        for each in (*self.writers, self.watcher):
            if each.failure is not None:
                raise each.failure
        if self.wrong_ends >= HOPELESS:
            raise RuntimeError(f"the source ends by itself: {self.nest.last_words()}")
