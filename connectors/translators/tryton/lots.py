"""Lot facts: a lot exists, changed, or stock of it arrived."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.translators.reading import BadRow, Record, written
from connectors.translators.tryton.stock import Arrival, place_of
from streams.model.facts import Disposition, GenealogyEdge, Lot
from streams.model.ids import parts_of
from streams.model.translation import UNSTAMPED, CoalescedRow, Draft, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.translators.tryton.plant import Name, Plant

LOT = "lotgate.inventory.lot"
EDGE = "lotgate.inventory.genealogy_edge"
RENAMED = "renamed"
"""Relation between the two names of a lot whose number or product code was changed."""


@dataclass(slots=True)
class LotNews:
    """What a transaction did to a lot.

    Attributes:
        row: The last row change that concerns it.
        arrivals: Stock of it that came into use.
    """

    row: CoalescedRow
    arrivals: list[Arrival] = field(default_factory=list)


def lot_drafts(plant: Plant, key: str, news: LotNews) -> Iterator[Draft | Rejected]:
    """Facts of one lot.

    An arrival of a lot that cannot be named yet is kept and told with its first fact. A lot that
    was renamed is a second lot to all who know it by its old name, so both names are joined by
    edges in both directions: a hold on either reaches both.
    """
    lot = plant.find("stock_lot", key)
    if lot is None:
        yield from _gone(plant, key, news)
        return
    try:
        name = plant.name_of(lot)
    except BadRow:
        _keep_arrivals(plant, key, news)
        raise
    quantity = _quantity(plant, key, news)
    plant.rows.keep(f"arrival {key}", {})
    known = plant.rows.kept(f"lot {key}")
    former = written(known.get("lot_id"))
    place = place_of(plant, key) or written(known.get("place"))
    plant.rows.keep(f"lot {key}", {"lot_id": name.lot, "place": place})
    yield _lot(plant, lot, name, news, quantity)
    if former and former != name.lot:
        for child, parent in ((name.lot, former), (former, name.lot)):
            yield _renamed(plant, child, parent, news.row)


def _lot(plant: Plant, lot: Record, name: Name, news: LotNews, quantity: Decimal | None) -> Draft:
    row = news.arrivals[-1].row if news.arrivals else news.row
    disposition = Disposition.UNRESTRICTED if lot.flag("active") else Disposition.CLOSED
    place = written(plant.rows.kept(f"lot {lot.key}").get("place"))
    fact = Lot(
        UNSTAMPED,
        lot_id=name.lot,
        material=name.material,
        number=name.number,
        disposition=disposition,
        place=place,
        arrived=quantity is not None,
        quantity=quantity,
        unit=plant.unit_of(lot),
        xrefs={plant.origin.translator: f"stock.lot,{lot.key}"},
    )
    return Draft(
        fact,
        event_type=LOT,
        subject_id=name.lot,
        identity=(name.lot,),
        completed_by=row,
        matters=(name.lot, disposition, place),
        always=quantity is not None,
        actor=plant.actor(row),
    )


def _gone(plant: Plant, key: str, news: LotNews) -> Iterator[Draft]:
    """A lot whose row was deleted is closed; one whose row was never seen cannot be named."""
    former = written(plant.rows.kept(f"lot {key}").get("lot_id"))
    if not former and news.row.table != "stock_lot":
        plant.lot_of(key, news.row)
    if not former:
        return
    _, material, number = parts_of(former)
    fact = Lot(
        UNSTAMPED,
        lot_id=former,
        material=material,
        number=number,
        disposition=Disposition.CLOSED,
        xrefs={plant.origin.translator: f"stock.lot,{key}"},
    )
    yield Draft(
        fact,
        event_type=LOT,
        subject_id=former,
        identity=(former,),
        completed_by=news.row,
        matters=(former, Disposition.CLOSED, ""),
        actor=plant.actor(news.row),
    )


def _renamed(plant: Plant, child: str, parent: str, row: CoalescedRow) -> Draft:
    return Draft(
        GenealogyEdge(UNSTAMPED, child_lot_id=child, parent_lot_id=parent, relation=RENAMED),
        event_type=EDGE,
        subject_id=child,
        identity=(child, parent),
        completed_by=row,
        matters=("assert",),
        actor=plant.actor(row),
    )


def _quantity(plant: Plant, key: str, news: LotNews) -> Decimal | None:
    """What arrived now and what was kept before; None if nothing did."""
    waiting = plant.rows.kept(f"arrival {key}").get("quantity")
    if not news.arrivals and waiting is None:
        return None
    return sum((item.quantity for item in news.arrivals), Decimal(str(waiting or 0)))


def _keep_arrivals(plant: Plant, key: str, news: LotNews) -> None:
    quantity = _quantity(plant, key, news)
    if quantity is not None:
        plant.rows.keep(f"arrival {key}", {"quantity": str(quantity)})
