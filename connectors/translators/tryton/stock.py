"""When stock of a lot arrives where it could be used, and where it lies."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.translators.reading import Record

if TYPE_CHECKING:
    from connectors.translators.tryton.plant import Plant
    from streams.model.rows import Cell
    from streams.model.translation import CoalescedRow


@dataclass(frozen=True, slots=True)
class Arrival:
    """Stock of a lot that came into use.

    Attributes:
        lot: Key of the lot's row.
        quantity: In the unit in which the stock is kept.
        row: The move.
    """

    lot: Cell
    quantity: Decimal
    row: CoalescedRow


def arrival(plant: Plant, row: CoalescedRow) -> Arrival | None:
    """The arrival that a changed move stands for, if any.

    A move that turns done carries its stock forward; one that was done and is cancelled carries it
    back. Either way the stock arrives if it ends in a storage place of a warehouse and did not come
    from one: from a supplier, customer, production, inventory loss, a place outside the warehouse,
    or the warehouse's own input and output zones (goods that are put away, or whose picking was
    undone, are free only now). Moves of hold and release documents never count; undoing one does.
    """
    before = Record(row.table, row.key, row.before) if row.before else None
    after = Record(row.table, row.key, row.after) if row.after else None
    was, now = _carried(before), _carried(after)
    if row.op == "r" or was == now:
        return None
    if now is not None and after is not None:
        if plant.is_own(after) or not _comes_into_use(plant, after, "from_location", "to_location"):
            return None
        return Arrival(now[0], now[1], row)
    if was is not None and before is not None:
        if not _comes_into_use(plant, before, "to_location", "from_location"):
            return None
        return Arrival(was[0], was[1], row)
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


def _carried(move: Record | None) -> tuple[Cell, Decimal, Cell, Cell] | None:
    """Lot, quantity and places of a done move; None if it moves no lot (yet)."""
    if move is None or move.text("state") != "done" or move.cell("lot") is None:
        return None
    quantity = move.amount("internal_quantity") or move.amount("quantity") or Decimal(0)
    return move.cell("lot"), quantity, move.cell("from_location"), move.cell("to_location")


def _comes_into_use(plant: Plant, move: Record, start: str, end: str) -> bool:
    target = plant.follow(move, end, "stock_location")
    if not _zone(plant, target):
        return False
    # An unknown start counts as outside: a hold too many is harmless, one too few is not.
    origin = plant.find("stock_location", move.cell(start))
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
