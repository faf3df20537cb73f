"""The hold sink on a real Tryton: what is held, what is only reported, what comes back."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import Observation
from connectors.runner.sink.result import result_of
from streams.errors import Poison
from streams.model.facts import Disposition
from streams.model.hold import AckResult, HoldAction
from tests.live.tryton_goods import HOUSING, IN, OUT, Colleague, Ground, command

if TYPE_CHECKING:
    from streams.model.hold import HoldCommand

pytestmark = pytest.mark.urs("M4.1")


async def done(ground: Ground, order: HoldCommand, **settings: Any) -> Observation:
    """Apply a command and read back."""
    sink = ground.sink(**settings)
    try:
        await sink.apply(order)
        return await sink.read_back(order)
    finally:
        await sink.close()


def shares(seen: Observation) -> set[tuple[str, Decimal, str]]:
    return {(share.outcome, share.quantity, share.place) for share in seen.shares}


async def test_a_free_lot_is_contained(erp: Ground, shipper: Colleague) -> None:
    number = shipper.lot(10.5)
    seen = await done(erp, command(number))
    assert result_of(HoldAction.HOLD, seen) == AckResult.CONTAINED
    assert shares(seen) == {("contained", Decimal("10.5"), "QUA")}
    assert seen.effective_disposition == Disposition.RESTRICTED
    assert (seen.prior.disposition, seen.prior.place) == (Disposition.UNRESTRICTED, "STO")
    assert seen.shares[0].returns_to == "STO"
    assert erp.balance(number) == {"QUA": Decimal("10.5")}
    assert erp.transfers(f"hold-{number}") == [(f"HOLD:hold-{number}", "done", 1)]


async def test_a_contained_lot_cannot_be_shipped(erp: Ground, shipper: Colleague) -> None:
    number = shipper.lot(8)
    waiting = shipper.delivery(number, 3)
    await done(erp, command(number))
    assert shipper.press(OUT, waiting, "assign_try") == "waiting"
    assert "assign" in shipper.press(OUT, waiting, "assign_force").lower()
    later = shipper.delivery(number, 2, "assign_try")
    assert shipper.state(OUT, later) == "waiting"
    back = {"from_location": shipper.place("QUA"), "to_location": shipper.place("STO")}
    with pytest.raises(AssertionError, match=r"not allowed|access"):
        shipper.create("stock.shipment.internal", {**back, "reference": "mine"})
    assert erp.balance(number) == {"QUA": Decimal(8)}


async def test_goods_that_a_shipment_reserved_are_taken_back(
    erp: Ground, shipper: Colleague
) -> None:
    number = shipper.lot(10)
    shipment = shipper.delivery(number, 4, "assign_try")
    assert shipper.state(OUT, shipment) == "assigned"
    seen = await done(erp, command(number))
    assert result_of(HoldAction.HOLD, seen) == AckResult.CONTAINED
    assert shipper.state(OUT, shipment) == "waiting"
    assert erp.balance(number) == {"QUA": Decimal(10)}


async def test_a_picked_shipment_is_reported_in_flight(erp: Ground, shipper: Colleague) -> None:
    number = shipper.lot(10)
    shipment = shipper.delivery(number, 4, "assign_try", "pick")
    seen = await done(erp, command(number))
    assert result_of(HoldAction.HOLD, seen) == AckResult.IN_FLIGHT
    assert shares(seen) == {("contained", Decimal(6), "QUA"), ("in_flight", Decimal(4), "OUT")}
    flying = next(share for share in seen.shares if share.outcome == "in_flight")
    assert flying.document.startswith("stock.shipment.out ")
    assert shipper.state(OUT, shipment) == "picked"
    assert seen.effective_disposition == Disposition.UNRESTRICTED


@pytest.mark.parametrize("buttons", [("pick",), ("pick", "pack")])
async def test_a_shipment_in_flight_is_cancelled_where_allowed(
    erp: Ground, shipper: Colleague, buttons: tuple[str, ...]
) -> None:
    number = shipper.lot(10)
    shipment = shipper.delivery(number, 4, "assign_try", *buttons)
    seen = await done(erp, command(number), cancel_shipments=True)
    assert result_of(HoldAction.HOLD, seen) == AckResult.CONTAINED
    assert shipper.state(OUT, shipment) == "cancelled"
    assert sum(erp.balance(number).values()) == Decimal(10)
    assert set(erp.balance(number)) == {"QUA"}


async def test_shipped_goods_have_escaped_and_are_named(erp: Ground, shipper: Colleague) -> None:
    number = shipper.lot(10)
    shipper.delivery(number, 4, "assign_try", "pick", "pack", "do")
    seen = await done(erp, command(number))
    assert result_of(HoldAction.HOLD, seen) == AckResult.ESCAPED
    escaped = next(share for share in seen.shares if share.outcome == "escaped")
    assert escaped.quantity == Decimal(4)
    assert "(CUS-1)" in escaped.place
    assert escaped.document.startswith("stock.shipment.out ")
    assert ("contained", Decimal(6), "QUA") in shares(seen)


async def test_used_up_goods_are_consumed(erp: Ground, shipper: Colleague) -> None:
    number = shipper.lot(5, HOUSING)
    shipper.consume(number, 5)
    seen = await done(erp, command(number, material=HOUSING))
    assert result_of(HoldAction.HOLD, seen) == AckResult.CONSUMED
    assert shares(seen) == {("consumed", Decimal(5), "PROD")}


async def test_a_lot_without_stock_is_in_flight_never_contained(
    erp: Ground, shipper: Colleague
) -> None:
    seen = await done(erp, command(shipper.lot()))
    assert seen.found
    assert result_of(HoldAction.HOLD, seen) == AckResult.IN_FLIGHT


async def test_an_unknown_lot_is_not_found(erp: Ground) -> None:
    seen = await done(erp, command("no-such-lot"))
    assert result_of(HoldAction.HOLD, seen) == AckResult.NOT_FOUND


async def test_stock_that_arrives_later_is_held_by_the_next_command(
    erp: Ground, shipper: Colleague
) -> None:
    number = shipper.lot(10)
    await done(erp, command(number))
    shipper.book(number, 3, "", "STO")
    seen = await done(erp, command(number, version=2))
    assert result_of(HoldAction.HOLD, seen) == AckResult.CONTAINED
    assert erp.balance(number) == {"QUA": Decimal(13)}
    assert len(erp.transfers(f"hold-{number}")) == 2


async def test_an_open_receipt_is_in_flight_until_its_goods_can_be_held(
    erp: Ground, shipper: Colleague
) -> None:
    number = shipper.lot(0, HOUSING)
    receipt = shipper.receipt(number, 7)
    seen = await done(erp, command(number, material=HOUSING))
    assert result_of(HoldAction.HOLD, seen) == AckResult.IN_FLIGHT
    assert shares(seen) == {("in_flight", Decimal(7), "IN")}
    assert shipper.press(IN, receipt, "receive") == "received"
    seen = await done(erp, command(number, material=HOUSING))
    assert result_of(HoldAction.HOLD, seen) == AckResult.IN_FLIGHT
    assert shares(seen) == {("in_flight", Decimal(7), "IN")}
    assert shipper.press(IN, receipt, "do") == "done"
    seen = await done(erp, command(number, version=2, material=HOUSING))
    assert result_of(HoldAction.HOLD, seen) == AckResult.CONTAINED
    assert erp.balance(number) == {"QUA": Decimal(7)}


async def test_a_release_returns_goods_to_the_places_they_came_from(
    erp: Ground, shipper: Colleague
) -> None:
    number = shipper.lot(10)
    shipper.book(number, 4, "STO", "IN")
    before = erp.balance(number)
    held = await done(erp, command(number))
    assert result_of(HoldAction.HOLD, held) == AckResult.CONTAINED
    assert set(held.prior.place.split(", ")) == {"IN", "STO"}
    seen = await done(erp, command(number, action=HoldAction.RELEASE, version=2))
    assert result_of(HoldAction.RELEASE, seen) == AckResult.RELEASED
    assert erp.balance(number) == before == {"STO": Decimal(6), "IN": Decimal(4)}
    notes = erp.rows(
        "select n.message from ir_note n join stock_lot l on n.resource = 'stock.lot,' || l.id "
        "where l.number = %s order by n.id",
        number,
    )
    assert "An inspection failed." in notes[0][0]
    assert "Signature: present, not verified" in notes[1][0]


async def test_versions_fence(erp: Ground, shipper: Colleague) -> None:
    number = shipper.lot(10)
    sink = erp.sink()
    await sink.apply(command(number))
    await sink.apply(command(number, action=HoldAction.RELEASE, version=2))
    stale = await sink.apply(command(number))
    assert stale.stale
    assert erp.balance(number) == {"STO": Decimal(10)}
    with pytest.raises(Poison) as refused:
        await sink.apply(command(number, version=3))
    assert refused.value.code == "erp_hold_released"
    await sink.apply(command(number, version=4, hold="another"))
    await sink.close()
    assert erp.balance(number) == {"QUA": Decimal(10)}


async def test_two_lots_of_one_number_are_refused(erp: Ground, shipper: Colleague) -> None:
    number = shipper.lot(1)
    product = shipper.one("product.product", ["code", "=", "RM-RESIN"])
    shipper.create("stock.lot", {"number": number, "product": product})
    with pytest.raises(Poison) as refused:
        await done(erp, command(number))
    assert refused.value.code == "erp_lot_ambiguous"
    assert erp.balance(number) == {"STO": Decimal(1)}


async def test_goods_taken_out_of_quarantine_are_not_called_released(
    erp: Ground, shipper: Colleague
) -> None:
    number = shipper.lot(10)
    await done(erp, command(number))
    holder = Colleague(erp, erp.holder)
    holder.book(number, 4, "QUA", "IN")
    holder.close()
    release = command(number, action=HoldAction.RELEASE, version=2)
    seen = await done(erp, release)
    assert result_of(HoldAction.RELEASE, seen) == AckResult.PARTIAL
    assert ("free", Decimal(4), "IN") in shares(seen)
