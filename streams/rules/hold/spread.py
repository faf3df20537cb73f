"""The causes at a lot, and how they go on to the lots made from it.

A lot knows its own causes and edges only. Whatever is news here goes on as a message to its
children, until no lot learns anything new: the closure over the genealogy, without a graph. What
a lot knows of a cause only grows (a higher version replaces, everything else is a union), hence
cycles end, and order and repetition do not change the end.

Support is never taken from a neighbour: a cause ends everywhere by its own higher, signed version.
A close therefore also goes over edges that were taken back, to lots that got the cause over them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from streams.model.facts import EdgeOp, GenealogyEdge
from streams.model.messages import LotMessage, LotMessageKind
from streams.model.states import ChildEdge, LotCause, LotState, ParentEdge
from streams.rules.hold.route_lot import SAME_LOT, SAME_NUMBER

if TYPE_CHECKING:
    from streams.model.envelope import Envelope
    from streams.model.hold import CauseRef

NUMBER_IS_AMBIGUOUS = "named by number only, and several lots have this number"

_BETWEEN_NOTES = "; "


def with_cause(state: LotState, arrived: LotCause) -> tuple[LotState, tuple[LotMessage, ...]]:
    """Take in a cause and tell the children what is new about it.

    A close without a signature says nothing here: only a signature ends a cause.
    """
    if not arrived.ref.open and not arrived.ref.signature:
        return state, ()
    before = cause_of(state, arrived.ref.cause_id)
    after = arrived if before is None else _joined(before, arrived)
    if after == before:
        return state, ()
    others = [cause for cause in state.causes if cause.ref.cause_id != arrived.ref.cause_id]
    causes = tuple(sorted([*others, after], key=lambda cause: cause.ref.cause_id))
    state = replace(state, causes=causes)
    if before is not None and _for_children(before) == _for_children(after):
        return state, ()
    if not after.ref.open and (before is None or not before.ref.open):
        return state, ()
    messages = _to_children(state, after)
    return (state if after.ref.open else _no_longer_carried(state, after.ref.cause_id)), messages


def with_child(state: LotState, edge: GenealogyEdge) -> tuple[LotState, tuple[LotMessage, ...]]:
    """Take in an edge to a child. An edge that stands anew carries every open cause.

    Two lots have one edge per relation, however many work orders state it: whoever sends edges
    counts the statements, and takes an edge back with the last of them.
    """
    reverse = edge.op == EdgeOp.REVERSE
    before = next((child for child in state.children if _same_edge(child, edge)), None)
    if before is not None and not _newer(edge, before):
        return state, ()
    after = ChildEdge(
        lot_id=edge.child_lot_id,
        relation=edge.relation,
        version=edge.envelope.subject_version,
        reversed=reverse,
        carried=_carried(state, before) if reverse else (),
    )
    others = [child for child in state.children if child is not before]
    children = tuple(sorted([*others, after], key=_edge_order))
    was_ambiguous = _is_ambiguous(state)
    state = replace(state, children=children)
    if reverse or (before is not None and not before.reversed):
        return state, ()
    told = state.children if _is_ambiguous(state) and not was_ambiguous else (after,)
    return state, tuple(
        _onwards(state, child, replace(cause, root=_by_edge(edge.envelope, cause.root)))
        for child in told
        for cause in state.causes
        if cause.ref.open and not child.reversed and _goes_over(cause, child)
    )


def with_parent(state: LotState, edge: GenealogyEdge) -> LotState:
    """Note an edge from a parent. It changes no cause: the parent sends its causes itself."""
    before = next((p for p in state.parents if _same_parent(p, edge)), None)
    if before is not None and not _newer(edge, before):
        return state
    after = ParentEdge(
        lot_id=edge.parent_lot_id,
        relation=edge.relation,
        version=edge.envelope.subject_version,
        reversed=edge.op == EdgeOp.REVERSE,
    )
    others = [parent for parent in state.parents if parent is not before]
    return replace(state, parents=tuple(sorted([*others, after], key=_edge_order)))


def cause_of(state: LotState, cause_id: str) -> LotCause | None:
    """The cause of this id at the lot, None if it never came here."""
    return next((cause for cause in state.causes if cause.ref.cause_id == cause_id), None)


def open_causes(state: LotState) -> tuple[LotCause, ...]:
    """The causes that hold the lot, sorted by id."""
    return tuple(cause for cause in state.causes if cause.ref.open)


def same_number_lots(state: LotState) -> tuple[str, ...]:
    """The lots that this subject stands for, if it stands for a number."""
    return tuple(child.lot_id for child in state.children if child.relation == SAME_NUMBER)


def notes(ref: CauseRef) -> tuple[str, ...]:
    """The single notes on a cause."""
    return tuple(ref.note.split(_BETWEEN_NOTES)) if ref.note else ()


def _joined(one: LotCause, other: LotCause) -> LotCause:
    newer = other if _rank(other.ref) > _rank(one.ref) else one
    note = newer.ref.note
    if _rank(one.ref) == _rank(other.ref):
        note = _joined_notes(one.ref, other.ref)
    nearest = min(one.ref, other.ref, key=lambda ref: (not ref.direct, ref.depth, ref.from_lot))
    ref = replace(
        newer.ref,
        direct=nearest.direct,
        depth=nearest.depth,
        from_lot=nearest.from_lot,
        note=note,
    )
    return LotCause(ref, one.spreads or other.spreads, newer.root)


def _rank(ref: CauseRef) -> tuple[int, bool]:
    return ref.version, ref.open


def _joined_notes(one: CauseRef, other: CauseRef) -> str:
    return _BETWEEN_NOTES.join(sorted({*notes(one), *notes(other)}))


def _for_children(cause: LotCause) -> tuple[int, bool, str, bool]:
    return cause.ref.version, cause.ref.open, cause.ref.note, cause.spreads


def _to_children(state: LotState, cause: LotCause) -> tuple[LotMessage, ...]:
    """One message per child, whatever the number of edges to it."""
    ways: dict[str, ChildEdge] = {}
    for child in state.children:
        over = cause.ref.cause_id in child.carried if child.reversed else _goes_over(cause, child)
        if over and (child.lot_id not in ways or child.relation in SAME_LOT):
            ways[child.lot_id] = child
    return tuple(_onwards(state, child, cause) for child in ways.values())


def _goes_over(cause: LotCause, child: ChildEdge) -> bool:
    return cause.spreads or child.relation in SAME_LOT


def _onwards(state: LotState, child: ChildEdge, cause: LotCause) -> LotMessage:
    """The message to a child. Under another name of the same lot it arrives as it is here."""
    if child.relation in SAME_LOT:
        ref = cause.ref if cause.ref.direct else replace(cause.ref, from_lot=state.lot_id)
        if child.relation == SAME_NUMBER and _is_ambiguous(state):
            ref = replace(ref, note=_joined_notes(ref, replace(ref, note=NUMBER_IS_AMBIGUOUS)))
    else:
        ref = replace(cause.ref, direct=False, from_lot=state.lot_id, depth=cause.ref.depth + 1)
    return LotMessage(
        lot_id=child.lot_id,
        kind=LotMessageKind.CAUSE,
        cause=ref,
        spreads=cause.spreads,
        root=cause.root,
    )


def _is_ambiguous(state: LotState) -> bool:
    return len(same_number_lots(state)) > 1


def _carried(state: LotState, before: ChildEdge | None) -> tuple[str, ...]:
    """What went over an edge until now, and still holds the child."""
    if before is None:
        return ()
    if before.reversed:
        return before.carried
    return tuple(
        cause.ref.cause_id for cause in state.causes if cause.ref.open and _goes_over(cause, before)
    )


def _no_longer_carried(state: LotState, cause_id: str) -> LotState:
    """After its close a cause that opens again must not go over an edge that was taken back."""
    if not any(cause_id in child.carried for child in state.children):
        return state
    children = tuple(
        replace(child, carried=tuple(c for c in child.carried if c != cause_id))
        for child in state.children
    )
    return replace(state, children=children)


def _by_edge(edge: Envelope, root: Envelope) -> Envelope:
    """An edge brought the cause: its time and position count, the cause keeps the thread."""
    return replace(
        edge,
        correlation_id=root.correlation_id or root.event_id,
        synthetic=root.synthetic,
    )


def _newer(edge: GenealogyEdge, known: ChildEdge | ParentEdge) -> bool:
    """Equal versions that disagree leave the edge standing."""
    arrived = (edge.envelope.subject_version, edge.op != EdgeOp.REVERSE)
    return arrived > (known.version, not known.reversed)


def _same_edge(child: ChildEdge, edge: GenealogyEdge) -> bool:
    return (child.lot_id, child.relation) == (edge.child_lot_id, edge.relation)


def _same_parent(parent: ParentEdge, edge: GenealogyEdge) -> bool:
    return (parent.lot_id, parent.relation) == (edge.parent_lot_id, edge.relation)


def _edge_order(edge: ChildEdge | ParentEdge) -> tuple[str, str]:
    return edge.lot_id, edge.relation
