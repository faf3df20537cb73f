"""Genealogy: which lots a production made, and from which lots.

Every done output is linked to every done input of the same production: Tryton does not know which
part went where. A pair of lots is stated once, when its last part turns done, and taken back when
the last production that states it no longer does (a done move can be cancelled).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.translators.reading import BadRow
from connectors.translators.tryton.lots import EDGE
from connectors.translators.tryton.tables import PRODUCTION
from streams.model.facts import EdgeOp, GenealogyEdge
from streams.model.translation import UNSTAMPED, CoalescedRow, Draft, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.translators.tryton.plant import Plant


def edge_drafts(plant: Plant, key: str, row: CoalescedRow) -> Iterator[Draft | Rejected]:
    """Edges that a production states now, and those that it states no longer."""
    parents = _done_lots(plant, "production_input", key)
    children = _done_lots(plant, "production_output", key)
    stated = [(child, parent) for child in children for parent in parents if child != parent]
    listed = f"{PRODUCTION} {key}"
    before = [_pair(text) for text in plant.rows.listed(listed)]
    known: list[tuple[str, str]] = []
    bad: dict[str, Rejected] = {}
    for pair in dict.fromkeys((*before, *stated)):
        op = EdgeOp.ASSERT if pair in stated else EdgeOp.REVERSE
        try:
            draft = _edge(plant, key, pair, row, op)
        except BadRow as error:
            bad.setdefault(error.key, error.rejected(plant.origin))
            continue
        if op is EdgeOp.ASSERT:
            known.append(pair)
        if _supported(plant, key, pair, op):
            yield draft
    plant.rows.keep_list(listed, tuple(f"{child}<{parent}" for child, parent in known))
    yield from bad.values()


def _done_lots(plant: Plant, column: str, production: str) -> list[str]:
    lots: dict[str, None] = {}
    for key in plant.rows.keys_where("stock_move", column, production):
        move = plant.find("stock_move", key)
        if move is None or move.text("state") != "done" or move.cell("lot") is None:
            continue
        lots[move.text("lot")] = None
    return list(lots)


def _supported(plant: Plant, production: str, pair: tuple[str, str], op: EdgeOp) -> bool:
    """Note who states a pair; whether that leaves something to say."""
    listed = f"pair {pair[0]}<{pair[1]}"
    others = tuple(item for item in plant.rows.listed(listed) if item != production)
    if op is EdgeOp.ASSERT:
        plant.rows.keep_list(listed, (*others, production))
        return True
    plant.rows.keep_list(listed, others)
    return not others


def _edge(
    plant: Plant, production: str, pair: tuple[str, str], row: CoalescedRow, op: EdgeOp
) -> Draft:
    child, parent = (plant.name_of(plant.lot_of(key, row)).lot for key in pair)
    order = plant.find(PRODUCTION, production)
    fact = GenealogyEdge(
        UNSTAMPED,
        child_lot_id=child,
        parent_lot_id=parent,
        relation="consumed",
        op=op,
        work_order="" if order is None else order.text("number"),
    )
    return Draft(
        fact,
        event_type=EDGE,
        subject_id=child,
        identity=(child, parent),
        completed_by=row,
        matters=(op,),
        actor=plant.actor(row),
    )


def _pair(text: str) -> tuple[str, str]:
    child, _, parent = text.partition("<")
    return child, parent
