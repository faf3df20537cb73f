"""A storm in progress: what the nemeses act on, and what they did."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from random import Random

from tests.storm.cluster import Cluster
from tests.storm.feeder import Feeder
from tests.storm.workers import Workers

ALL_NAMES = ("w1", "w2", "w3", "w4")
AT_WORK_S = 10.0


@dataclass
class Storm:
    """What the nemeses act on, and what they did."""

    cluster: Cluster
    workers: Workers
    feeder: Feeder
    group: str
    rng: Random
    began: float = field(default_factory=time.monotonic)
    zombie_commits_refused: int = 0
    zombie_timer_cycles_refused: int = 0
    broker_kills: int = 0
    done: dict[str, int] = field(default_factory=dict)

    def say(self, text: str) -> None:
        sys.stdout.write(f"[{time.monotonic() - self.began:6.1f} s] {text}\n")
        sys.stdout.flush()

    def one(self) -> str:
        """A worker that commits cycles now, if there is one soon; else any that runs."""
        deadline = time.monotonic() + AT_WORK_S
        while time.monotonic() < deadline:
            busy = self.workers.at_work(0.2)
            if busy:
                return self.rng.choice(busy)
        name = self.rng.choice(self.workers.names)
        self.workers.wait_running(name)
        return name

    def need_two(self) -> None:
        """Let a second worker join when there is one only, or nobody takes over."""
        if len(self.workers.names) == 1:
            name = next(name for name in ALL_NAMES if name not in self.workers.names)
            self.workers.join(name)
            self.workers.wait_running(name)
            self.say(f"{name} joins, so that there are two")

    def rest(self, least: float, most: float) -> None:
        time.sleep(self.rng.uniform(least, most))
