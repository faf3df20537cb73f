"""One lot: Restricted if and only if it has an open cause."""

from __future__ import annotations

from dataclasses import replace

from streams.errors import Poison
from streams.model.envelope import Envelope
from streams.model.facts import Lot
from streams.model.hold import AckResult, HoldAck
from streams.model.messages import LotMessage, LotMessageKind
from streams.model.states import LotCause, LotState
from streams.model.verdict import Verdict
from streams.rules.hold.commands import Occasion, commanded
from streams.rules.hold.spread import with_cause, with_child, with_parent
from streams.rules.hold.view import news

_SNAPSHOT = "r"


def decide(
    state: LotState | None, message: LotMessage, targets: tuple[str, ...]
) -> Verdict[LotState]:
    """Take in whatever reached a lot.

    Args:
        state: The lot, None if nothing reached it before.
        message: A lot fact, an edge, a cause or a read-back.
        targets: Names of the systems that can hold a lot.

    Returns:
        The lot, and in this order: what its children must know, commands, the public state.

    Raises:
        Poison: `incomplete_lot_message` if the part that the kind names is missing.
    """
    before = state or LotState(message.lot_id)
    after, onwards, occasion = _taken_in(before, message)
    after, commands = commanded(after, occasion, targets)
    after, states = news(before, after, occasion)
    return Verdict(after, (*onwards, *commands, *states))


def _taken_in(
    state: LotState, message: LotMessage
) -> tuple[LotState, tuple[LotMessage, ...], Occasion]:
    match message:
        case LotMessage(kind=LotMessageKind.LOT, lot=Lot() as lot):
            after, arrival = _with_fact(state, lot)
            return after, (), Occasion(lot.envelope, arrival=arrival)
        case LotMessage(kind=LotMessageKind.CHILD, edge=edge) if edge is not None:
            after, onwards = with_child(state, edge)
            return after, onwards, Occasion(edge.envelope)
        case LotMessage(kind=LotMessageKind.PARENT, edge=edge) if edge is not None:
            return with_parent(state, edge), (), Occasion(edge.envelope)
        case LotMessage(kind=LotMessageKind.CAUSE, cause=ref, root=Envelope() as root) if (
            ref is not None
        ):
            after, onwards = with_cause(state, LotCause(ref, message.spreads, root))
            return after, onwards, Occasion(root, cause_id=ref.cause_id)
        case LotMessage(kind=LotMessageKind.ACK, ack=HoldAck() as ack):
            return _with_ack(state, ack), (), Occasion(ack.envelope)
        case _:
            raise Poison(
                f"a message of kind {message.kind!r} reached lot {message.lot_id} without its part",
                code="incomplete_lot_message",
                kept="the lot's state and all its causes",
                advice="find the program that wrote it: Lotgate's own stages always set the part",
            )


def _with_fact(state: LotState, lot: Lot) -> tuple[LotState, bool]:
    """Take over a lot fact, and say whether it is live stock that arrived.

    The prior state of a running hold is frozen: facts do not touch it.
    """
    version = lot.envelope.subject_version
    arrived = lot.arrived and version > state.arrival_version
    live = lot.envelope.source.op != _SNAPSHOT
    if arrived:
        state = replace(state, arrival_version=version)
    if not state.known or version > state.fact_version:
        state = replace(
            state,
            known=True,
            fact_version=version,
            material=lot.material,
            number=lot.number,
            disposition=lot.disposition,
            place=lot.place,
        )
    return state, arrived and live


def _with_ack(state: LotState, ack: HoldAck) -> LotState:
    """Note what was read back. A read-back changes no cause and no command."""
    if ack.result == AckResult.STALE_IGNORED:
        return state
    targets = tuple(
        replace(
            hold,
            acked_version=ack.hold_version,
            result=ack.result,
            observed_at=ack.observed_at,
        )
        if hold.target == ack.target
        and (
            hold.observed_at is None
            or (ack.hold_version, ack.observed_at) > (hold.acked_version, hold.observed_at)
        )
        else hold
        for hold in state.targets
    )
    return replace(state, targets=targets)
