"""A small Tryton plant as its rows, and the transactions that its documents really leave."""

from __future__ import annotations

from typing import Any

from streams.model.facts import GenealogyEdge, Lot
from streams.model.rows import SourceTransaction
from tests.translation_stream import Database, Translation, row

SUPPLIER, CUSTOMER, MAKING, LOSS = 1, 2, 3, 4
WAREHOUSE, INPUT, OUTPUT, STORAGE, QUARANTINE = 10, 11, 12, 13, 20
RESIN, HOUSING, DEVICE, UNCODED = 1, 2, 3, 4


class Plant(Database):
    """Tryton's tables as far as they are published."""

    def __init__(self) -> None:
        super().__init__("tryton", "erp")
        self.translation = Translation()
        self.number = 100
        self.translation.feed(self.transaction(*self.master()))

    def master(self) -> list[Any]:
        change = self.change
        places = {
            SUPPLIER: ("SUP", "supplier", None),
            CUSTOMER: ("CUS", "customer", None),
            MAKING: ("PROD", "production", None),
            LOSS: ("LOST", "lost_found", None),
            INPUT: ("IN", "storage", WAREHOUSE),
            OUTPUT: ("OUT", "storage", WAREHOUSE),
            STORAGE: ("STO", "storage", WAREHOUSE),
            QUARANTINE: ("QUA", "storage", None),
        }
        zones = {"input_location": None, "output_location": None, "storage_location": None}
        found = [
            change(
                "c", "stock_location", key, code=code, name=code, type=kind, parent=parent, **zones
            )
            for key, (code, kind, parent) in places.items()
        ]
        found.append(
            change(
                "c",
                "stock_location",
                WAREHOUSE,
                code="WH",
                name="Warehouse",
                type="warehouse",
                parent=None,
                input_location=INPUT,
                output_location=OUTPUT,
                storage_location=STORAGE,
            )
        )
        found.append(change("c", "product_uom", 1, symbol="kg"))
        for key, code in ((RESIN, "RM-RESIN"), (HOUSING, "IM-HOUSING"), (DEVICE, "FG-DEVICE")):
            found.append(change("c", "product_template", key, name=code, default_uom=1))
            found.append(change("c", "product_product", key, code=code, template=key, **WHO))
        found.append(change("c", "product_product", UNCODED, code=None, template=1, **WHO))
        found.append(change("c", "res_user", 5, login="inspector", name="Inspector account"))
        found.append(change("c", "party_party", 6, name="Incoming inspector"))
        found.append(change("c", "company_employee", 7, party=6))
        found.append(change("c", "quality_control", 1, name="Incoming resin", product=None))
        return found

    def run(self, *changes: Any) -> list[Any]:
        return self.translation.feed(self.transaction(*changes))

    def next(self) -> int:
        self.number += 1
        return self.number

    def lot(self, number: str, product: int = RESIN, **cells: Any) -> tuple[int, Any]:
        key = self.next()
        values = {"number": number, "product": product, "active": True, **WHO, **cells}
        return key, self.change("c", "stock_lot", key, **values)

    def move(self, lot: int | None, start: int, end: int, **cells: Any) -> tuple[int, Any]:
        """A new move, as Tryton inserts it: the base quantity comes with the next update."""
        key = self.next()
        values = {
            "lot": lot,
            "product": RESIN,
            "quantity": "10.0",
            "internal_quantity": "0.0",
            "from_location": start,
            "to_location": end,
            "shipment": None,
            "production_input": None,
            "production_output": None,
            "state": "draft",
            **WHO,
            **cells,
        }
        return key, self.change("c", "stock_move", key, **values)

    def done(self, *moves: int, **cells: Any) -> list[Any]:
        """Moves turn done, with the empty updates that Tryton writes around it."""
        found: list[Any] = []
        for key in moves:
            found.append(self.change("u", "stock_move", key, internal_quantity="10.0", **cells))
            found.append(self.change("u", "stock_move", key, state="done", write_uid=5))
            found.append(self.change("u", "stock_move", key))
        return found

    def receive(self, number: str, product: int = RESIN) -> tuple[int, str, list[Any]]:
        """A supplier's receipt up to `received`: lot, document and what was said of it."""
        lot, new = self.lot(number, product)
        document = f"stock.shipment.in,{self.next()}"
        move, moved = self.move(lot, SUPPLIER, INPUT, shipment=document, product=product)
        self.run(new, moved)
        return lot, document, self.run(*self.done(move))

    def make(self, inputs: list[int], number: str, product: int) -> tuple[int, int, list[Any]]:
        """A production from run to done; its produced lot is set by a later update."""
        order = self.next()
        self.run(self.change("c", "production", order, number=f"PRO-{order}"))
        used = [self.move(lot, STORAGE, MAKING, production_input=order) for lot in inputs]
        out, made = self.move(None, MAKING, STORAGE, production_output=order, product=product)
        self.run(*(change for _, change in used), made)
        self.run(*self.done(*(key for key, _ in used)))
        lot, new = self.lot(number, product)
        finish = [new, self.change("u", "stock_move", out, lot=lot), *self.done(out)]
        return lot, order, self.run(*finish)

    def inspection(self, origin: str | None, control: int = 1) -> tuple[int, list[Any]]:
        key = self.next()
        values = {
            "number": f"QI-{key}",
            "control": control,
            "origin": origin,
            "state": "pending",
            "processed_at": None,
            "processed_by": None,
            "passed_by": None,
            "failed_by": None,
            **WHO,
        }
        return key, self.run(self.change("c", "quality_inspection", key, **values))

    def judged(self, key: int, state: str = "failed") -> SourceTransaction:
        """The six row changes of a failing inspection: the alert comes before the state."""
        change = self.change
        alert = row("c", "quality_alert", self.next(), origin=f"quality.inspection,{key}")
        return self.transaction(
            change("u", "quality_inspection", key, processed_at="2026-03-02 09:30:00"),
            alert,
            change("u", "quality_inspection", key, **{f"{state}_by": 7}, write_uid=5),
            change("u", "quality_inspection", key),
            change("u", "quality_inspection", key, state=state),
            change("u", "quality_inspection", key, processed_by=7),
        )

    def fail(self, key: int) -> list[Any]:
        return self.translation.feed(self.judged(key))


WHO = {"create_uid": 5, "write_uid": None}

R1, H1, D1 = "PLANT-1/RM-RESIN/R-001", "PLANT-1/IM-HOUSING/H-001", "PLANT-1/FG-DEVICE/D-001"


def only(facts: list[Any], kind: type[Any]) -> list[Any]:
    return [fact for fact in facts if isinstance(fact, kind)]


def one(facts: list[Any], kind: type[Any]) -> Any:
    (found,) = only(facts, kind)
    return found


def arrivals(facts: list[Any]) -> list[str]:
    return [fact.lot_id for fact in only(facts, Lot) if fact.arrived]


def pairs(facts: list[Any]) -> set[tuple[str, str, str]]:
    return {(f.child_lot_id, f.parent_lot_id, f.op) for f in only(facts, GenealogyEdge)}


def snapshot_of(plant: Plant) -> SourceTransaction:
    """A snapshot of all rows, tables in the order of their names."""
    tables = sorted(plant.rows, key=lambda address: (address[0], int(address[1])))
    return plant.snapshot(*(plant.change("u", *address) for address in tables))
