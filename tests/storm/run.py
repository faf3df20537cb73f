"""One storm from its first process to its final line."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from confluent_kafka import KafkaException

from streams.contracts.provisioning import (
    changelog_spec,
    control_spec,
    dead_letter_spec,
    topic_spec,
)
from streams.contracts.topic_specs import TopicSpec
from streams.engine import ExitCode, provision
from streams.runtime.connection import KafkaConnection
from tests.storm import judging, surroundings
from tests.storm.cluster import Cluster
from tests.storm.feeder import Feeder, Inputs
from tests.storm.field import ALL_NAMES, Storm
from tests.storm.judging import Judgement, Names
from tests.storm.nemeses import NEMESES, WEIGHTS
from tests.storm.reading import Broker
from tests.storm.workers import SESSION_MS, TRANSACTION_MS, Workers

GROUP = "storm"
PARTITIONS = 4
DISK_MEGABYTES = 512
QUIET_S = 90.0
ATTEMPTS = 4
"""How often a nemesis that must have hit is tried again."""
NAMED_STOPS = (ExitCode.FUSE, ExitCode.START_POSITION, ExitCode.STATE_NEWER)
"""A worker that ends so has met what a storm cannot cause."""
MUST_HIT = {
    "kills": "kill_some",
    "rebalances": "join_or_leave",
    "kills_in_open_cycle": "kill_at_some_point",
    "kills_between_commit_and_write": "kill_between_commit_and_write",
    "zombie_commits_refused": "zombie",
    "zombie_timer_cycles_refused": "zombie_with_timers",
    "txn_aborted": "zombie",
    "restores": "die_at_start",
    "takeovers_with_open_txn": "take_over_open",
}
"""Counters that say that the storm hit, each with the nemesis that raises it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a storm is made of; what is None is drawn by the seed."""

    seed: int
    seconds: float
    brokers: int | None = None
    standbys: int | None = None
    protocol: str = "classic"
    rate: float = 250

    def drawn(self, rng: Random) -> Plan:
        """The plan with nothing left open."""
        brokers, standbys = rng.choice((1, 3)), rng.choice((0, 1))
        return replace(
            self,
            brokers=self.brokers or brokers,
            standbys=standbys if self.standbys is None else self.standbys,
        )


def run_storm(plan: Plan, folder: Path, cache: Path) -> dict[str, Any]:
    """Storm, heal, compare; gives the fields of the final line.

    Args:
        plan: What to do.
        folder: Where everything of the storm is kept.
        cache: Where the parts' downloads are.
    """
    rng = Random(plan.seed)
    plan = plan.drawn(rng)
    disks = folder / "disks"
    surroundings.size_limited(disks, DISK_MEGABYTES)
    cluster = Cluster(folder, cache, plan.brokers or 1)
    workers = None
    try:
        cluster.start_all()
        names = _provisioned(cluster)
        workers = Workers(folder, disks, _settings(cluster, plan))
        inputs = Inputs(plan.seed, lambda: time.time_ns() // 1_000)
        feeder = Feeder(cluster.bootstrap, names.readings, inputs, plan.rate)
        storm = Storm(cluster, workers, feeder, GROUP, rng)
        storm.say(str(plan))
        _rage(storm, plan.seconds)
        broker = Broker(cluster.bootstrap, GROUP)
        quiet, judgement, compared = _healed(storm, broker, names)
        return _line(storm, plan, judgement, quiet=quiet, disks=compared)
    finally:
        if workers is not None:
            workers.close()
        cluster.end()
        surroundings.unmount(disks)


def _provisioned(cluster: Cluster) -> Names:
    # The topics of the storm's own job; imported here, since it is an application of its own.
    from tests.storm import job

    connection = KafkaConnection(
        cluster.bootstrap,
        group=GROUP,
        replication_factor=cluster.copies,
        min_insync=cluster.min_insync,
    )
    specs = [
        topic_spec(job.READINGS, connection),
        topic_spec(job.RESULTS, connection),
        changelog_spec("lots", PARTITIONS, connection),
    ]
    sized = [TopicSpec(s.name, PARTITIONS, s.replication_factor, s.config) for s in specs]
    others = [control_spec(connection), dead_letter_spec(GROUP, connection)]
    provision(connection, [*sized, *others])
    cluster.wait_ready()
    return Names(GROUP, PARTITIONS)


def _settings(cluster: Cluster, plan: Plan) -> dict[str, Any]:
    return {
        "bootstrap": cluster.bootstrap,
        "group": GROUP,
        "session_timeout_ms": SESSION_MS,
        "transaction_timeout_ms": TRANSACTION_MS,
        "group_protocol": plan.protocol,
        "standbys": plan.standbys,
        "cycle_records": 500,
    }


def _rage(storm: Storm, seconds: float) -> None:
    """Every nemesis once, in a drawn order, then drawn ones; last, those that did not hit yet."""
    for name in ALL_NAMES[: storm.rng.randint(2, 3)]:
        storm.workers.join(name)
    storm.feeder.start()
    for name in storm.workers.names:
        storm.workers.wait_running(name, 60)
    end = storm.began + seconds
    first = list(NEMESES)
    storm.rng.shuffle(first)
    drawn = list(NEMESES)
    weights = [WEIGHTS.get(name, 1) for name in drawn]
    while first or time.monotonic() < end:
        _strike(storm, first.pop() if first else storm.rng.choices(drawn, weights)[0])
        storm.rest(0.0, 0.5)
    for _ in range(ATTEMPTS):
        missing = [counter for counter, count in hits(storm).items() if not count]
        for counter in missing:
            _strike(storm, MUST_HIT[counter])
            storm.rest(0.5, 1.5)


def _strike(storm: Storm, name: str) -> None:
    try:
        NEMESES[name](storm)
    except KafkaException as failure:
        # A question to a broker that has just been killed.
        storm.say(f"{name}: {failure}")
    storm.done[name] = storm.done.get(name, 0) + 1


def hits(storm: Storm) -> dict[str, int]:
    """How often the storm hit work, by counter."""
    workers, tally = storm.workers, storm.workers.tally
    return {
        "kills": tally.kills,
        "rebalances": workers.passed("assigned"),
        "kills_in_open_cycle": tally.kills_in_open_cycle,
        "kills_between_commit_and_write": tally.kills_between_commit_and_write,
        "zombie_commits_refused": storm.zombie_commits_refused,
        "zombie_timer_cycles_refused": storm.zombie_timer_cycles_refused,
        "txn_aborted": workers.passed("txn_aborted"),
        "restores": workers.passed("restored"),
        "takeovers_with_open_txn": workers.passed("restore_waits_for_txn"),
    }


def _healed(storm: Storm, broker: Broker, names: Names) -> tuple[bool, Judgement, int]:
    """Bring all back, wait until it is quiet, end the workers, compare."""
    workers = storm.workers
    storm.cluster.heal()
    for name in ALL_NAMES:
        if name in workers.runs:
            workers.step_clock(name, 0)
            workers.runs[name].trace.clear()
    storm.feeder.resume()
    storm.feeder.end()
    healed = time.monotonic()
    storm.say("healed, no more input")
    quiet, judgement = False, Judgement()
    while time.monotonic() - healed < QUIET_S:
        left = QUIET_S - (time.monotonic() - healed)
        quiet = judging.wait_quiet(broker, names, storm.feeder, left)
        judgement = judging.judge(broker, names, storm.feeder)
        # A timer whose partition is still being handed over fires a little later.
        if quiet and not judgement.timers_missed:
            break
    storm.say(f"quiet {quiet} after {time.monotonic() - healed:.1f} s")
    if not quiet:
        _tell_why(storm, broker, names)
    for name in workers.names:
        with suppress(TimeoutError):
            workers.leave(name)
    count = judging.judge_disks(judgement, broker, names, workers.disks)
    for line in judgement.told:
        storm.say(line)
    return quiet, judgement, count


def _tell_why(storm: Storm, broker: Broker, names: Names) -> None:
    """What stands in the way of quiet: positions, members, and where each worker is."""
    with suppress(KafkaException):
        ends = broker.ends(names.all_places(), committed=False)
        stable = broker.ends(names.all_places(), committed=True)
        blocked = {at: (stable[at], end) for at, end in ends.items() if stable[at] != end}
        storm.say(f"open: {blocked}")
        storm.say(f"ends: {ends}")
        storm.say(f"members: {broker.members()}")
        storm.say(f"positions: {broker.positions(names.places(names.readings))}")
    for name in storm.workers.names:
        run = storm.workers.runs[name]
        storm.say(f"{name} {run.state()}: {run.trace.last_point()}, {run.trace.points()}")


def _line(
    storm: Storm, plan: Plan, judgement: Judgement, *, quiet: bool, disks: int
) -> dict[str, Any]:
    tally, hit = storm.workers.tally, hits(storm)
    stops = tally.unforeseen + sum(tally.exits[code] for code in NAMED_STOPS)
    counters = judgement.counters()
    bad = any(counters.values()) or stops or storm.feeder.failed or not quiet
    return {
        "ok": not bad and all(hit.values()),
        **counters,
        **hit,
        **asdict(plan),
        "broker_kills": storm.broker_kills,
        "records": len(storm.feeder.sent),
        "disks_compared": disks,
        "runs_of_workers": len(storm.workers.traces),
        "exits": {str(code): count for code, count in sorted(tally.exits.items())},
        "wrong_exits": stops,
        "is_quiet": quiet,
        "nemeses": storm.done,
    }
