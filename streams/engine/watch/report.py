"""How the worker stands, for probes and for people, from what its threads left to be read."""

from __future__ import annotations

from dataclasses import asdict
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streams.engine.cycle.engine import Engine
    from streams.engine.kafka.records import TopicPartitionKey
    from streams.engine.watch.watch import Watch


def report(engine: Engine | None, watch: Watch | None, *, ends: bool, build: str) -> dict[str, Any]:
    """Say it.

    Args:
        engine: The engine, once there is one.
        watch: Its watch, likewise.
        ends: Whether the worker is ending.
        build: Version of the running code.

    Returns:
        As `Lotgate.health`.
    """
    if engine is None or watch is None or not engine.is_started:
        return _not_started(watch, ends=ends, build=build)
    membership, picture = engine.membership, watch.picture
    owned = sorted(membership.owned)
    active = frozenset(list(membership.active))
    restoring = [key for key in owned if key not in active]
    reasons = {
        "started": [],
        "live": watch.not_live(),
        "ready": _not_ready(watch, restoring, ends=ends),
    }
    return {
        **{name: not found for name, found in reasons.items()},
        "reasons": reasons,
        "version": build,
        "phase": watch.marks.phase.value,
        "waiting": watch.marks.waiting or picture.waiting,
        "assigned": [_told(key) for key in owned],
        "unassigned": not owned,
        "restoring": [_told(key) for key in restoring],
        "restore": asdict(picture.restore) if restoring and picture.restore else None,
        "lag": {_told(key): place.lag for key, place in list(watch.lags.places.items())},
        "parked_keys": sum(picture.parked.values()),
        "fuses": {_told(key): why for key, why in picture.fuses.items()},
        "cycles": engine.cycles,
        "records": engine.records,
        "seconds_since_cycle": monotonic() - engine.last_cycle if engine.cycles else None,
    }


def _not_started(watch: Watch | None, *, ends: bool, build: str) -> dict[str, Any]:
    waiting = watch.marks.waiting if watch is not None else ""
    why = [waiting or "the group was not joined yet", *(["the worker is ending"] if ends else [])]
    live = watch.not_live() if watch is not None else []
    return {
        "started": False,
        "live": not live,
        "ready": False,
        "reasons": {"started": why, "live": live, "ready": why},
        "version": build,
        "phase": watch.marks.phase.value if watch is not None else "",
        "waiting": waiting,
        "assigned": [],
        "unassigned": True,
        "restoring": [],
        "restore": None,
        "lag": {},
        "parked_keys": 0,
        "fuses": {},
        "cycles": 0,
        "records": 0,
        "seconds_since_cycle": None,
    }


def _not_ready(watch: Watch, restoring: list[TopicPartitionKey], *, ends: bool) -> list[str]:
    found = []
    if ends:
        found.append("the worker is ending")
    if not watch.was_assigned:
        found.append("the group gave no assignment yet")
    found += [why for why in (watch.marks.waiting, watch.picture.waiting) if why]
    if restoring:
        found.append(f"not restored yet: {', '.join(map(_told, restoring))}")
    return found


def _told(key: TopicPartitionKey) -> str:
    return f"{key[0]}[{key[1]}]"
