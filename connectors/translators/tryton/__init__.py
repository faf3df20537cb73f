"""Tryton 8.2 as a source: lots, genealogy and inspection results from its tables.

`quality_alert` gives no fact of its own: Tryton opens an alert for every failed inspection, in the
same transaction and before the inspection turns failed, so a second fact would double the cause.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from connectors.translators.reading import BadRow, attempt, written
from connectors.translators.tryton.inspections import inspection_drafts
from connectors.translators.tryton.lots import LotNews, lot_drafts
from connectors.translators.tryton.plant import Plant
from connectors.translators.tryton.productions import edge_drafts
from connectors.translators.tryton.stock import Arrival, arrival
from connectors.translators.tryton.tables import PRODUCTION, TABLES
from streams.model.translation import CoalescedRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.model.rows import Cell
    from streams.model.translation import Coalesced, Draft, Rejected, Rows

__all__ = ["TABLES", "TrytonTranslator"]


@dataclass(slots=True)
class Touched:
    """What a transaction may have made true: subjects, each with the row that concerns it last."""

    lots: dict[str, LotNews] = field(default_factory=dict)
    productions: dict[str, CoalescedRow] = field(default_factory=dict)
    inspections: dict[str, CoalescedRow] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)

    def lot(self, key: Cell, row: CoalescedRow) -> LotNews:
        """Note that a row concerns a lot."""
        news = self.lots.setdefault(written(key), LotNews(row))
        news.row = row
        return news


class TrytonTranslator:
    """See `streams.model.translation.Translator`."""

    name = "tryton"
    version = "1"
    tables = TABLES

    def translate(self, transaction: Coalesced, rows: Rows) -> Iterator[Draft | Rejected]:
        """Lots first, then the edges and results that name them."""
        plant = Plant(transaction.origin, rows)
        touched = Touched()
        for row in transaction.rows:
            _touch(plant, touched, row)
        yield from touched.rejected
        for key, news in touched.lots.items():
            yield from attempt(plant.origin, partial(lot_drafts, plant, key, news))
        for key, row in touched.productions.items():
            yield from attempt(plant.origin, partial(edge_drafts, plant, key, row))
        for key, row in touched.inspections.items():
            yield from attempt(plant.origin, partial(inspection_drafts, plant, key, row))


def _touch(plant: Plant, touched: Touched, row: CoalescedRow) -> None:
    match row.table:
        case "stock_lot":
            _touch_lot(plant, touched, row)
        case "stock_move":
            _touch_move(plant, touched, row)
        case "quality_inspection":
            touched.inspections[row.key] = row
        case "product_product":
            _touch_product(plant, touched, row)
        case _:
            pass


def _touch_move(plant: Plant, touched: Touched, row: CoalescedRow) -> None:
    """A move concerns its lot, its production, and the inspections of its document."""
    _touch_documents(plant, touched, row)
    if row.op == "r":
        return
    try:
        arrived: Arrival | None = arrival(plant, row)
    except BadRow as error:
        touched.rejected.append(error.rejected(plant.origin))
        return
    if arrived is not None:
        touched.lot(arrived.lot, row).arrivals.append(arrived)
        if arrived.problem is not None:
            touched.rejected.append(arrived.problem.rejected(plant.origin))
    for image in (row.before, row.after):
        # A done move, or one that no longer is, may change where its lot lies.
        if image and image.get("state") == "done" and image.get("lot") is not None:
            touched.lot(image["lot"], row)


def _touch_documents(plant: Plant, touched: Touched, row: CoalescedRow) -> None:
    documents: dict[str, None] = {}
    for image in (row.before, row.after):
        for column in ("production_input", "production_output"):
            production = (image or {}).get(column)
            if production is not None:
                touched.productions[written(production)] = row
                documents[f"{PRODUCTION},{written(production)}"] = None
        shipment = (image or {}).get("shipment")
        if shipment is not None:
            documents[written(shipment)] = None
    if row.op != "r":
        for document in documents:
            for key in plant.rows.keys_where("quality_inspection", "origin", document):
                touched.inspections.setdefault(key, row)


def _touch_lot(plant: Plant, touched: Touched, row: CoalescedRow) -> None:
    touched.lot(row.key, row)
    if any((row.before or {}).get(name) != row.image.get(name) for name in ("number", "product")):
        _touch_where_named(plant, touched, row.key, row)


def _touch_product(plant: Plant, touched: Touched, row: CoalescedRow) -> None:
    """A product's code is part of the name of each of its lots."""
    if row.op == "r" or (row.before or {}).get("code") == (row.after or {}).get("code"):
        return
    for lot in plant.rows.keys_where("stock_lot", "product", row.key):
        touched.lot(lot, row)
        _touch_where_named(plant, touched, lot, row)


def _touch_where_named(plant: Plant, touched: Touched, lot: str, row: CoalescedRow) -> None:
    """A lot has a new name: so has what it is part of."""
    if row.op == "r":
        return
    for move in plant.rows.keys_where("stock_move", "lot", lot):
        image = plant.rows.image("stock_move", move)
        if image is not None:
            seen = CoalescedRow(row.schema, row.table, row.key, row.op, row.ordinal, None, image)
            _touch_documents(plant, touched, seen)
