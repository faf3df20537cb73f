"""A plant in memory: the shipped hold rules over many causes and lots, messages delivered."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from streams.model.facts import GenealogyEdge, InspectionResult, Lot, Nonconformity
from streams.model.hold import HoldAck, HoldCommand, HoldState
from streams.model.messages import CauseMessage, LotMessage
from streams.rules.hold import cause, lot, route_cause, route_lot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.model.states import CauseState, LotState

DELIVERIES = 100_000
"""Past this a plant of a few lots is taken to go round for ever."""


class Plant:
    """Keeps the state of every key and what was sent out.

    Args:
        targets: Names of the systems that can hold a lot.

    Attributes:
        causes: State of the cause stage by cause id.
        lots: State of the lot stage by lot id.
        commands: Commands in the order in which they were sent.
        states: Public states in the order in which they were sent.
    """

    def __init__(self, targets: tuple[str, ...]) -> None:
        self._targets = targets
        self.causes: dict[str, CauseState] = {}
        self.lots: dict[str, LotState] = {}
        self.commands: list[HoldCommand] = []
        self.states: list[HoldState] = []

    def run(self, events: Iterable[object]) -> bool:
        """Deliver events and all that follows, oldest first.

        Returns:
            False if it did not come to rest within `DELIVERIES`.
        """
        pending = deque(events)
        for _ in range(DELIVERIES):
            if not pending:
                return True
            pending.extend(self.handle(pending.popleft()))
        return False

    def handle(self, event: object) -> tuple[object, ...]:
        """Deliver one event to its stage and return what goes on to other stages.

        Raises:
            TypeError: No stage reads this type.
        """
        match event:
            case Nonconformity() | InspectionResult():
                return route_cause.decide(None, event).emits
            case Lot() | GenealogyEdge() | HoldAck():
                return route_lot.decide(None, event).emits
            case CauseMessage():
                of_cause = cause.decide(self.causes.get(event.cause_id), event)
                if of_cause.state is not None:
                    self.causes[event.cause_id] = of_cause.state
                return of_cause.emits
            case LotMessage():
                return self._to_lot(event)
            case _:
                raise TypeError(f"no stage reads a {type(event).__name__}")

    def _to_lot(self, message: LotMessage) -> tuple[object, ...]:
        verdict = lot.decide(self.lots.get(message.lot_id), message, self._targets)
        if verdict.state is not None:
            self.lots[message.lot_id] = verdict.state
        onwards: list[object] = []
        for emitted in verdict.emits:
            match emitted:
                case HoldCommand():
                    self.commands.append(emitted)
                case HoldState():
                    self.states.append(emitted)
                case _:
                    onwards.append(emitted)
        return tuple(onwards)
