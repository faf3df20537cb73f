"""How a sink is: what its loop leaves to be read, and its probes and meters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streams.runtime import clock
from streams.runtime.meters import Meter, Reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STILL_S = 300.0
"""A loop that turns no more for so long hangs; every wait in it is shorter or is said."""
NAME = "lotgate.sink"
STATES = ("starting", "reading", "waiting", "ended")


@dataclass(slots=True)
class SinkHealth:
    """What a probe may ask of a running sink.

    Attributes:
        state: `starting` (checks and what an earlier process left), `reading`, `waiting` (for
            something that is unavailable) or `ended`.
        detail: What it waits for, for people.
        assigned: Partitions that it reads.
        running: Records that are being worked on.
        records: Records that were settled and committed since the start.
        dead: Those of them that became dead letters.
        commits: Commits since the start.
        retries: Attempts after something passing failed.
        committed_ms: When the last commit was, milliseconds since 1970; 0 for never.
        seen_ms: When the loop last turned, milliseconds since 1970; 0 for never.
    """

    state: str = "starting"
    detail: str = ""
    assigned: int = 0
    running: int = 0
    records: int = 0
    dead: int = 0
    commits: int = 0
    retries: int = 0
    committed_ms: int = 0
    seen_ms: int = 0

    def turned(self, *, assigned: int, running: int = 0) -> None:
        """The loop looked up."""
        self.seen_ms, self.assigned, self.running = clock.now_ms(), assigned, running
        if self.state == "starting" or (self.state == "waiting" and not running):
            self.state, self.detail = "reading", ""

    def committed(self, records: int, dead: int = 0) -> None:
        """Records are done; whatever was away is back."""
        self.commits += 1
        self.records += records
        self.dead += dead
        self.committed_ms = clock.now_ms()
        self.state, self.detail = "reading", ""

    def waits(self, why: str) -> None:
        """Something that is needed is away."""
        self.retries += 1
        self.state, self.detail = "waiting", why


class SinkTold:
    """What a sink tells.

    Args:
        interface: The connector's name.
        version: Version of the running code.
        health: What its loop leaves to be read.
        contract: What it does with what fails, for whoever compares it with what was agreed.
    """

    meters = (
        Meter(f"{NAME}.state", "", "1 for the state that the sink is in."),
        Meter(f"{NAME}.records", "", "Records settled and committed.", "counter"),
        Meter(f"{NAME}.dead.letters", "", "Records set aside as dead letters.", "counter"),
        Meter(f"{NAME}.commits", "", "Commits.", "counter"),
        Meter(f"{NAME}.retries", "", "Attempts after something passing failed.", "counter"),
        Meter(f"{NAME}.commit.age", "s", "Time since the last commit."),
        Meter(f"{NAME}.partitions", "", "Partitions that it reads."),
        Meter(f"{NAME}.running", "", "Records that are being worked on."),
    )

    def __init__(
        self,
        interface: str,
        version: str,
        health: SinkHealth,
        contract: Mapping[str, Any] | None = None,
    ) -> None:
        self._interface, self._version, self._health = interface, version, health
        self._contract = contract

    def report(self) -> Mapping[str, Any]:
        """See `Told.report`."""
        reasons = {
            "started": self._not_started(),
            "live": self._not_live(),
            "ready": self._not_ready(),
        }
        return {
            **{name: not found for name, found in reasons.items()},
            "reasons": reasons,
            "version": self._version,
            "interface": self._interface,
            "state": self._health.state,
            "detail": self._health.detail,
            **({} if self._contract is None else {"contract": self._contract}),
            **{each.meter: each.value for each in self.readings() if len(each.labels) == 1},
        }

    def readings(self) -> Iterator[Reading]:
        """See `Told.readings`."""
        health = self._health
        yield from (self._one("state", health.state == name, state=name) for name in STATES)
        yield self._one("records", health.records)
        yield self._one("dead.letters", health.dead)
        yield self._one("commits", health.commits)
        yield self._one("retries", health.retries)
        yield self._one("partitions", health.assigned)
        yield self._one("running", health.running)
        if health.committed_ms:
            yield self._one("commit.age", (clock.now_ms() - health.committed_ms) / 1000)

    def _one(self, name: str, value: float, **labels: str) -> Reading:
        return Reading(f"{NAME}.{name}", float(value), {"interface": self._interface, **labels})

    def _not_started(self) -> list[str]:
        if self._health.seen_ms or self._health.state == "waiting":
            return []
        return [self._health.detail or "the broker was not reached, or the checks are not done"]

    def _not_live(self) -> list[str]:
        health = self._health
        if health.state == "ended":
            return ["the sink has ended"]
        silent = (clock.now_ms() - health.seen_ms) / 1000
        # What is away never counts: a sink that waits says so.
        if health.state == "reading" and health.seen_ms and silent > STILL_S:
            return [f"the loop has not turned for {silent:.0f} s"]
        return []

    def _not_ready(self) -> list[str]:
        health = self._health
        if health.state == "reading" and health.assigned:
            return []
        if health.state == "reading":
            return ["the group gave it no partition (yet)"]
        return [f"{health.state}: {health.detail}" if health.detail else health.state]
