"""A source's probes and meters."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from connectors.runner.health.serving import served
from connectors.runner.health.slot import SlotWatch
from connectors.runner.health.source import not_live, not_ready, not_started
from streams.runtime import clock
from streams.runtime.meters import Meter, Reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connectors.runner.health.source import SourceHealth
    from connectors.runner.source_config import SourceConfig
    from streams.runtime.settings import HealthSettings

STATES = ("starting", "reading", "waiting", "ended")
SLOT_STATES = ("reserved", "extended", "unreserved", "lost", "missing", "unknown")
NAME = "lotgate.source"


class SourceTold:
    """What a source tells.

    Args:
        config: The source.
        health: What its loop leaves to be read.
        watch: What is seen of its slot.
        contract: What it does with what fails, for whoever compares it with what was agreed.
    """

    meters = (
        Meter(f"{NAME}.state", "", "1 for the state that the source is in."),
        Meter(f"{NAME}.rows", "{row}", "Row changes carried over.", "counter"),
        Meter(f"{NAME}.commits", "", "Kafka transactions committed.", "counter"),
        Meter(f"{NAME}.dead.rows", "{row}", "Rows set aside as dead letters.", "counter"),
        Meter(f"{NAME}.retries", "", "Returns to the stored position.", "counter"),
        Meter(f"{NAME}.commit.age", "s", "Time since the last commit."),
        Meter(f"{NAME}.lag", "By", "Log that the server wrote and this source did not store."),
        Meter(f"{NAME}.lag.time", "s", "Age of the oldest log that is not stored."),
        Meter(f"{NAME}.lsn", "", "Positions in the log: server, stored, confirmed."),
        Meter(f"{NAME}.slot.state", "", "1 for the state that the slot is in."),
        Meter(f"{NAME}.slot.active", "", "1 while someone streams from the slot."),
        Meter(f"{NAME}.slot.retained", "By", "Log that the server keeps for the slot."),
        Meter(f"{NAME}.slot.safe", "By", "Log until the slot is lost; absent without a limit."),
        Meter(f"{NAME}.slot.xmin.age", "", "Transactions for which catalogue rows are kept."),
        Meter(f"{NAME}.snapshot.rows", "{row}", "Rows of the running snapshot that are out."),
        Meter(f"{NAME}.snapshot.expected", "{row}", "Rows that it has in all, about."),
        Meter(f"{NAME}.snapshot.tables", "", "Tables that it has not finished."),
    )

    def __init__(
        self,
        config: SourceConfig,
        health: SourceHealth,
        watch: SlotWatch,
        contract: Mapping[str, Any] | None = None,
    ) -> None:
        self._config, self._health, self._watch = config, health, watch
        self._contract = contract

    def report(self) -> Mapping[str, Any]:
        """See `Told.report`."""
        health, slot = self._health, self._watch.figures
        reasons = {
            "started": not_started(health),
            "live": not_live(health),
            "ready": not_ready(health),
        }
        if slot is not None and slot.state == "lost":
            reasons["ready"].append(f"slot {self._config.slot} has lost its log")
        return {
            **{name: not found for name, found in reasons.items()},
            "reasons": reasons,
            "version": self._config.version,
            "source": self._config.source,
            "state": health.state,
            "detail": health.detail,
            **({} if self._contract is None else {"contract": self._contract}),
            **{each.meter: each.value for each in self.readings() if not _told_apart(each)},
        }

    def readings(self) -> Iterator[Reading]:
        """See `Told.readings`."""
        health, slot = self._health, self._watch.figures
        yield from (self._one("state", health.state == name, state=name) for name in STATES)
        yield self._one("rows", health.rows)
        yield self._one("commits", health.commits)
        yield self._one("dead.rows", health.dead)
        yield self._one("retries", health.retries)
        if health.committed_ms:
            yield self._one("commit.age", (clock.now_ms() - health.committed_ms) / 1000)
        if health.stored:
            yield self._one("lsn", health.stored, of="stored")
        found = health.snapshot()
        if found is not None:
            mode, tables, rows, expected = found
            yield self._one("snapshot.rows", rows, mode=mode)
            yield self._one("snapshot.expected", expected, mode=mode)
            yield self._one("snapshot.tables", tables, mode=mode)
        state = "unknown" if slot is None else slot.state
        yield from (self._one("slot.state", state == name, state=name) for name in SLOT_STATES)
        if slot is None:
            return
        yield self._one("lsn", slot.server, of="server")
        yield self._one("lsn", slot.confirmed, of="confirmed")
        yield self._one("slot.active", slot.active)
        yield self._one("slot.retained", slot.retained)
        yield self._one("slot.xmin.age", slot.xmin_age)
        if slot.safe is not None:
            yield self._one("slot.safe", slot.safe)
        if health.stored:
            yield self._one("lag", max(slot.server - health.stored, 0))
            yield self._one("lag.time", slot.behind_s)

    def _one(self, name: str, value: float, **labels: str) -> Reading:
        return Reading(f"{NAME}.{name}", float(value), {"source": self._config.source, **labels})


def _told_apart(reading: Reading) -> bool:
    return len(reading.labels) > 1


@contextmanager
def source_served(
    settings: HealthSettings,
    name: str,
    config: SourceConfig,
    health: SourceHealth,
    contract: Mapping[str, Any] | None = None,
) -> Iterator[int]:
    """Answer a source's probes and metrics for the length of a block; gives the port.

    Raises:
        Misconfigured: The port cannot be taken.
    """
    if not settings.health_port:
        yield 0
        return
    watch = SlotWatch(config.dsn, config.slot, lambda: health.stored)
    watch.start()
    told = SourceTold(config, health, watch, contract)
    try:
        with served(settings, name, config.source, told) as port:
            yield port
    finally:
        watch.close()
