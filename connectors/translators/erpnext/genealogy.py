"""Which lots were made from which, as stock entries and batches state it.

All entries of one work order count as one production: every lot that came out is linked to every
lot that went in, since ERPNext does not know which part went where. A pair of lots is stated once
and taken back when the last that states it is cancelled or says something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.translators.erpnext.tables import DETAIL, ENTRY, RELATIONS, SUBMITTED
from connectors.translators.reading import BadRow, Record
from streams.model.facts import EdgeOp, GenealogyEdge
from streams.model.ids import escaped
from streams.model.translation import UNSTAMPED, CoalescedRow, Draft, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from connectors.translators.erpnext.site import Site

EDGE = "lotgate.inventory.genealogy_edge"
RENAMED = "renamed"
"""Relation between two names of one lot."""
Pair = tuple[str, str]
"""Names of the batches of child and parent."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What states edges.

    Attributes:
        source: Its name; edges are counted by it.
        relation: The relation of all of them.
        work_order: The work order or stock entry, empty if there is none.
    """

    source: str
    relation: str
    work_order: str = ""


def edge_drafts(site: Site, order: str, row: CoalescedRow) -> Iterator[Draft | Rejected]:
    """Edges that the stock entries of an order state now, and those they state no longer."""
    entries = list(_entries(site, order))
    by_relation: dict[str, tuple[dict[str, None], dict[str, None]]] = {
        relation: ({}, {}) for relation in dict.fromkeys(RELATIONS.values())
    }
    for entry in entries:
        relation = RELATIONS.get(entry.text("purpose"))
        if relation is None or entry.text("docstatus") != SUBMITTED:
            continue
        went_in, came_out = by_relation[relation]
        for detail in site.where(DETAIL, "parent", entry.text("name")):
            source, target = detail.text("s_warehouse"), detail.text("t_warehouse")
            if bool(source) == bool(target):
                continue
            (went_in if source else came_out).update(dict.fromkeys(site.batches_of(detail)))
    stated_by = entries[0] if entries else Record(row.table, row.key, row.image)
    number = order.partition(" ")[2]
    for relation, (went_in, came_out) in by_relation.items():
        pairs = [(child, parent) for child in came_out for parent in went_in if child != parent]
        said = Statement(f"{order} {relation}", relation, number)
        yield from stated(site, said, pairs, stated_by, row)


def stated(
    site: Site, said: Statement, pairs: Iterable[Pair], by: Record, row: CoalescedRow
) -> Iterator[Draft | Rejected]:
    """Drafts of what a source of edges states beyond, or no longer as, before.

    Args:
        site: The system.
        said: What states them.
        pairs: What it states now.
        by: The row to name if a batch of a pair is not known.
        row: The change that concerns it.
    """
    flat = site.rows.listed(said.source)
    before = list(zip(flat[::2], flat[1::2], strict=True))
    now = sorted(set(pairs))
    known: list[Pair] = []
    for pair in sorted({*before, *now}):
        op = EdgeOp.ASSERT if pair in now else EdgeOp.REVERSE
        try:
            child, parent = (site.lot_named(batch, by, "batch_no") for batch in pair)
        except BadRow as error:
            yield error.rejected(site.origin)
            continue
        if op is EdgeOp.ASSERT:
            known.append(pair)
        if _decides(site, said, pair, op):
            fact = GenealogyEdge(UNSTAMPED, child, parent, said.relation, op, said.work_order)
            yield _draft(site, fact, row)
    site.rows.keep_list(said.source, tuple(batch for pair in known for batch in pair))


def renamed(site: Site, new: str, old: str, row: CoalescedRow) -> Iterator[Draft]:
    """Join the two names of one lot."""
    for child, parent in ((new, old), (old, new)):
        yield _draft(site, GenealogyEdge(UNSTAMPED, child, parent, RENAMED), row)


def _entries(site: Site, order: str) -> Iterable[Record]:
    kind, _, name = order.partition(" ")
    if kind == "order":
        return site.where(ENTRY, "work_order", name)
    entry = site.named(ENTRY, name)
    # An entry that belongs to an order by now states nothing by itself.
    return [] if entry is None or entry.text("work_order") else [entry]


def _decides(site: Site, said: Statement, pair: Pair, op: EdgeOp) -> bool:
    """Note who states a pair; whether that leaves something to say."""
    listed = f"pair {said.relation}/{escaped(pair[0])}/{escaped(pair[1])}"
    others = tuple(item for item in site.rows.listed(listed) if item != said.source)
    site.rows.keep_list(listed, (*others, said.source) if op is EdgeOp.ASSERT else others)
    return op is EdgeOp.ASSERT or not others


def _draft(site: Site, fact: GenealogyEdge, row: CoalescedRow) -> Draft:
    return Draft(
        fact,
        event_type=EDGE,
        subject_id=fact.child_lot_id,
        identity=(fact.child_lot_id, fact.parent_lot_id, fact.relation),
        completed_by=row,
        matters=(fact.op,),
        actor=site.actor(row.image),
    )
