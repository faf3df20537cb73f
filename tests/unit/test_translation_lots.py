"""Lots: when they exist, change and arrive."""

from __future__ import annotations

from decimal import Decimal

import pytest

from streams.model.facts import GenealogyEdge, Lot
from tests.translation_plant import (
    CUSTOMER,
    HOUSING,
    INPUT,
    LOSS,
    MAKING,
    OUTPUT,
    QUARANTINE,
    R1,
    RESIN,
    STORAGE,
    SUPPLIER,
    Plant,
    arrivals,
    one,
    only,
    pairs,
)

pytestmark = pytest.mark.urs("M4.1")


@pytest.fixture
def plant() -> Plant:
    return Plant()


def test_a_new_lot_is_a_fact_with_its_envelope(plant: Plant) -> None:
    key, new = plant.lot(" R-001 ")
    transaction = plant.transaction(new)
    (lot,) = plant.translation.feed(transaction)
    assert (lot.lot_id, lot.material, lot.number) == (R1, "RM-RESIN", "R-001")
    assert (lot.arrived, lot.quantity, lot.disposition) == (False, None, "UnRestricted")
    assert (lot.unit, lot.xrefs) == ("kg", {"tryton": f"stock.lot,{key}"})
    envelope = lot.envelope
    assert (envelope.subject_id, envelope.subject_version) == (R1, 1)
    assert envelope.recorded_at == envelope.occurred_at == transaction.committed_at
    assert envelope.correlation_id == envelope.event_id
    assert (envelope.source.table, envelope.source.op) == ("stock_lot", "c")
    assert envelope.source.commit_lsn == transaction.commit_lsn
    assert (envelope.actor.user_id, envelope.actor.printed_name) == (
        "inspector",
        "Inspector account",
    )
    assert [(step.id, step.version) for step in envelope.transform] == [("tryton", "1")]


def test_a_receipt_arrives_when_its_move_turns_done(plant: Plant) -> None:
    _, _, said = plant.receive("R-001")
    lot = one(said, Lot)
    assert (lot.lot_id, lot.arrived, lot.quantity) == (R1, True, Decimal(10))
    assert (lot.envelope.source.table, lot.envelope.source.op) == ("stock_move", "u")


def test_goods_that_are_put_away_arrive_again_because_they_are_free_only_now(plant: Plant) -> None:
    lot, document, _ = plant.receive("R-001")
    move, new = plant.move(lot, INPUT, STORAGE, shipment=document)
    assert arrivals(plant.run(new)) == []
    said = plant.run(*plant.done(move))
    assert arrivals(said) == [R1]
    assert one(said, Lot).place == "STO"


@pytest.mark.parametrize(
    ("start", "end", "arrives"),
    [
        (SUPPLIER, INPUT, True),
        (CUSTOMER, INPUT, True),
        (MAKING, STORAGE, True),
        (LOSS, STORAGE, True),
        (QUARANTINE, STORAGE, True),
        (OUTPUT, STORAGE, True),
        (SUPPLIER, QUARANTINE, False),
        (STORAGE, OUTPUT, False),
        (OUTPUT, CUSTOMER, False),
        (STORAGE, MAKING, False),
        (STORAGE, QUARANTINE, False),
        (STORAGE, STORAGE, False),
    ],
)
def test_what_counts_as_an_arrival(plant: Plant, start: int, end: int, *, arrives: bool) -> None:
    lot, new = plant.lot("R-001")
    move, moved = plant.move(lot, start, end)
    plant.run(new, moved)
    assert arrivals(plant.run(*plant.done(move))) == ([R1] if arrives else [])


def test_a_cancelled_done_move_brings_its_goods_back(plant: Plant) -> None:
    lot, _, _ = plant.receive("R-001")
    move, new = plant.move(lot, STORAGE, OUTPUT, shipment="stock.shipment.out,9")
    plant.run(new)
    assert arrivals(plant.run(*plant.done(move))) == []
    assert arrivals(plant.run(plant.change("u", "stock_move", move, state="cancelled"))) == [R1]


@pytest.mark.parametrize("reference", ["HOLD:7c1", "RELEASE:7c1/2"])
def test_own_moves_never_count_and_never_change_the_place(plant: Plant, reference: str) -> None:
    lot, _, _ = plant.receive("R-001")
    own = {"number": "1", "reference": reference}
    shipment = plant.change("c", "stock_shipment_internal", 50, **own)
    move, new = plant.move(lot, QUARANTINE, STORAGE, shipment="stock.shipment.internal,50")
    assert plant.run(shipment, new) == []
    assert plant.run(*plant.done(move)) == []


def test_undoing_our_own_hold_counts(plant: Plant) -> None:
    lot, _, _ = plant.receive("R-001")
    own = plant.change("c", "stock_shipment_internal", 50, number="1", reference="HOLD:7c1")
    move, new = plant.move(lot, STORAGE, QUARANTINE, shipment="stock.shipment.internal,50")
    plant.run(own, new)
    assert plant.run(*plant.done(move)) == []
    assert arrivals(plant.run(plant.change("u", "stock_move", move, state="cancelled"))) == [R1]


def test_a_transfer_of_others_out_of_quarantine_counts(plant: Plant) -> None:
    lot, _, _ = plant.receive("R-001")
    theirs = plant.change("c", "stock_shipment_internal", 51, number="2", reference="back")
    move, new = plant.move(lot, QUARANTINE, STORAGE, shipment="stock.shipment.internal,51")
    plant.run(theirs, new)
    assert arrivals(plant.run(*plant.done(move))) == [R1]


def test_split_moves_of_one_lot_are_summed(plant: Plant) -> None:
    lot, new = plant.lot("R-001")
    moves = [plant.move(lot, SUPPLIER, INPUT) for _ in range(3)]
    plant.run(new, *(change for _, change in moves))
    said = plant.run(*plant.done(*(key for key, _ in moves)))
    assert one(said, Lot).quantity == Decimal(30)


def test_a_removed_lot_is_closed(plant: Plant) -> None:
    key, new = plant.lot("R-001")
    plant.run(new)
    lot = one(plant.run(plant.change("d", "stock_lot", key)), Lot)
    assert (lot.lot_id, lot.disposition, lot.envelope.source.op) == (R1, "Closed", "d")


def test_an_archived_lot_is_closed_and_not_held_by_it(plant: Plant) -> None:
    key, new = plant.lot("R-001")
    plant.run(new)
    lot = one(plant.run(plant.change("u", "stock_lot", key, active=False)), Lot)
    assert (lot.disposition, lot.arrived, lot.envelope.subject_version) == ("Closed", False, 2)


def test_a_renamed_lot_is_joined_with_its_old_name_both_ways(plant: Plant) -> None:
    key, new = plant.lot("R-001")
    plant.run(new)
    said = plant.run(plant.change("u", "stock_lot", key, number="R-001A"))
    renamed = "PLANT-1/RM-RESIN/R-001A"
    assert one(said, Lot).lot_id == renamed
    assert pairs(said) == {(renamed, R1, "assert"), (R1, renamed, "assert")}
    assert {edge.relation for edge in only(said, GenealogyEdge)} == {"renamed"}


def test_one_number_of_two_products_is_two_lots(plant: Plant) -> None:
    _, first = plant.lot("X-1", RESIN)
    _, second = plant.lot("X-1", HOUSING)
    said = plant.run(first, second)
    assert {lot.lot_id for lot in said} == {"PLANT-1/RM-RESIN/X-1", "PLANT-1/IM-HOUSING/X-1"}
