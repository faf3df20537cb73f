"""What ERPNext's documents mean: batches, receipts, productions, inspections, nonconformances."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.translators.erpnext.tables import BATCH, DETAIL, ENTRY, LEDGER, TABLES
from streams.model.facts import GenealogyEdge, InspectionResult, Lot, Nonconformity
from streams.model.translation import Rejected
from tests.translation_erpnext import HOLD, STORES, Erpnext
from tests.translation_golden import ERPNEXT, lines, told, transaction_of
from tests.translation_stream import Translation, chunked, ids_of

pytestmark = pytest.mark.urs("M2.1", "M8.6")

R1, H1 = "PLANT-1/RESIN/R-001", "PLANT-1/HOUSING/H-01"


@pytest.fixture(params=[False, True], ids=["batch column", "bundles"])
def site(request: pytest.FixtureRequest) -> Erpnext:
    """A site with one received batch, as older and as newer releases write it."""
    made = Erpnext(bundles=request.param)
    made.run(made.batch("R-001"), *made.receive("PR-1", "R-001"))
    return made


def of(kind: type[Any], said: list[Any]) -> list[Any]:
    return [item for item in said if isinstance(item, kind)]


def arrivals(said: list[Any]) -> list[tuple[str, Decimal | None]]:
    return [(lot.lot_id, lot.quantity) for lot in of(Lot, said) if lot.arrived]


def edges(said: list[Any]) -> list[tuple[str, str, str, str]]:
    return [(e.child_lot_id, e.parent_lot_id, e.relation, e.op) for e in of(GenealogyEdge, said)]


def test_the_written_documents_give_the_written_facts() -> None:
    translation = Translation()
    for line in lines(ERPNEXT):
        said = translation.feed(transaction_of(line))
        assert [told(fact) for fact in said] == line["facts"], line["step"]


@pytest.mark.parametrize("size", [1, 3])
def test_in_small_chunks_and_each_delivered_twice_it_says_the_same(size: int) -> None:
    recorded = [transaction_of(line) for line in lines(ERPNEXT)]
    whole, cut = Translation(), Translation()
    whole.feed(*recorded)
    for transaction in recorded:
        parts = chunked(transaction, *([size] * (len(transaction.changes) // size)))
        for part in parts:
            cut.feed(part, part)
    facts = [[f for f in each.said if not isinstance(f, Rejected)] for each in (whole, cut)]
    assert sorted(ids_of(facts[0])) == sorted(ids_of(facts[1]))


def test_a_transfer_moves_a_lot_and_is_no_arrival(site: Erpnext) -> None:
    voucher = ("Stock Entry", "SE-9")
    out = site.ledger(voucher, "R-001", "-500.000")
    said = site.run(*out, *site.ledger(voucher, "R-001", "500.000", HOLD))
    assert arrivals(said) == []
    assert [lot.place for lot in of(Lot, said)] == [HOLD]


def test_a_cancelled_delivery_brings_stock_back_and_a_cancelled_receipt_brings_none(
    site: Erpnext,
) -> None:
    assert arrivals(site.run(*site.ledger(("Delivery Note", "DN-1"), "R-001", "-20"))) == []
    assert arrivals(site.run(*site.cancelled("DN-1"))) == [(R1, Decimal(20))]
    assert arrivals(site.run(*site.cancelled("PR-1"))) == []


def test_stock_of_a_batch_that_comes_later_is_told_with_it(site: Erpnext) -> None:
    said = site.run(*site.receive("PR-2", "R-002", "7.50"))
    assert [item.code for item in of(Rejected, said)] == ["reference_unknown"]
    assert arrivals(site.run(site.batch("R-002"))) == [("PLANT-1/RESIN/R-002", Decimal("7.5"))]


def test_a_production_over_two_entries_of_a_work_order_links_what_went_in(site: Erpnext) -> None:
    consumed = {"purpose": "Material Consumption for Manufacture", "work_order": "WO-1"}
    assert edges(site.run(*site.stock_entry("SE-1", ["R-001"], [], **consumed))) == []
    made = site.stock_entry("SE-2", [], ["H-01"], work_order="WO-1")
    assert edges(site.run(site.batch("H-01", "HOUSING"), *made)) == [(H1, R1, "consumed", "assert")]
    cancelled = site.write(ENTRY, "SE-1", docstatus=2)
    assert edges(site.run(cancelled)) == [(H1, R1, "consumed", "reverse")]


def test_an_edge_stands_while_another_order_states_it(site: Erpnext) -> None:
    site.run(site.batch("H-01", "HOUSING"), *site.stock_entry("SE-1", ["R-001"], ["H-01"]))
    assert edges(site.run(*site.stock_entry("SE-2", ["R-001"], ["H-01"]))) == []
    assert edges(site.run(site.write(ENTRY, "SE-1", docstatus=2))) == []
    assert edges(site.run(site.write(ENTRY, "SE-2", docstatus=2))) == [
        (H1, R1, "consumed", "reverse")
    ]


def test_drafts_and_plain_transfers_make_no_genealogy(site: Erpnext) -> None:
    draft = site.stock_entry("SE-1", ["R-001"], ["H-01"], docstatus=0)
    assert edges(site.run(site.batch("H-01", "HOUSING"), *draft)) == []
    moved = site.stock_entry("SE-2", ["R-001"], ["H-01"], purpose="Material Transfer")
    assert edges(site.run(*moved)) == []


def test_a_split_batch_is_a_child_of_its_parent_until_it_names_another(site: Erpnext) -> None:
    child = "PLANT-1/RESIN/R-001-A"
    said = site.run(site.batch("R-001-A", parent_batch="R-001"))
    assert edges(said) == [(child, R1, "split", "assert")]
    assert edges(site.run(site.write(BATCH, "R-001-A", parent_batch=None))) == [
        (child, R1, "split", "reverse")
    ]


def test_a_renamed_batch_keeps_both_names_joined(site: Erpnext) -> None:
    old = site.rows[BATCH, "R-001"]
    gone = site.remove(BATCH, "R-001")
    moved = [
        site.write(table, name, batch_no="R-900")
        for (table, name), row in list(site.rows.items())
        if row.get("batch_no") == "R-001"
    ]
    cells = {column: value for column, value in old.items() if column != "name"}
    renamed = site.write(BATCH, "R-900", **{**cells, "batch_id": "R-900"})
    said = site.run(gone, renamed, *moved)
    assert arrivals(said) == []
    new = "PLANT-1/RESIN/R-900"
    assert sorted(edges(said)) == [(R1, new, "renamed", "assert"), (new, R1, "renamed", "assert")]
    assert {lot.lot_id: lot.disposition for lot in of(Lot, said)} == {
        R1: "Closed", new: "UnRestricted",
    }  # fmt: skip


def test_an_inspection_names_the_lots_that_its_document_moved(site: Erpnext) -> None:
    assert site.run(site.inspection("QI-0")) == []
    (draft,) = site.run(site.inspection("QI-1", reference_name="PR-7", docstatus=1))
    assert (draft.lots, draft.verdict) == ((), "accepted")
    said = site.run(site.batch("R-007"), *site.receive("PR-7", "R-007"))
    (result,) = of(InspectionResult, said)
    assert result.lots == ("PLANT-1/RESIN/R-007",)
    assert result.envelope.subject_version == 2
    assert result.envelope.actor.printed_name == "Quality engineer"


def test_what_a_production_made_was_inspected_not_what_went_in(site: Erpnext) -> None:
    site.run(site.batch("H-01", "HOUSING"), *site.stock_entry("SE-1", ["R-001"], ["H-01"]))
    cells = {"reference_type": "Stock Entry", "reference_name": "SE-1", "item_code": None}
    (result,) = site.run(site.inspection("QI-1", docstatus=1, status="Rejected", **cells))
    assert result.lots == (H1,)


def test_a_cancelled_inspection_decides_nothing_and_its_amendment_is_another(
    site: Erpnext,
) -> None:
    site.run(site.inspection("QI-1", docstatus=1, status="Rejected", batch_no="R-001"))
    (cancelled,) = site.run(site.write("tabQuality Inspection", "QI-1", docstatus=2))
    assert (cancelled.inspection_id, cancelled.verdict) == ("QI-1", "pending")
    (amended,) = site.run(site.inspection("QI-1-1", docstatus=1, amended_from="QI-1"))
    assert (amended.inspection_id, amended.verdict, amended.lots) == ("QI-1-1", "accepted", (R1,))


def test_a_rejection_that_reaches_no_lot_is_told_to_a_person(site: Erpnext) -> None:
    cells = {"reference_type": "Job Card", "reference_name": "JC-1"}
    said = site.run(site.inspection("QI-1", docstatus=1, status="Rejected", **cells))
    assert [item.code for item in of(Rejected, said)] == ["inspection_without_batch"]
    assert [result.lots for result in of(InspectionResult, said)] == [()]


@pytest.mark.parametrize(
    ("cells", "column"),
    [({"docstatus": 1, "status": "Perhaps"}, "status"), ({"docstatus": 7}, "docstatus")],
)
def test_a_state_that_is_not_known_is_rejected_by_its_column(
    site: Erpnext, cells: dict[str, Any], column: str
) -> None:
    (bad,) = site.run(site.inspection("QI-1", **cells))
    assert (bad.code, bad.column, bad.key) == ("unknown_state", column, "QI-1")


@pytest.mark.parametrize(
    ("status", "state"), [("Open", "open"), ("Resolved", "closed"), ("Cancelled", "cancelled")]
)
def test_a_nonconformance_is_never_signed(site: Erpnext, status: str, state: str) -> None:
    (said,) = site.run(site.nonconformance("NC-1", status=status, custom_batch_no="R-001\nX-9"))
    assert isinstance(said, Nonconformity)
    assert (said.state, said.signed, said.severity) == (state, False, "critical")
    assert said.lots == ("PLANT-1//X-9", R1)


def test_without_the_custom_fields_it_names_no_lot_and_no_severity(site: Erpnext) -> None:
    row = site.nonconformance("NC-1")
    plain = {k: v for k, v in (row.after or {}).items() if not k.startswith("custom_")}
    (said,) = site.run(type(row)(0, row.schema, row.table, "c", row.key, None, plain))
    assert (said.lots, said.severity) == ((), "unknown")
    (gone,) = site.run(site.remove("tabNon Conformance", "NC-1"))
    assert gone.state == "cancelled"


def test_a_batch_without_item_is_rejected_and_its_stock_waits(site: Erpnext) -> None:
    said = site.run(site.batch("B-1", item=None), *site.receive("PR-3", "B-1"))
    assert {item.code for item in of(Rejected, said)} == {"batch_without_item"}
    assert arrivals(site.run(site.write(BATCH, "B-1", item="RESIN"))) == [
        ("PLANT-1/RESIN/B-1", Decimal(500))
    ]


def test_a_quantity_that_is_none_costs_its_document_alone(site: Erpnext) -> None:
    said = site.run(*site.ledger(("Purchase Receipt", "PR-4"), "R-001", "many"))
    assert {(item.code, item.table) for item in of(Rejected, said)} <= {
        ("bad_quantity", LEDGER), ("bad_quantity", "tabSerial and Batch Entry"),
    }  # fmt: skip
    assert of(Rejected, said)


def test_a_snapshot_builds_state_and_brings_nothing() -> None:
    live = Erpnext()
    live.run(live.batch("R-001"), *live.receive("PR-1", "R-001"))
    changes = [change for made in live.log for change in made.changes]
    fresh = Erpnext()
    said = fresh.translation.feed(fresh.snapshot(*changes))
    assert [(lot.lot_id, lot.arrived, lot.place) for lot in of(Lot, said)] == [(R1, False, STORES)]
    more = fresh.ledger(("Purchase Receipt", "PR-2"), "R-001", "3")
    assert arrivals(fresh.run(*more)) == [(R1, Decimal(3))]


def test_every_table_that_is_read_is_written_here(site: Erpnext) -> None:
    site.run(site.batch("H-01", "HOUSING"), *site.stock_entry("SE-1", ["R-001"], ["H-01"]))
    site.run(site.inspection("QI-1"), site.nonconformance("NC-1"))
    seen = {change.table for made in site.log for change in made.changes}
    assert seen | {"tabSerial and Batch Entry"} == set(TABLES)
    assert DETAIL in seen
