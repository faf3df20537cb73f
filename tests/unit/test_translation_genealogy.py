"""Productions and the edges they state."""

from __future__ import annotations

import pytest

from streams.model.facts import GenealogyEdge
from tests.translation_plant import (
    D1,
    DEVICE,
    H1,
    HOUSING,
    MAKING,
    R1,
    STORAGE,
    Plant,
    arrivals,
    one,
    pairs,
)

pytestmark = pytest.mark.urs("M4.1", "X1")


@pytest.fixture
def plant() -> Plant:
    return Plant()


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
