"""Quality records become versions of causes, keyed by cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.contracts.topics import CAUSE_INPUT, INSPECTIONS, NONCONFORMITIES
from streams.rules.hold import route_cause

if TYPE_CHECKING:
    from streams.engine import Lotgate


def register(app: Lotgate) -> None:
    """Bind the routing of causes: stateless, one stage per kind of record."""
    for topic, name in (
        (NONCONFORMITIES, "route-cause-nonconformity"),
        (INSPECTIONS, "route-cause-inspection"),
    ):
        app.stage(topic, emits=(CAUSE_INPUT,), name=name)(route_cause.decide)
