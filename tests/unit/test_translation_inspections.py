"""Inspections and the lots of their documents."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from streams.model.facts import InspectionResult
from streams.model.translation import Rejected
from tests.translation_plant import (
    H1,
    HOUSING,
    INPUT,
    MAKING,
    OUTPUT,
    R1,
    RESIN,
    STORAGE,
    SUPPLIER,
    Plant,
    one,
)

pytestmark = pytest.mark.urs("M4.1")


@pytest.fixture
def plant() -> Plant:
    return Plant()


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


def test_a_failed_inspection_of_no_document_is_told_to_a_person(plant: Plant) -> None:
    key, _ = plant.inspection(None)
    said = plant.fail(key)
    assert one(said, InspectionResult).lots == ()
    assert one(said, Rejected).code == "inspection_without_document"
