"""When stock of a lot arrives where it could be used, and where it lies."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.translators.reading import BadRow, Record

if TYPE_CHECKING:
    from connectors.translators.tryton.plant import Plant
    from streams.model.rows import Cell
    from streams.model.translation import CoalescedRow


@dataclass(frozen=True, slots=True)
class Arrival:
    """Stock of a lot that came into use.

    Attributes:
        lot: Key of the lot's row.
        quantity: In the unit in which the stock is kept; 0 if it could not be read.
        row: The move.
        problem: Why the quantity could not be read. Containment does not wait for it.
    """

    lot: Cell
    quantity: Decimal
    row: CoalescedRow
    problem: BadRow | None = None


def arrival(plant: Plant, row: CoalescedRow) -> Arrival | None:
    """The arrival that a changed move stands for, if any.

    A move that turns done carries its stock forward; one that was done and is cancelled carries it
    back. Either way the stock arrives if it ends in a storage place of a warehouse and did not come
    from one: from a supplier, customer, production, inventory loss, a place outside the warehouse,
    or the warehouse's own input and output zones (goods that are put away, or whose picking was
    undone, are free only now). Moves of hold and release documents never count; undoing one does.
    """
    if row.op == "r":
        return None
    before = Record(row.table, row.key, row.before) if row.before else None
    after = Record(row.table, row.key, row.after) if row.after else None
    was, now = _carried(before), _carried(after)
    if was == now:
        return None
    if after is not None and now is not None:
        comes = not plant.is_own(after) and _comes_into_use(plant, now[1], now[2])
        return _arrived(after, row) if comes else None
    if before is not None and was is not None and _comes_into_use(plant, was[2], was[1]):
        return _arrived(before, row)
    return None


def place_of(plant: Plant, lot: str) -> str:
    """Where stock of a lot was last put, by a document not our own; empty if that is not known.

    A lot may lie in several places; this is the newest. A picking does not change it.
    """
    keys = plant.rows.latest_where("stock_move", "lot", lot)
    for key in sorted(keys, key=_newest, reverse=True):
        move = plant.find("stock_move", key)
        if move is None or move.text("state") != "done" or plant.is_own(move):
            continue
        target = plant.find("stock_location", move.cell("to_location"))
        if target is not None and _zone(plant, target) in {"storage", "input"}:
            return target.text("code") or target.text("name")
    return ""


def _carried(move: Record | None) -> tuple[Cell, Cell, Cell, Cell, Cell] | None:
    """Lot, places and quantities of a done move; None if it moves no lot (yet)."""
    if move is None or move.text("state") != "done" or move.cell("lot") is None:
        return None
    quantities = move.cell("internal_quantity"), move.cell("quantity")
    return move.cell("lot"), move.cell("from_location"), move.cell("to_location"), *quantities


def _arrived(move: Record, row: CoalescedRow) -> Arrival:
    lot = move.cell("lot")
    try:
        quantity = move.amount("internal_quantity") or move.amount("quantity") or Decimal(0)
    except BadRow as problem:
        return Arrival(lot, Decimal(0), row, problem)
    return Arrival(lot, quantity, row)


def _comes_into_use(plant: Plant, start: Cell, end: Cell) -> bool:
    """Whether goods end in a warehouse and did not lie in its storage before.

    A place that is not known counts as if: a hold too many is harmless, one too few is not.
    """
    target = plant.find("stock_location", end)
    if target is not None and not _zone(plant, target):
        return False
    origin = plant.find("stock_location", start)
    return origin is None or _zone(plant, origin) != "storage"


def _zone(plant: Plant, location: Record) -> str:
    """`input`, `output` or `storage` of a warehouse; empty outside of any."""
    warehouse = plant.warehouse_of(location)
    if warehouse is None:
        return ""
    for zone in ("input", "output"):
        key = warehouse.text(f"{zone}_location")
        if key == location.key and key != warehouse.text("storage_location"):
            return zone
    return "storage"


def _newest(key: str) -> tuple[int, str]:
    return (int(key) if key.isdigit() else 0, key)
