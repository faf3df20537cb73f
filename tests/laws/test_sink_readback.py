"""Whatever happened to a lot, the read-back adds up and never overstates."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Observation
from connectors.runner.sink.result import result_of
from connectors.sinks.tryton.reading.picture import (
    Document,
    LotRecord,
    Move,
    Picture,
    Place,
    held_by,
)
from connectors.sinks.tryton.reading.shares import disposition_of, shares_of
from streams.model.facts import Disposition
from streams.model.hold import AckResult, HoldAction, Prior, Share

pytestmark = pytest.mark.urs("M4.1", "X1")

QUA = Place(10, "QUA", "storage")
INSIDE = (Place(3, "STO", "storage"), Place(1, "IN", "storage"), Place(2, "OUT", "storage"), QUA)
PLACES = (
    *INSIDE,
    Place(6, "SUP", "supplier"),
    Place(7, "CUS", "customer"),
    Place(9, "PROD", "production"),
    Place(4, "Lost and Found", "lost_found"),
)
STATES = ("waiting", "assigned", "picked", "packed", "received", "shipped", "done", "cancelled")

documents = st.builds(
    Document,
    st.sampled_from(["stock.shipment.out", "stock.shipment.internal", "production"]),
    st.integers(1, 4),
    st.sampled_from(STATES),
    st.sampled_from(["", "5"]),
    st.sampled_from(["", "mine", "HOLD:h", "HOLD:k", "RELEASE:h/5", "RELEASE:k/5"]),
)
moves = st.builds(
    Move,
    st.integers(1, 999),
    st.sampled_from(["done", "done", "assigned", "draft"]),
    st.integers(1, 9).map(Decimal),
    st.sampled_from(PLACES),
    st.sampled_from(PLACES),
    st.none() | documents,
).filter(lambda move: move.source != move.target)


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    """Histories in which no place ever goes below zero, as an ERP that nobody forced has them."""
    stock = dict.fromkeys(INSIDE, Decimal(0))
    kept: list[Move] = []
    for move in draw(st.lists(moves, max_size=12)):
        inside = move.source in stock
        taking = move.state in {"done", "assigned"} or move.in_flight
        if taking and inside:
            if stock[move.source] < move.quantity:
                continue
            stock[move.source] -= move.quantity
        if move.state == "done" and move.target in stock:
            stock[move.target] += move.quantity
        kept.append(move)
    return Picture(LotRecord(1, 1, 1, "kg"), QUA.id, tuple(kept))


def on_hand(picture: Picture) -> Decimal:
    return sum(picture.stock.values(), Decimal(0))


def held_here(share: Share) -> bool:
    return share.outcome in {"contained", "free", "assigned"}


def observed(picture: Picture) -> Observation:
    return Observation(
        found=True, shares=shares_of(picture), effective_disposition="", prior=Prior()
    )


@given(pictures())
@settings(max_examples=250, deadline=None)
def test_contained_is_said_only_if_all_stock_lies_in_quarantine(picture: Picture) -> None:
    elsewhere = sum(
        (held for place, held in picture.stock.items() if place != QUA and held > 0), Decimal(0)
    )
    if result_of(HoldAction.HOLD, observed(picture)) == AckResult.CONTAINED:
        assert elsewhere == 0
        assert picture.in_quarantine > 0
    if disposition_of(shares_of(picture)) == Disposition.RESTRICTED:
        assert elsewhere == 0


@given(pictures())
@settings(max_examples=250, deadline=None)
def test_the_parts_of_the_stock_add_up(picture: Picture) -> None:
    flying = {
        (move.quantity, move.source.label)
        for move in picture.open_moves
        if move.in_flight and move.source.kind == "storage"
    }
    parts = shares_of(picture)
    here = sum((share.quantity for share in parts if held_here(share)), Decimal(0))
    taken = sum(
        (
            move.quantity
            for move in picture.open_moves
            if move.in_flight and move.source.kind == "storage"
        ),
        Decimal(0),
    )
    own_from_quarantine = sum(
        (
            move.quantity
            for move in picture.open_moves
            if move.in_flight
            and move.source == QUA
            and move.document is not None
            and move.document.ours
        ),
        Decimal(0),
    )
    assert here + taken - own_from_quarantine == on_hand(picture)
    assert flying <= {(s.quantity, s.place) for s in parts if s.outcome == "in_flight"}
    assert all(share.quantity > 0 for share in parts)


@given(pictures())
@settings(max_examples=150, deadline=None)
def test_released_is_said_only_if_no_hold_is_owed_anything_that_lies_there(
    picture: Picture,
) -> None:
    owed = sum((entry.owed for entry in held_by(picture)), Decimal(0))
    leaving = sum((m.quantity for m in picture.open_moves if m.source == QUA), Decimal(0))
    if result_of(HoldAction.RELEASE, observed(picture)) == AckResult.RELEASED:
        assert min(owed, picture.in_quarantine - leaving) <= 0
