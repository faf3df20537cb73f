"""The public state of a lot: is it held now, why, and what was last read back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from streams.model.facts import Disposition
from streams.model.hold import AckResult, CauseRef, HoldState, HoldStatus
from streams.rules.hold.cause import CLOSED_WITHOUT_SIGNATURE
from streams.rules.hold.commands import Occasion, following
from streams.rules.hold.spread import (
    NUMBER_IS_AMBIGUOUS,
    cause_of,
    notes,
    open_causes,
    same_number_lots,
)

if TYPE_CHECKING:
    from streams.model.envelope import Envelope
    from streams.model.states import LotState

_WORST_FIRST: tuple[str, ...] = (
    AckResult.ESCAPED,
    AckResult.IN_FLIGHT,
    AckResult.PARTIAL,
    AckResult.REFUSED,
    AckResult.NOT_FOUND,
    AckResult.CONSUMED,
    AckResult.WOULD_HOLD,
    AckResult.WOULD_RELEASE,
    AckResult.SYNTHETIC,
    AckResult.CONTAINED,
    AckResult.RELEASED,
)
_LOTS_IN_A_NOTE = 5


def news(
    before: LotState, after: LotState, occasion: Occasion
) -> tuple[LotState, tuple[HoldState, ...]]:
    """The public state, if a subscriber would see a change.

    A lot that no cause ever held has no public state: absent means free.
    """
    if after == before or (after.revision == 0 and status(after) == HoldStatus.FREE):
        return after, ()
    view = _view(after, occasion.by)
    if view == _view(before, occasion.by):
        return after, ()
    after = replace(after, revision=after.revision + 1)
    cause = cause_of(after, occasion.cause_id or after.held_by)
    root = cause.root if cause else occasion.by
    envelope = following(occasion.by, root, "hold_state", after.lot_id, after.revision)
    return after, (replace(view, envelope=envelope),)


def status(state: LotState) -> HoldStatus:
    """Where the lot's hold stands.

    The subject of a number is held as soon as a lot has the number: that lot carries the hold.
    """
    if state.held:
        return HoldStatus.HELD
    if not open_causes(state):
        return HoldStatus.FREE
    return HoldStatus.HELD if same_number_lots(state) else HoldStatus.WAITING


def _view(state: LotState, envelope: Envelope) -> HoldState:
    restricted = bool(open_causes(state))
    return HoldState(
        envelope=envelope,
        lot_id=state.lot_id,
        status=status(state),
        disposition=Disposition.RESTRICTED if restricted else state.disposition,
        causes=tuple(cause.ref for cause in state.causes),
        hold_id=next((hold.hold_id for hold in state.targets), ""),
        hold_version=state.hold_version,
        last_result=_worst(state),
        prior=state.prior,
        note=_note(state),
    )


def _worst(state: LotState) -> str:
    """The worst of what the targets were last seen to do; an unknown word counts as the worst."""
    seen = [hold.result for hold in state.targets if hold.result]
    known = {result: place for place, result in enumerate(_WORST_FIRST)}
    return min(seen, key=lambda result: known.get(result, -1), default="")


def _note(state: LotState) -> str:
    standing = [cause.ref for cause in open_causes(state)]
    if not standing:
        return ""
    sentences = [
        *(
            f"{ref.cause_id} was closed without signature: the hold stays until the signed close"
            for ref in standing
            if CLOSED_WITHOUT_SIGNATURE in notes(ref)
        ),
        *(
            f"{ref.cause_id} names this lot by its number only, and several lots have that "
            "number: all of them are held"
            for ref in standing
            if NUMBER_IS_AMBIGUOUS in notes(ref)
        ),
        *(
            f"{ref.cause_id} came through {ref.from_lot}, and that edge was taken back: "
            "the hold stays; a person should review it"
            for ref in standing
            if needs_review(state, ref)
        ),
        *_number(state),
    ]
    return ". ".join(sentences)


def needs_review(state: LotState, ref: CauseRef) -> bool:
    """Whether an open cause came over an edge that was taken back later."""
    ways = [parent for parent in state.parents if parent.lot_id == ref.from_lot]
    return ref.open and bool(ways) and all(parent.reversed for parent in ways)


def _number(state: LotState) -> list[str]:
    lots = same_number_lots(state)
    if not lots:
        return []
    more = f" and {len(lots) - _LOTS_IN_A_NOTE} more" if len(lots) > _LOTS_IN_A_NOTE else ""
    return [f"stands for every lot with this number: {', '.join(lots[:_LOTS_IN_A_NOTE])}{more}"]
