"""Bring everything that concerns a lot to the lots concerned.

A lot fact also tells the subject that stands for "every lot with this number" that the lot is one
of them. A cause that names a lot by number only reaches that subject, and through it every lot of
the number, those included that appear later.
"""

from __future__ import annotations

from dataclasses import replace

from streams.model.facts import GenealogyEdge, Lot
from streams.model.hold import HoldAck
from streams.model.ids import lots_of_number
from streams.model.messages import LotMessage, LotMessageKind
from streams.model.verdict import Verdict

SAME_NUMBER = "same_number"
"""Relation from the subject of a number to each lot that has the number."""
RENAMED = "renamed"
"""Relation between two names of one lot."""
SAME_LOT = frozenset({SAME_NUMBER, RENAMED})
"""Relations that are no step of genealogy: what names one side names the other."""


def decide(_state: None, event: Lot | GenealogyEdge | HoldAck) -> Verdict[None]:
    """Address a fact or a read-back to the lots that keep it."""
    match event:
        case Lot():
            return Verdict(None, _lot(event))
        case GenealogyEdge():
            return Verdict(None, _edge(event))
        case HoldAck():
            return Verdict(None, (LotMessage(event.lot_id, LotMessageKind.ACK, ack=event),))


def _lot(lot: Lot) -> tuple[LotMessage, ...]:
    fact = LotMessage(lot.lot_id, LotMessageKind.LOT, lot=lot)
    number = lots_of_number(lot.lot_id)
    if number == lot.lot_id:
        return (fact,)
    return (fact, LotMessage(number, LotMessageKind.CHILD, edge=_same_number(lot, number)))


def _same_number(lot: Lot, number: str) -> GenealogyEdge:
    """The standing edge from a number to a lot: version 1 for ever, so repeats change nothing.

    It keeps the id of the lot fact: what follows from it was caused by that fact.
    """
    envelope = replace(lot.envelope, subject_version=1)
    return GenealogyEdge(envelope, lot.lot_id, number, SAME_NUMBER)


def _edge(edge: GenealogyEdge) -> tuple[LotMessage, ...]:
    return (
        LotMessage(edge.parent_lot_id, LotMessageKind.CHILD, edge=edge),
        LotMessage(edge.child_lot_id, LotMessageKind.PARENT, edge=edge),
    )
