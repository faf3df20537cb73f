"""The worker's meters, made from what it tells probes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.runtime.meters import Meter, Reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAME = "lotgate.worker"

METERS = (
    Meter(f"{NAME}.well", "", "1 if it is: started, live, ready."),
    Meter(f"{NAME}.phase", "", "1 for what the worker does right now."),
    Meter(f"{NAME}.partitions", "", "Partitions assigned, and of these still restoring."),
    Meter(f"{NAME}.lag", "", "Offsets before the end, by topic and partition."),
    Meter(f"{NAME}.cycles", "", "Cycles committed.", "counter"),
    Meter(f"{NAME}.records", "", "Records that committed cycles took.", "counter"),
    Meter(f"{NAME}.cycle.age", "s", "Time since the last cycle."),
    Meter(f"{NAME}.parked.keys", "", "Keys whose records wait behind a dead letter."),
    Meter(f"{NAME}.fuses.tripped", "", "Partitions that stopped because too many records failed."),
)


def readings(told: Mapping[str, Any]) -> Iterator[Reading]:
    """The meters' values.

    Args:
        told: What `Lotgate.health` gives.
    """
    for name in ("started", "live", "ready"):
        yield _one("well", told[name], probe=name)
    if told["phase"]:
        yield _one("phase", 1, phase=told["phase"])
    yield _one("partitions", len(told["assigned"]), of="assigned")
    yield _one("partitions", len(told["restoring"]), of="restoring")
    for place, lag in told["lag"].items():
        topic, _, partition = place.removesuffix("]").rpartition("[")
        yield _one("lag", lag, topic=topic, partition=partition)
    yield _one("cycles", told["cycles"])
    yield _one("records", told["records"])
    if told["seconds_since_cycle"] is not None:
        yield _one("cycle.age", told["seconds_since_cycle"])
    yield _one("parked.keys", told["parked_keys"])
    yield _one("fuses.tripped", len(told["fuses"]))


def _one(name: str, value: float, **labels: str) -> Reading:
    return Reading(f"{NAME}.{name}", float(value), labels)
