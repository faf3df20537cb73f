"""One agent per file: a topic, a store and a rule, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.agents import cause, lot, route_cause, route_lot, translate

if TYPE_CHECKING:
    from streams.engine import Lotgate


def register_all(app: Lotgate, *, targets: tuple[str, ...]) -> None:
    """Bind the main job: translate, route-cause, cause, route-lot, lot.

    Args:
        app: The worker.
        targets: Names of the systems that can hold a lot, as their sinks call themselves.
    """
    translate.register(app)
    route_cause.register(app)
    cause.register(app)
    route_lot.register(app)
    lot.register(app, targets)
