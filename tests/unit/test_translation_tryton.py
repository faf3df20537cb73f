"""Tryton's transactions, as its documents leave them in the log, and the facts they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from streams.model.facts import GenealogyEdge, InspectionResult, Lot
from streams.model.rows import SourceTransaction
from streams.model.translation import Rejected
from tests.translation_plant import (
    CUSTOMER,
    DEVICE,
    HOUSING,
    INPUT,
    LOSS,
    MAKING,
    OUTPUT,
    QUARANTINE,
    RESIN,
    STORAGE,
    SUPPLIER,
    UNCODED,
    WHO,
    Plant,
)
from tests.translation_stream import Translation, ids_of

R1, H1, D1 = "PLANT-1/RM-RESIN/R-001", "PLANT-1/IM-HOUSING/H-001", "PLANT-1/FG-DEVICE/D-001"


@pytest.fixture
def plant() -> Plant:
    return Plant()


def only(facts: list[Any], kind: type[Any]) -> list[Any]:
    return [fact for fact in facts if isinstance(fact, kind)]


def one(facts: list[Any], kind: type[Any]) -> Any:
    (found,) = only(facts, kind)
    return found


def arrivals(facts: list[Any]) -> list[str]:
    return [fact.lot_id for fact in only(facts, Lot) if fact.arrived]


def pairs(facts: list[Any]) -> set[tuple[str, str, str]]:
    return {(f.child_lot_id, f.parent_lot_id, f.op) for f in only(facts, GenealogyEdge)}


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


def test_three_levels_of_genealogy(plant: Plant) -> None:
    resin, _, _ = plant.receive("R-001")
    housing, order, said = plant.make([resin], "H-001", HOUSING)
    edge = one(said, GenealogyEdge)
    assert (edge.child_lot_id, edge.parent_lot_id) == (H1, R1)
    assert (edge.relation, edge.op, edge.work_order) == ("consumed", "assert", f"PRO-{order}")
    assert edge.envelope.subject_id == H1
    assert arrivals(said) == [H1]
    _, _, said = plant.make([housing], "D-001", DEVICE)
    assert pairs(said) == {(D1, H1, "assert")}


def test_every_output_is_linked_to_every_input_and_each_pair_is_said_once(plant: Plant) -> None:
    parents = [plant.receive(number)[0] for number in ("R-001", "R-002")]
    _, order, said = plant.make(parents, "H-001", HOUSING)
    assert pairs(said) == {(H1, R1, "assert"), (H1, "PLANT-1/RM-RESIN/R-002", "assert")}
    lot, new = plant.lot("H-002", HOUSING)
    out, more = plant.move(lot, MAKING, STORAGE, production_output=order)
    said = plant.run(new, more, *plant.done(out))
    assert {child for child, _, _ in pairs(said)} == {"PLANT-1/IM-HOUSING/H-002"}
    assert len(pairs(said)) == 2


def test_no_edge_before_the_last_part_is_done(plant: Plant) -> None:
    resin, _, _ = plant.receive("R-001")
    lot, new = plant.lot("H-001", HOUSING)
    used, first = plant.move(resin, STORAGE, MAKING, production_input=1)
    out, second = plant.move(lot, MAKING, STORAGE, production_output=1)
    plant.run(plant.change("c", "production", 1, number="PRO-1"), new, first, second)
    assert pairs(plant.run(*plant.done(out))) == set()
    assert pairs(plant.run(*plant.done(used))) == {(H1, R1, "assert")}


def test_a_cancelled_production_move_takes_its_edge_back_unless_another_states_it(
    plant: Plant,
) -> None:
    resin, _, _ = plant.receive("R-001")
    housing, _, _ = plant.make([resin], "H-001", HOUSING)
    used, first = plant.move(resin, STORAGE, MAKING, production_input=7)
    out, second = plant.move(housing, MAKING, STORAGE, production_output=7)
    plant.run(plant.change("c", "production", 7, number="PRO-7"), first, second)
    assert pairs(plant.run(*plant.done(used, out))) == set()
    assert pairs(plant.run(plant.change("u", "stock_move", used, state="cancelled"))) == set()
    moves = [
        key
        for (table, key), image in plant.rows.items()
        if table == "stock_move" and image["production_input"] not in {None, 7}
    ]
    said = plant.run(plant.change("u", "stock_move", moves[0], state="cancelled"))
    assert pairs(said) == {(H1, R1, "reverse")}


def test_a_failing_inspection_of_six_rows_is_one_fact(plant: Plant) -> None:
    _, document, _ = plant.receive("R-001")
    key, said = plant.inspection(document)
    assert said == []
    result = one(plant.fail(key), InspectionResult)
    assert (result.inspection_id, result.number) == (str(key), f"QI-{key}")
    assert (result.verdict, result.lots) == ("rejected", (R1,))
    assert (result.origin, result.control) == (document, "Incoming resin")
    assert result.envelope.occurred_at == datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    assert result.envelope.actor.user_id == "inspector"
    assert result.envelope.actor.printed_name == "Incoming inspector"
    assert (result.envelope.source.table, result.envelope.source.op) == ("quality_inspection", "u")


def test_a_passing_inspection_is_accepted_and_a_pending_one_is_no_fact(plant: Plant) -> None:
    _, document, _ = plant.receive("R-001")
    key, said = plant.inspection(document)
    assert said == []
    said = plant.translation.feed(plant.judged(key, "passed"))
    assert one(said, InspectionResult).verdict == "accepted"
    said = plant.run(plant.change("u", "quality_inspection", key, state="pending"))
    assert one(said, InspectionResult).verdict == "pending"
    assert one(said, InspectionResult).envelope.subject_version == 2


def test_lots_known_only_later_raise_the_version(plant: Plant) -> None:
    resin, _, _ = plant.receive("R-001")
    order = plant.next()
    used, first = plant.move(resin, STORAGE, MAKING, production_input=order)
    out, second = plant.move(None, MAKING, STORAGE, production_output=order)
    plant.run(plant.change("c", "production", order, number="PRO-1"), first, second)
    key, _ = plant.inspection(f"production,{order}")
    early = one(plant.fail(key), InspectionResult)
    assert (early.lots, early.envelope.subject_version) == ((), 1)
    lot, new = plant.lot("H-001", HOUSING)
    late = one(plant.run(new, plant.change("u", "stock_move", out, lot=lot)), InspectionResult)
    assert (late.lots, late.envelope.subject_version) == ((H1,), 2)
    assert late.verdict == "rejected"
    assert used in {key for table, key in plant.rows if table == "stock_move"}


def test_a_shipments_control_for_one_product_judges_only_its_lots(plant: Plant) -> None:
    lot, document, _ = plant.receive("R-001", RESIN)
    other, new = plant.lot("X-001", HOUSING)
    _, moved = plant.move(other, SUPPLIER, INPUT, shipment=document, product=HOUSING)
    control = plant.change("c", "quality_control", 2, name="Resin only", product=RESIN)
    plant.run(new, moved, control)
    key, _ = plant.inspection(document, control=2)
    assert one(plant.fail(key), InspectionResult).lots == (R1,)
    key, _ = plant.inspection(document)
    assert len(one(plant.fail(key), InspectionResult).lots) == 2
    assert lot != other


def test_cancelled_moves_name_no_lot(plant: Plant) -> None:
    _, document, _ = plant.receive("R-001")
    other, new = plant.lot("R-002")
    move, moved = plant.move(other, SUPPLIER, INPUT, shipment=document)
    plant.run(new, moved)
    plant.run(plant.change("u", "stock_move", move, state="cancelled"))
    key, _ = plant.inspection(document)
    assert one(plant.fail(key), InspectionResult).lots == (R1,)


def test_a_customer_shipments_inspection_names_its_lots(plant: Plant) -> None:
    lot, _, _ = plant.receive("R-001")
    _, moved = plant.move(lot, STORAGE, OUTPUT, shipment="stock.shipment.out,3")
    plant.run(moved)
    key, _ = plant.inspection("stock.shipment.out,3")
    assert one(plant.fail(key), InspectionResult).lots == (R1,)


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
def test_a_quantity_that_is_none_rejects_the_move_alone(plant: Plant, text: str) -> None:
    lot, new = plant.lot("R-001")
    good, other = plant.lot("R-002")
    bad_move, first = plant.move(lot, SUPPLIER, INPUT)
    good_move, second = plant.move(good, SUPPLIER, INPUT)
    plant.run(new, other, first, second)
    said = plant.run(
        plant.change("u", "stock_move", bad_move, internal_quantity=text, state="done"),
        *plant.done(good_move),
    )
    assert arrivals(said) == ["PLANT-1/RM-RESIN/R-002"]
    assert one(said, Rejected).column == "internal_quantity"


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


def test_an_unknown_user_is_named_by_id_and_no_user_at_all_is_unknown(plant: Plant) -> None:
    _, first = plant.lot("R-001", create_uid=77)
    _, second = plant.lot("R-002", create_uid=None)
    actors = [lot.envelope.actor.user_id for lot in plant.run(first, second)]
    assert actors == ["res.user,77", "unknown"]


def snapshot_of(plant: Plant) -> SourceTransaction:
    """A snapshot of all rows, tables in the order of their names."""
    tables = sorted(plant.rows, key=lambda address: (address[0], int(address[1])))
    return plant.snapshot(*(plant.change("u", *address) for address in tables))


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
