"""Lots: their causes, what they pass on, the commands to the targets and the public state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.contracts.topics import HOLD_COMMANDS, HOLD_STATE, LOT_INPUT
from streams.engine import Store
from streams.model.states import LotState
from streams.rules.hold import lot

if TYPE_CHECKING:
    from streams.engine import Lotgate
    from streams.model.messages import LotMessage
    from streams.model.verdict import Verdict

LOT_STATES = Store("lot", LotState, "lotgate.inventory.LotState")


def register(app: Lotgate, targets: tuple[str, ...]) -> None:
    """Bind the lot stage. Its state is a join, so it needs no dedupe by position.

    Args:
        app: The worker.
        targets: Names of the systems that can hold a lot.
    """

    def decide(state: LotState | None, message: LotMessage) -> Verdict[LotState]:
        return lot.decide(state, message, targets)

    app.stage(
        LOT_INPUT, store=LOT_STATES, emits=(LOT_INPUT, HOLD_COMMANDS, HOLD_STATE), name="lot"
    )(decide)
