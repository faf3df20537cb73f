"""From a lot's moves to quantities per outcome, and from those to the result."""

from __future__ import annotations

from decimal import Decimal

import pytest

from connectors.base import Observation
from connectors.runner.sink.result import advice_of, result_of, unfinished, would_be
from connectors.sinks.tryton.reading.picture import (
    Document,
    LotRecord,
    Move,
    Picture,
    Place,
    held_by,
)
from connectors.sinks.tryton.reading.shares import (
    disposition_of,
    negative_of,
    prior_of,
    shares_of,
)
from streams.model.facts import Disposition
from streams.model.hold import AckResult, Enforcement, HoldAction, Prior, Share

pytestmark = pytest.mark.urs("M4.1", "X1")

STO, OUT, IN = Place(3, "STO", "storage"), Place(2, "OUT", "storage"), Place(1, "IN", "storage")
QUA = Place(10, "QUA", "storage")
SUP, CUS = Place(6, "SUP", "supplier"), Place(7, "CUS", "customer")
PROD, LOST = Place(9, "PROD", "production"), Place(4, "Lost and Found", "lost_found")
SHIPMENT, INTERNAL = "stock.shipment.out", "stock.shipment.internal"
Way = tuple[str, int | float, Place, Place, Document | None]


def doc(model: str, number: int, state: str, reference: str = "", party: str = "") -> Document:
    return Document(model, number, state, str(number), reference, party)


def hold(number: int, state: str = "done", hold_id: str = "h") -> Document:
    return doc(INTERNAL, number, state, f"HOLD:{hold_id}")


def back(number: int, of: int, state: str = "done") -> Document:
    return doc(INTERNAL, number, state, f"RELEASE:h/{of}")


def picture(*ways: Way) -> Picture:
    moves = tuple(
        Move(number, state, Decimal(str(quantity)), source, target, document)
        for number, (state, quantity, source, target, document) in enumerate(ways, 1)
    )
    return Picture(LotRecord(7, 1, 2, "kg"), QUA.id, moves)


RECEIVED: Way = ("done", 10, SUP, STO, None)
CASES: dict[str, tuple[tuple[Way, ...], set[tuple[str, ...]], AckResult, str]] = {
    "free": ((RECEIVED,), {("free", "10", "STO")}, AckResult.PARTIAL, "UnRestricted"),
    "contained": (
        (RECEIVED, ("done", 10, STO, QUA, hold(1))),
        {("contained", "10", "QUA", f"{INTERNAL} 1", "STO")},
        AckResult.CONTAINED,
        "Restricted",
    ),
    "contained by someone else": (
        (RECEIVED, ("done", 10, STO, QUA, doc(INTERNAL, 1, "done", "mine"))),
        {("contained", "10", "QUA")},
        AckResult.CONTAINED,
        "Restricted",
    ),
    "reserved": (
        (RECEIVED, ("assigned", 4, STO, OUT, doc(SHIPMENT, 2, "assigned"))),
        {("free", "6", "STO"), ("assigned", "4", "STO", f"{SHIPMENT} 2")},
        AckResult.PARTIAL,
        "UnRestricted",
    ),
    "picked": (
        (
            RECEIVED,
            ("done", 10, STO, OUT, None),
            ("draft", 10, OUT, CUS, doc(SHIPMENT, 2, "picked")),
        ),
        {("in_flight", "10", "OUT", f"{SHIPMENT} 2")},
        AckResult.IN_FLIGHT,
        "UnRestricted",
    ),
    "waiting is harmless": (
        (RECEIVED, ("draft", 10, STO, OUT, doc(SHIPMENT, 2, "waiting"))),
        {("free", "10", "STO")},
        AckResult.PARTIAL,
        "UnRestricted",
    ),
    "received, not stored": (
        (
            ("done", 10, SUP, IN, doc("stock.shipment.in", 3, "received")),
            ("draft", 10, IN, STO, doc("stock.shipment.in", 3, "received")),
        ),
        {("in_flight", "10", "IN", "stock.shipment.in 3")},
        AckResult.IN_FLIGHT,
        "UnRestricted",
    ),
    "open receipt": (
        (("draft", 10, SUP, IN, doc("stock.shipment.in", 3, "draft")),),
        {("in_flight", "10", "IN", "stock.shipment.in 3")},
        AckResult.IN_FLIGHT,
        "UnRestricted",
    ),
    "cancelled receipt": (
        (("draft", 10, SUP, IN, doc("stock.shipment.in", 3, "cancelled")),),
        set(),
        AckResult.IN_FLIGHT,
        "UnRestricted",
    ),
    "shipped": (
        (RECEIVED, ("done", 10, STO, CUS, doc(SHIPMENT, 2, "done", party="Hospital (CUS-1)"))),
        {("escaped", "10", "Hospital (CUS-1)", f"{SHIPMENT} 2")},
        AckResult.ESCAPED,
        "Closed",
    ),
    "returned by the customer": (
        (RECEIVED, ("done", 10, STO, CUS, None), ("done", 10, CUS, STO, None)),
        {("free", "10", "STO")},
        AckResult.PARTIAL,
        "UnRestricted",
    ),
    "used up": (
        (RECEIVED, ("done", 10, STO, PROD, doc("production", 5, "running"))),
        {("consumed", "10", "PROD", "production 5")},
        AckResult.CONSUMED,
        "Closed",
    ),
    "made and not yet stored": (
        (("draft", 10, PROD, STO, doc("production", 5, "running")),),
        {("in_flight", "10", "STO", "production 5")},
        AckResult.IN_FLIGHT,
        "UnRestricted",
    ),
    "own transfer not finished": (
        (RECEIVED, ("assigned", 10, STO, QUA, hold(1, "assigned"))),
        {("assigned", "10", "STO", f"{INTERNAL} 1", "STO")},
        AckResult.PARTIAL,
        "UnRestricted",
    ),
    "own release not finished": (
        (
            RECEIVED,
            ("done", 10, STO, QUA, hold(1)),
            ("assigned", 10, QUA, STO, back(2, 1, "assigned")),
        ),
        {("contained", "10", "QUA", f"{INTERNAL} 1", "STO")},
        AckResult.CONTAINED,
        "Restricted",
    ),
    "someone reserved quarantined goods": (
        (
            RECEIVED,
            ("done", 10, STO, QUA, hold(1)),
            ("assigned", 4, QUA, STO, doc(INTERNAL, 2, "assigned", "mine")),
        ),
        {
            ("contained", "6", "QUA", f"{INTERNAL} 1", "STO"),
            ("assigned", "4", "QUA", f"{INTERNAL} 2"),
        },
        AckResult.PARTIAL,
        "UnRestricted",
    ),
    "given back": (
        (RECEIVED, ("done", 10, STO, QUA, hold(1)), ("done", 10, QUA, STO, back(2, 1))),
        {("free", "10", "STO")},
        AckResult.PARTIAL,
        "UnRestricted",
    ),
    "taken elsewhere": (
        (
            RECEIVED,
            ("done", 10, STO, QUA, hold(1)),
            ("done", 4, QUA, IN, doc(INTERNAL, 2, "done", "mine")),
        ),
        {
            ("contained", "6", "QUA", f"{INTERNAL} 1", "STO"),
            ("free", "4", "IN", f"{INTERNAL} 1", "STO"),
        },
        AckResult.PARTIAL,
        "UnRestricted",
    ),
}


@pytest.mark.parametrize(("ways", "expected", "result", "disposition"), CASES.values(), ids=CASES)
def test_where_the_goods_are(
    ways: tuple[Way, ...], expected: set[tuple[str, ...]], result: AckResult, disposition: str
) -> None:
    shares = shares_of(picture(*ways))
    found = {
        (share.outcome, str(share.quantity), share.place, share.document, share.returns_to)
        for share in shares
    }
    assert found == {(*each, "", "", "")[:5] for each in expected}
    assert result_of(HoldAction.HOLD, seen(*shares)) == result
    assert disposition_of(shares) == disposition


def seen(*shares: Share, found: bool = True) -> Observation:
    return Observation(found, shares, "", Prior())


def part(outcome: str, returns_to: str = "") -> Share:
    return Share(outcome, Decimal(1), "kg", "STO", "", returns_to)


RESULTS = [
    (("contained", "escaped", "free", "in_flight"), AckResult.ESCAPED),
    (("contained", "free", "in_flight"), AckResult.IN_FLIGHT),
    (("contained", "free"), AckResult.PARTIAL),
    (("contained", "assigned"), AckResult.PARTIAL),
    (("contained", "consumed"), AckResult.CONTAINED),
    (("consumed",), AckResult.CONSUMED),
    ((), AckResult.IN_FLIGHT),
]


@pytest.mark.parametrize(("outcomes", "result"), RESULTS)
def test_the_worst_that_is_present(outcomes: tuple[str, ...], result: AckResult) -> None:
    observation = seen(*map(part, outcomes))
    assert result_of(HoldAction.HOLD, observation) == result
    assert unfinished(HoldAction.HOLD, observation) == bool({"free", "assigned"} & {*outcomes})


def test_a_release_is_released_only_when_nothing_belongs_elsewhere() -> None:
    done, left = seen(part("free"), part("escaped")), seen(part("free"), part("contained", "STO"))
    assert result_of(HoldAction.RELEASE, done) == AckResult.RELEASED
    assert result_of(HoldAction.RELEASE, left) == AckResult.PARTIAL
    assert unfinished(HoldAction.RELEASE, left)
    assert not unfinished(HoldAction.RELEASE, done)


def test_an_unknown_lot_is_not_found_in_every_mode() -> None:
    unknown = seen(found=False)
    assert result_of(HoldAction.HOLD, unknown) == AckResult.NOT_FOUND
    assert result_of(HoldAction.RELEASE, unknown) == AckResult.NOT_FOUND
    assert would_be(HoldAction.HOLD, unknown) == AckResult.NOT_FOUND
    assert not unfinished(HoldAction.HOLD, unknown)


def test_looking_only_is_said() -> None:
    assert would_be(HoldAction.HOLD, seen()) == AckResult.WOULD_HOLD
    assert would_be(HoldAction.RELEASE, seen()) == AckResult.WOULD_RELEASE
    assert "approval" in advice_of(AckResult.WOULD_HOLD, Enforcement.PROPOSE)
    assert "observe" in advice_of(AckResult.WOULD_HOLD, Enforcement.OBSERVE)
    assert advice_of(AckResult.CONTAINED, Enforcement.ENFORCE) == ""


PRIORS = [
    ((RECEIVED,), Prior(Disposition.UNRESTRICTED, "STO")),
    ((RECEIVED, ("done", 10, STO, QUA, hold(1))), Prior(Disposition.UNRESTRICTED, "STO")),
    (
        (RECEIVED, ("done", 10, STO, QUA, doc(INTERNAL, 1, "done", "mine"))),
        Prior(Disposition.RESTRICTED, "QUA"),
    ),
    ((), Prior(Disposition.UNRESTRICTED, "")),
]


@pytest.mark.parametrize(("ways", "prior"), PRIORS)
def test_what_the_lot_was_before(ways: tuple[Way, ...], prior: Prior) -> None:
    assert prior_of(picture(*ways)) == prior


def test_goods_below_zero_are_named() -> None:
    assert negative_of(picture(("done", 3, STO, CUS, None))) == ("STO",)


def test_each_hold_document_knows_what_it_is_owed() -> None:
    entries = held_by(
        picture(
            RECEIVED,
            ("done", 6, STO, QUA, hold(1)),
            ("done", 4, IN, QUA, hold(2)),
            ("done", 4, QUA, IN, back(3, 2)),
        )
    )
    assert [(e.document.id, e.origin.label, e.owed) for e in entries] == [
        (1, "STO", Decimal(6)),
        (2, "IN", Decimal(0)),
    ]
