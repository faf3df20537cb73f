"""Rows that are odd or cannot be translated, and snapshots of a whole plant."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from streams.model.facts import InspectionResult, Lot
from streams.model.translation import Rejected
from tests.translation_plant import (
    H1,
    HOUSING,
    INPUT,
    R1,
    RESIN,
    STORAGE,
    SUPPLIER,
    UNCODED,
    WHO,
    Plant,
    arrivals,
    one,
    only,
    pairs,
    snapshot_of,
)
from tests.translation_stream import Translation, ids_of

pytestmark = pytest.mark.urs("M3.3")


@pytest.fixture
def plant() -> Plant:
    return Plant()


def test_updates_of_write_stamps_alone_are_dropped(plant: Plant) -> None:
    lot, document, _ = plant.receive("R-001")
    key, _ = plant.inspection(document)
    plant.fail(key)
    said = plant.run(
        plant.change("u", "quality_inspection", key, write_uid=6),
        plant.change("u", "stock_lot", lot, write_uid=6),
    )
    assert said == []


def test_a_row_made_and_removed_in_one_transaction_was_never_there(plant: Plant) -> None:
    key, new = plant.lot("R-001")
    assert plant.run(new, plant.change("d", "stock_lot", key)) == []


def test_a_product_without_code_rejects_its_lot_alone_until_the_code_comes(plant: Plant) -> None:
    key, bad = plant.lot("U-001", UNCODED)
    good_key, good = plant.lot("R-001")
    said = plant.run(bad, good)
    assert [lot.lot_id for lot in only(said, Lot)] == [R1]
    rejected = one(said, Rejected)
    assert (rejected.table, rejected.key, rejected.column) == ("stock_lot", str(key), "product")
    assert rejected.code == "product_without_code"
    assert "U-001" in rejected.message
    assert rejected.advice
    document = "stock.shipment.in,77"
    move, moved = plant.move(key, SUPPLIER, INPUT, shipment=document)
    plant.run(moved)
    assert one(plant.run(*plant.done(move)), Rejected).key == str(key)
    inspection, _ = plant.inspection(document)
    failed = plant.fail(inspection)
    assert one(failed, InspectionResult).lots == ()
    said = plant.run(plant.change("u", "product_product", UNCODED, code="RM-NEW"))
    lot = one(said, Lot)
    assert (lot.lot_id, lot.arrived, lot.quantity) == ("PLANT-1/RM-NEW/U-001", True, Decimal(10))
    assert one(said, InspectionResult).lots == ("PLANT-1/RM-NEW/U-001",)
    assert good_key != key


def test_an_unknown_state_rejects_the_row_with_advice(plant: Plant) -> None:
    _, document, _ = plant.receive("R-001")
    key, _ = plant.inspection(document)
    rejected = one(
        plant.run(plant.change("u", "quality_inspection", key, state="on_fire")), Rejected
    )
    assert (rejected.column, rejected.code) == ("state", "unknown_state")
    # The next save of the row is read again though nothing in it differs.
    assert one(plant.run(plant.change("u", "quality_inspection", key)), Rejected).key == str(key)


def test_a_column_that_is_not_published_is_named(plant: Plant) -> None:
    key, new = plant.lot("R-001")
    after = {k: v for k, v in (new.after or {}).items() if k != "number"}
    rejected = one(plant.run(replace(new, after=after)), Rejected)
    assert (rejected.table, rejected.key, rejected.column) == ("stock_lot", str(key), "number")
    assert rejected.code == "column_not_published"


@pytest.mark.parametrize("text", ["NaN", "ten", "Infinity"])
def test_a_quantity_that_is_none_is_told_and_stops_no_arrival(plant: Plant, text: str) -> None:
    lot, new = plant.lot("R-001")
    good, other = plant.lot("R-002")
    bad_move, first = plant.move(lot, SUPPLIER, INPUT)
    good_move, second = plant.move(good, SUPPLIER, INPUT)
    plant.run(new, other, first, second)
    said = plant.run(
        plant.change("u", "stock_move", bad_move, internal_quantity=text, state="done"),
        *plant.done(good_move),
    )
    assert set(arrivals(said)) == {R1, "PLANT-1/RM-RESIN/R-002"}
    assert {fact.quantity for fact in only(said, Lot)} == {Decimal(0), Decimal(10)}
    assert one(said, Rejected).column == "internal_quantity"


@pytest.mark.parametrize(("start", "end"), [(SUPPLIER, 998), (998, STORAGE)])
def test_a_place_that_is_not_known_counts_as_an_arrival(plant: Plant, start: int, end: int) -> None:
    lot, new = plant.lot("R-001")
    move, moved = plant.move(lot, start, end)
    plant.run(new, moved)
    assert arrivals(plant.run(*plant.done(move))) == [R1]


def test_a_truncated_table_forgets_nothing(plant: Plant) -> None:
    key, new = plant.lot("R-001")
    plant.run(new)
    gone = replace(plant.change("d", "stock_lot", 0), op="t", key={})
    rejected = one(plant.run(gone), Rejected)
    assert (rejected.table, rejected.key, rejected.code) == ("stock_lot", "", "table_truncated")
    assert (
        one(
            plant.run(
                plant.change("u", "stock_lot", key, number="R-9", product=RESIN, active=True, **WHO)
            ),
            Lot,
        ).number
        == "R-9"
    )


def test_a_column_that_the_log_does_not_repeat_comes_from_the_last_image(plant: Plant) -> None:
    key, new = plant.lot("R-001")
    plant.run(new)
    change = plant.change("u", "stock_lot", key, active=False)
    after = {name: value for name, value in (change.after or {}).items() if name != "number"}
    said = plant.run(replace(change, after=after, unavailable=("number",)))
    assert (one(said, Lot).number, one(said, Lot).disposition) == ("R-001", "Closed")


def test_a_changed_primary_key_moves_the_row(plant: Plant) -> None:
    key, new = plant.lot("R-001")
    plant.run(new)
    change = plant.change("u", "stock_lot", 999, **plant.rows["stock_lot", key])
    said = plant.run(replace(change, before={"id": key}))
    assert {lot.disposition for lot in only(said, Lot)} <= {"UnRestricted", "Closed"}
    assert only(said, Rejected) == []


@pytest.mark.urs("M2.5")
def test_an_unknown_user_is_named_by_id_and_no_user_at_all_is_unknown(plant: Plant) -> None:
    _, first = plant.lot("R-001", create_uid=77)
    _, second = plant.lot("R-002", create_uid=None)
    actors = [lot.envelope.actor.user_id for lot in plant.run(first, second)]
    assert actors == ["res.user,77", "unknown"]


def test_snapshot_rows_are_facts_of_op_r_without_arrivals(plant: Plant) -> None:
    resin, document, _ = plant.receive("R-001")
    plant.make([resin], "H-001", HOUSING)
    key, _ = plant.inspection(document)
    plant.fail(key)
    said = Translation().feed(snapshot_of(plant))
    assert {fact.envelope.source.op for fact in said} == {"r"}
    assert {lot.lot_id for lot in only(said, Lot)} == {R1, H1}
    assert arrivals(said) == []
    assert pairs(said) == {(H1, R1, "assert")}
    assert one(said, InspectionResult).lots == (R1,)


def test_changes_after_a_snapshot_are_joined_with_its_rows(plant: Plant) -> None:
    _, document, _ = plant.receive("R-001")
    key, _ = plant.inspection(document)
    fresh = Translation()
    fresh.feed(snapshot_of(plant))
    result = one(fresh.feed(plant.judged(key)), InspectionResult)
    assert (result.lots, result.envelope.source.op) == ((R1,), "u")


def test_a_second_snapshot_says_nothing_new(plant: Plant) -> None:
    _, document, _ = plant.receive("R-001")
    key, _ = plant.inspection(document)
    plant.fail(key)
    assert plant.translation.feed(snapshot_of(plant)) == []


def test_two_runs_over_one_log_give_the_same_facts() -> None:
    def story() -> list[Any]:
        plant = Plant()
        resin, document, _ = plant.receive("R-001")
        plant.make([resin], "H-001", HOUSING)
        key, _ = plant.inspection(document)
        plant.fail(key)
        return plant.translation.said

    first, second = story(), story()
    assert first == second
    assert len(set(ids_of(first))) == len(first)
