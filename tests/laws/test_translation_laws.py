"""Laws of the translation: how a log is delivered never changes what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.model.facts import GenealogyEdge, InspectionResult, Lot
from streams.model.rows import SourceTransaction
from tests.translation_plant import (
    CUSTOMER,
    DEVICE,
    HOUSING,
    INPUT,
    OUTPUT,
    STORAGE,
    SUPPLIER,
    UNCODED,
    Plant,
)
from tests.translation_stream import Translation, chunked

pytestmark = pytest.mark.urs("M2.1", "M2.5", "M4.4", "X7")

LAWFUL = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class History(Plant):
    """A plant that lives by drawn numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.lots: list[int] = []
        self.documents: list[str] = []
        self.inspections: list[int] = []

    def receive_one(self, pick: int) -> None:
        product = UNCODED if pick % 7 == 0 else 1 + pick % 2
        lot, document, _ = self.receive(f"R-{pick % 5}-{self.number}", product)
        self.lots.append(lot)
        self.documents.append(document)

    def make_one(self, pick: int) -> None:
        if self.lots:
            parents = {self.lots[pick % len(self.lots)], self.lots[pick // 3 % len(self.lots)]}
            product = (HOUSING, DEVICE)[pick % 2]
            lot, order, _ = self.make(sorted(parents), f"H-{self.number}", product)
            self.lots.append(lot)
            self.documents.append(f"production,{order}")

    def split_receipt(self, pick: int) -> None:
        if self.lots:
            lot = self.lots[pick % len(self.lots)]
            document = f"stock.shipment.in,{self.next()}"
            moves = [self.move(lot, SUPPLIER, INPUT, shipment=document) for _ in range(2)]
            changes = [change for _, change in moves]
            self.run(*changes, *self.done(*(key for key, _ in moves)))
            self.documents.append(document)

    def ship(self, pick: int) -> None:
        if self.lots:
            lot = self.lots[pick % len(self.lots)]
            document = f"stock.shipment.out,{self.next()}"
            picked, first = self.move(lot, STORAGE, OUTPUT, shipment=document)
            gone, second = self.move(lot, OUTPUT, CUSTOMER, shipment=document)
            self.run(first, second)
            self.run(*self.done(picked), *(self.done(gone) if pick % 2 else ()))
            self.documents.append(document)

    def inspect(self, pick: int) -> None:
        if self.documents:
            key, _ = self.inspection(self.documents[pick % len(self.documents)])
            self.inspections.append(key)
            state = ("failed", "passed", "odd")[min(pick % 4, 2)]
            if pick % 5:
                self.translation.feed(self.judged(key, "failed" if state == "odd" else state))

    def rename(self, pick: int) -> None:
        if self.lots:
            lot = self.lots[pick % len(self.lots)]
            self.run(self.change("u", "stock_lot", lot, number=f"N-{pick % 3}-{lot}"))

    def cancel(self, pick: int) -> None:
        moves = [key for table, key in self.rows if table == "stock_move"]
        if moves:
            key = moves[pick % len(moves)]
            self.run(self.change("u", "stock_move", key, state="cancelled"))

    def give_code(self, pick: int) -> None:
        code = None if pick % 3 == 0 else f"RM-{pick % 2}"
        self.run(self.change("u", "product_product", UNCODED, code=code))


STEPS: tuple[Callable[[History, int], None], ...] = (
    History.receive_one,
    History.make_one,
    History.split_receipt,
    History.ship,
    History.inspect,
    History.rename,
    History.cancel,
    History.give_code,
)

histories = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 1_000)), min_size=1, max_size=14
)


def lived(steps: list[tuple[Callable[[History, int], None], int]]) -> History:
    history = History()
    history.receive_one(1)
    for step, pick in steps:
        step(history, pick)
    return history


def told(said: list[Any]) -> list[Any]:
    """Facts, with what the dead letters would say, in an order of their own."""
    return sorted(map(repr, said))


@LAWFUL
@given(histories, st.data())
def test_chunks_never_change_what_is_said(steps: Any, data: st.DataObject) -> None:
    history = lived(steps)
    fresh = Translation()
    for transaction in history.log:
        sizes = data.draw(st.lists(st.integers(0, 4), max_size=4))
        fresh.feed(*chunked(transaction, *sizes))
    assert fresh.said == history.translation.said


@LAWFUL
@given(histories, st.data())
def test_duplicates_never_say_a_fact_twice(steps: Any, data: st.DataObject) -> None:
    history = lived(steps)
    fresh = Translation()
    sent: list[SourceTransaction] = []
    for transaction in history.log:
        parts = chunked(transaction, *data.draw(st.lists(st.integers(0, 3), max_size=2)))
        for part in parts:
            sent.append(part)
            again = data.draw(st.lists(st.sampled_from(sent), max_size=2))
            fresh.feed(part, *again)
    facts = [item for item in fresh.said if hasattr(item, "envelope")]
    expected = [item for item in history.translation.said if hasattr(item, "envelope")]
    assert facts == expected
    ids = [fact.envelope.event_id for fact in facts]
    assert len(set(ids)) == len(ids)


@LAWFUL
@given(histories)
def test_a_whole_log_read_again_says_nothing(steps: Any) -> None:
    history = lived(steps)
    again = history.translation.feed(*history.log)
    assert not [item for item in again if hasattr(item, "envelope")]


@LAWFUL
@given(histories, st.integers(1, 40), st.integers(1, 60))
def test_a_snapshot_says_the_same_in_any_chunks_and_pages(steps: Any, size: int, page: int) -> None:
    history = lived(steps)
    rows = sorted(history.rows, key=lambda address: (address[0], int(address[1])))
    whole = history.snapshot(*(history.change("u", *address) for address in rows))
    one = Translation()
    one.feed(whole)
    other = Translation(page_rows=page)
    other.feed(*chunked(whole, *([size] * (len(rows) // size))))

    def content(said: list[Any]) -> list[Any]:
        return sorted(
            (item.envelope.event_id, item.envelope.subject_version, item.envelope.subject_id)
            for item in said
            if hasattr(item, "envelope")
        )

    assert content(other.said) == content(one.said)
    assert {item.envelope.source.op for item in one.said if hasattr(item, "envelope")} <= {"r"}


def lot_names(history: History) -> dict[int, str]:
    """Canonical lot ids from the rows alone; lots that cannot be named are left out."""
    names = {}
    for (table, key), lot in history.rows.items():
        if table == "stock_lot":
            code = history.rows["product_product", lot["product"]]["code"]
            if code:
                names[key] = f"PLANT-1/{code}/{lot['number']}"
    return names


def moves_of(history: History) -> list[dict[str, Any]]:
    return [row for (table, _), row in history.rows.items() if table == "stock_move"]


STEADY = tuple(step for step in STEPS if step not in {History.rename, History.give_code})


@LAWFUL
@given(st.lists(st.tuples(st.sampled_from(STEADY), st.integers(0, 1_000)), min_size=1, max_size=18))
def test_edges_and_results_agree_with_the_tables(steps: Any) -> None:
    history = lived(steps)
    names = lot_names(history)
    done = [move for move in moves_of(history) if move["state"] == "done" and move["lot"] in names]
    expected = {
        (names[made["lot"]], names[used["lot"]])
        for made in done
        for used in done
        if made["production_output"] is not None
        and made["production_output"] == used["production_input"]
        and made["lot"] != used["lot"]
    }
    stated: dict[tuple[str, str], str] = {}
    results: dict[str, InspectionResult] = {}
    lots: set[str] = set()
    for item in history.translation.said:
        if isinstance(item, GenealogyEdge):
            stated[item.child_lot_id, item.parent_lot_id] = item.op
        elif isinstance(item, InspectionResult):
            results[item.inspection_id] = item
        elif isinstance(item, Lot):
            lots.add(item.lot_id)
    assert {pair for pair, op in stated.items() if op == "assert"} == expected
    assert lots == set(names.values())
    for key in history.inspections:
        row = history.rows["quality_inspection", key]
        if row["state"] == "pending":
            assert str(key) not in results
            continue
        model, _, number = row["origin"].partition(",")
        named = {
            names[move["lot"]]
            for move in moves_of(history)
            if move["lot"] in names
            and move["state"] != "cancelled"
            and (
                move["production_output"] == int(number)
                if model == "production"
                else move["shipment"] == row["origin"]
            )
        }
        assert set(results[str(key)].lots) == named
