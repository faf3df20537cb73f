"""Causes over their versions, each telling the lots it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.contracts.topics import CAUSE_INPUT, LOT_INPUT
from streams.engine import Store
from streams.model.states import CauseState
from streams.rules.hold import cause

if TYPE_CHECKING:
    from streams.engine import Lotgate

CAUSES = Store("cause", CauseState, "lotgate.quality.CauseState")


def register(app: Lotgate) -> None:
    """Bind the cause stage. Its state is a join, so it needs no dedupe by position."""
    app.stage(CAUSE_INPUT, store=CAUSES, emits=(LOT_INPUT,), name="cause")(cause.decide)
