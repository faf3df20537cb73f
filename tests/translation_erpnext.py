"""An ERPNext site as its rows, and the transactions that its documents leave."""

from __future__ import annotations

import itertools
from typing import Any

from connectors.translators.erpnext.tables import (
    BATCH,
    BUNDLED,
    DETAIL,
    ENTRY,
    INSPECTION,
    ITEM,
    LEDGER,
    NONCONFORMANCE,
    USER,
)
from streams.model.rows import RowChange
from tests.translation_stream import Database, Translation

STORES, WIP, HOLD = "Stores - P", "Work in Progress - P", "Quarantine - P"
WHO = {"owner": "stock@plant.example", "modified_by": "stock@plant.example"}


class Erpnext(Database):
    """A site with items and a user; documents are written as its forms and its ledger do."""

    def __init__(self, *, bundles: bool = False) -> None:
        super().__init__("erpnext", "erp")
        self.translation = Translation()
        self.bundles = bundles
        self.number = itertools.count(1)
        self.run(
            *(self.write(ITEM, name, stock_uom="Kg") for name in ("RESIN", "HOUSING")),
            self.write(USER, "stock@plant.example", full_name="Stock keeper"),
            self.write(USER, "quality@plant.example", full_name="Quality engineer"),
        )

    def run(self, *changes: RowChange) -> list[Any]:
        return self.translation.feed(self.transaction(*changes))

    def write(self, table: str, name: str, **cells: Any) -> RowChange:
        """A row's insert, or the update of one that is there; its key is its name."""
        op = "u" if (table, name) in self.rows else "c"
        whole = self.change(op, table, name, name=name, **cells)
        return RowChange(0, "public", table, op, {"name": name}, None, whole.after)

    def remove(self, table: str, name: str) -> RowChange:
        self.rows.pop((table, name))
        return RowChange(0, "public", table, "d", {"name": name})

    def batch(self, name: str, item: str | None = "RESIN", **cells: Any) -> RowChange:
        values = {
            "batch_id": name,
            "item": item,
            "parent_batch": None,
            "stock_uom": "Kg",
            "disabled": 0,
            "creation": f"2026-03-02 08:00:00.{next(self.number):06d}",
            **WHO,
            **cells,
        }
        return self.write(BATCH, name, **values)

    def ledger(
        self, voucher: tuple[str, str], batch: str, quantity: str, place: str = STORES
    ) -> list[RowChange]:
        """A ledger entry; with bundles, its batch stands in a row of its own."""
        number = next(self.number)
        bundle = f"SABB-{number:05d}" if self.bundles else None
        values = {
            "item_code": self.rows.get((BATCH, batch), {}).get("item", "RESIN"),
            "warehouse": place,
            "voucher_type": voucher[0],
            "voucher_no": voucher[1],
            "actual_qty": quantity,
            "stock_uom": "Kg",
            "batch_no": None if self.bundles else batch,
            "serial_and_batch_bundle": bundle,
            "posting_date": "2026-03-02",
            "posting_time": f"{8 + number // 3600}:{number // 60 % 60:02d}:{number % 60:02d}",
            "creation": f"2026-03-02 08:00:00.{number:06d}",
            "is_cancelled": 0,
            **WHO,
        }
        made = [self.write(LEDGER, f"sle-{number:05d}", **values)]
        if bundle is not None:
            made.append(self.write(BUNDLED, f"b-{number}", parent=bundle, batch_no=batch,
                                   qty=quantity))  # fmt: skip
        return made

    def receive(self, number: str, batch: str, quantity: str = "500.000") -> list[RowChange]:
        return self.ledger(("Purchase Receipt", number), batch, quantity)

    def cancelled(self, voucher: str) -> list[RowChange]:
        """A document's ledger entries are marked, as a cancellation does."""
        names = [n for (t, n), r in self.rows.items() if t == LEDGER and r["voucher_no"] == voucher]
        return [self.write(LEDGER, name, is_cancelled=1) for name in names]

    def stock_entry(
        self, number: str, inputs: list[str], outputs: list[str], **cells: Any
    ) -> list[RowChange]:
        """A submitted stock entry with its rows and its ledger."""
        values = {"purpose": "Manufacture", "work_order": None, "docstatus": 1, **WHO, **cells}
        changes = [self.write(ENTRY, number, **values)]
        for at, batch in enumerate([*inputs, *outputs]):
            went_in = at < len(inputs)
            moved = self.ledger(("Stock Entry", number), batch, "-10.0" if went_in else "8.5")
            bundle = (moved[0].after or {}).get("serial_and_batch_bundle")
            changes += moved
            changes.append(
                self.write(
                    DETAIL,
                    f"{number}-{at}",
                    parent=number,
                    batch_no=None if bundle else batch,
                    serial_and_batch_bundle=bundle,
                    s_warehouse=STORES if went_in else None,
                    t_warehouse=None if went_in else STORES,
                )
            )
        return changes

    def inspection(self, name: str, **cells: Any) -> RowChange:
        values = {
            "reference_type": "Purchase Receipt",
            "reference_name": "PR-1",
            "item_code": "RESIN",
            "batch_no": None,
            "status": "Accepted",
            "docstatus": 0,
            "quality_inspection_template": "Incoming resin",
            "inspected_by": "quality@plant.example",
            "amended_from": None,
            **WHO,
            **cells,
        }
        return self.write(INSPECTION, name, **values)

    def nonconformance(self, name: str, **cells: Any) -> RowChange:
        values = {
            "subject": "flash on the seal",
            "status": "Open",
            "details": "seen at station 4",
            "custom_batch_no": None,
            "custom_severity": "Critical",
            **WHO,
            **cells,
        }
        return self.write(NONCONFORMANCE, name, **values)


def story(site: Erpnext) -> list[tuple[str, list[Any]]]:
    """A week of a plant, as the golden file tells it: what was done, and what followed."""
    return [
        ("receive R-001", site.run(site.batch("R-001"), *site.receive("PR-1", "R-001"))),
        ("begin QI-1", site.run(site.inspection("QI-1"))),
        ("reject QI-1", site.run(site.inspection("QI-1", docstatus=1, status="Rejected"))),
        (
            "make H/01",
            site.run(
                site.batch("H/01", "HOUSING"),
                *site.stock_entry("SE-1", ["R-001"], ["H/01"], work_order="WO-1"),
            ),
        ),
        ("open NC-1", site.run(site.nonconformance("NC-1", custom_batch_no="H/01, X-9"))),
        ("cancel QI-1", site.run(site.inspection("QI-1", docstatus=2))),
        ("amend QI-1", site.run(site.inspection("QI-1-1", docstatus=1, amended_from="QI-1"))),
        (
            "cancel SE-1",
            site.run(site.write(ENTRY, "SE-1", docstatus=2), *site.cancelled("SE-1")),
        ),
        ("resolve NC-1", site.run(site.write(NONCONFORMANCE, "NC-1", status="Resolved"))),
        ("deliver", site.run(*site.ledger(("Delivery Note", "DN-1"), "R-001", "-20"))),
        ("cancel delivery", site.run(*site.cancelled("DN-1"))),
        ("split R-001", site.run(site.batch("R-001-A", parent_batch="R-001"))),
        ("disable R-001", site.run(site.write(BATCH, "R-001", disabled=1))),
        ("odd state", site.run(site.inspection("QI-2", docstatus=1, status="Perhaps"))),
    ]
