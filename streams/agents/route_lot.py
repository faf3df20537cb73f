"""Lot facts, genealogy and read-backs, brought to the lots they concern."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.contracts.topics import GENEALOGY, HOLD_ACKS, LOT_INPUT, LOTS
from streams.rules.hold import route_lot

if TYPE_CHECKING:
    from streams.contracts.topics import Topic
    from streams.engine import Lotgate

INPUTS: tuple[tuple[Topic[Any], str], ...] = (
    (LOTS, "route-lot-lot"),
    (GENEALOGY, "route-lot-genealogy"),
    (HOLD_ACKS, "route-lot-ack"),
)


def register(app: Lotgate) -> None:
    """Bind the routing to lots: stateless, one stage per kind of fact."""
    for topic, name in INPUTS:
        app.stage(topic, emits=(LOT_INPUT,), name=name)(route_lot.decide)
