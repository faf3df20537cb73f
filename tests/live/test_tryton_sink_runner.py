"""The sink's loop on a real broker and a real ERP: what a bad ERP or a bad command ends in."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from streams.contracts.topics import HOLD_COMMANDS
from streams.errors import Misconfigured
from streams.model.facts import Disposition
from streams.model.hold import AckResult, Enforcement, HoldAction, Share
from tests.live import erp_double as bad
from tests.live.erp_double import Double, Rule, running
from tests.live.sink_bench import QUICK, Bench
from tests.live.tryton_goods import Colleague, Ground, command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from streams.engine import Record

pytestmark = pytest.mark.urs("M4.1")

TRANSFERS = "/rest/model/stock.shipment.internal"


@pytest.fixture
def bench(broker: str, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(broker, tmp_path)
    yield bench
    bench.close()


@pytest.fixture
def double(erp: Ground, tmp_path: Path) -> Iterator[Double]:
    with running(erp.url, tmp_path) as double:
        yield double


def told(letter: Record) -> dict[str, str]:
    """A dead letter's story."""
    return {
        name.removeprefix("lotgate-dlq-"): value.decode()
        for name, value in letter.headers
        if name.startswith("lotgate-dlq-")
    }


async def test_hold_and_release_are_acked_with_what_was_read(
    bench: Bench, erp: Ground, shipper: Colleague
) -> None:
    number = shipper.lot(10)
    release = command(number, action=HoldAction.RELEASE, version=2)
    bench.send(command(number), release, replace(command(number), target="other"))
    async with bench.running(erp.sink()) as work:
        await bench.until(lambda: len(bench.acks()) == 2, work)
    held, released = bench.acks()
    assert (held.result, released.result) == (AckResult.CONTAINED, AckResult.RELEASED)
    assert held.effective_disposition == Disposition.RESTRICTED
    assert held.shares[0].returns_to == held.prior.place == "STO"
    assert released.signature == "present, not verified"
    assert held.signature == ""
    assert held.ack_id == held.envelope.event_id != released.ack_id
    assert held.envelope.recorded_at == command(number).envelope.recorded_at
    assert held.envelope.causation_id == f"event-{number}-1"
    assert held.mode == Enforcement.ENFORCE
    assert 8 < held.calls < 20
    assert erp.balance(number) == {"STO": 10}
    assert bench.letters() == []


REFUSALS = {
    "401": (bad.WRONG_KEY, "erp_denied", ("GET", "stock.lot")),
    "403": (bad.NO_RIGHT, "erp_denied", ("GET", "stock.lot")),
    "500": (bad.BROKEN, "erp_unexpected", ("GET", "stock.lot")),
    "user error": (bad.USER_ERROR, "erp_refused", ("POST", TRANSFERS)),
    "user warning": (bad.USER_WARNING, "erp_refused", ("POST", TRANSFERS)),
    "dialogue": (bad.DIALOGUE, "erp_wants_dialogue", ("POST", TRANSFERS)),
    "wizard": (bad.WIZARD, "erp_wants_dialogue", ("POST", TRANSFERS)),
}


@pytest.mark.urs("M3.3")
async def test_a_permanent_refusal_is_one_dead_letter_and_others_flow(
    bench: Bench, erp: Ground, double: Double, shipper: Colleague
) -> None:
    refused = {name: shipper.lot(10) for name in REFUSALS}
    other = shipper.lot(5)
    double.obey(
        *(Rule((*match, refused[name]), *answer) for name, (answer, _, match) in REFUSALS.items())
    )
    bench.send(*map(command, refused.values()), command(other))
    async with bench.running(behind(erp, double).sink()) as work:
        await bench.until(lambda: len(bench.acks()) == 8, work)
    results = bench.results()
    assert results.pop(other) == [AckResult.CONTAINED]
    assert results == {number: [AckResult.REFUSED] for number in refused.values()}
    letters = {letter.key: letter for letter in bench.letters()}
    assert len(bench.letters()) == len(letters) == len(REFUSALS)
    for name, (_, code, _) in REFUSALS.items():
        key = f"S1/RM-RESIN/{refused[name]}".encode()
        original = next(record for record in bench.commands() if record.key == key)
        letter, story = letters[key], told(letters[key])
        assert letter.value == original.value
        assert story["code"] == code, name
        where = (story["topic"], int(story["partition"]), int(story["offset"]))
        assert where == (original.topic, original.partition, original.offset)
        assert story["advice"]
        assert story["stack"]
        assert story["group"] == "lotgate-erp-hold"
        assert letter.header("traceparent") == original.header("traceparent")
        ack = next(ack for ack in bench.acks() if ack.lot_id.encode() == key)
        assert code in ack.detail
        assert ack.advice == story["advice"]
        assert erp.balance(refused[name]) == {"STO": 10}


@pytest.mark.urs("M3.3")
async def test_a_refusal_at_one_place_leaves_the_others_held_and_says_so(
    bench: Bench, erp: Ground, double: Double, shipper: Colleague
) -> None:
    number = shipper.lot(10)
    shipper.book(number, 4, "STO", "IN")
    place = f'"from_location": {shipper.place("IN")}'
    double.obey(Rule(("POST", TRANSFERS, number, place), *bad.USER_ERROR))
    bench.send(command(number))
    async with bench.running(behind(erp, double).sink()) as work:
        await bench.until(lambda: bool(bench.acks()), work)
    (ack,), (letter,) = bench.acks(), bench.letters()
    assert ack.result == AckResult.REFUSED
    assert {(share.outcome, share.place) for share in ack.shares} == {
        ("contained", "QUA"),
        ("free", "IN"),
    }
    assert ack.effective_disposition == Disposition.UNRESTRICTED
    assert told(letter)["code"] == "erp_refused"
    assert erp.balance(number) == {"QUA": 6, "IN": 4}


@pytest.mark.urs("M3.3")
async def test_a_call_without_an_answer_is_read_again_and_resumed(
    bench: Bench, erp: Ground, double: Double, shipper: Colleague
) -> None:
    lots = [shipper.lot(10) for _ in range(4)]
    ways = [(-1, True), (-1, False), (0, True), (0, False)]
    create = [
        Rule(("POST", TRANSFERS, lot), status, forward=forward, times=1)
        for lot, (status, forward) in zip(lots, ways, strict=True)
    ]
    press = [
        Rule(("POST", button), status, forward=forward, times=1)
        for button, (status, forward) in zip(
            ("/wait", "/assign_try", "/do", "/do"), [*ways[:1], *ways[2:], ways[1]], strict=True
        )
    ]
    double.obey(*create, *press)
    bench.send(*map(command, lots))
    sink = behind(erp, double).sink(timeout_s=1.0)
    async with bench.running(sink) as work:
        await bench.until(lambda: len(bench.acks()) == 4, work, 60)
    assert bench.results() == {lot: [AckResult.CONTAINED] for lot in lots}
    assert bench.letters() == []
    for lot in lots:
        done = [each for each in erp.transfers(f"hold-{lot}") if each[1] == "done"]
        assert done == [(f"HOLD:hold-{lot}", "done", 1)]
        assert erp.balance(lot) == {"QUA": 10}


@pytest.mark.urs("M3.3")
async def test_an_outage_fills_no_dead_letters_and_other_partitions_flow(
    bench: Bench, erp: Ground, double: Double, shipper: Colleague
) -> None:
    lots = [shipper.lot(2) for _ in range(5)]
    double.obey(Rule((lots[0],), *bad.BUSY), Rule(("POST", "/assign_try"), *bad.BUSY, times=2))
    bench.send(*map(command, lots))
    partitions = {record.key: record.partition for record in bench.commands()}
    blocked = partitions[f"S1/RM-RESIN/{lots[0]}".encode()]
    flowing = {lot for lot in lots if partitions[f"S1/RM-RESIN/{lot}".encode()] != blocked}
    assert flowing
    async with bench.running(behind(erp, double).sink()) as work:
        await bench.until(lambda: set(bench.results()) == flowing, work)
        await stays(lambda: bench.results() == {lot: [AckResult.CONTAINED] for lot in flowing})
        assert bench.letters() == []
        double.obey()
        await bench.until(lambda: len(bench.results()) == len(lots), work)
    assert bench.results() == {lot: [AckResult.CONTAINED] for lot in lots}
    assert bench.letters() == []


@pytest.mark.urs("M4.4")
async def test_two_processes_share_the_work_and_ack_each_command_once(
    bench: Bench, erp: Ground, shipper: Colleague
) -> None:
    lots = [shipper.lot(1) for _ in range(8)]
    bench.send(*map(command, lots[:4]))
    async with bench.running(erp.sink(), instance_id="a") as first:
        await bench.until(lambda: bool(bench.acks()), first)
        async with bench.running(erp.sink(), instance_id="b") as second:
            bench.send(*map(command, lots[4:]))
            await bench.until(lambda: set(bench.results()) == {*lots}, second)
        again = command(lots[0], action=HoldAction.RELEASE, version=2)
        bench.send(again)
        await bench.until(lambda: len(bench.results()[lots[0]]) == 2, first, 40)
    results = bench.results()
    assert results.pop(lots[0]) == [AckResult.CONTAINED, AckResult.RELEASED]
    assert results == {lot: [AckResult.CONTAINED] for lot in lots[1:]}
    assert bench.letters() == []


@pytest.mark.urs("M3.3")
async def test_what_cannot_be_decoded_is_a_dead_letter_and_what_is_unknown_is_not(
    bench: Bench, erp: Ground, shipper: Colleague
) -> None:
    number = shipper.lot(2)
    good = bench.codec.encode(HOLD_COMMANDS, command(number))
    broken = {
        b"truncated": good[:-7],
        b"trailing": good + b"x",
        b"unknown": good[:1] + (4_000_000).to_bytes(4, "big") + good[5:],
        b"text": b"not framed at all",
    }
    probe = command(shipper.lot(1))
    probe = replace(probe, envelope=replace(probe.envelope, synthetic=True))
    bench.send_bytes(*broken.items(), (f"S1/RM-RESIN/{number}".encode(), good))
    bench.send(command("nowhere"), probe)
    async with bench.running(erp.sink()) as work:
        await bench.until(lambda: len(bench.letters()) == 4 and len(bench.acks()) == 3, work)
    assert {letter.key: letter.value for letter in bench.letters()} == broken
    codes = {letter.key: told(letter)["code"] for letter in bench.letters()}
    assert codes == {
        b"truncated": "truncated_body",
        b"trailing": "trailing_bytes",
        b"unknown": "unknown_schema_id",
        b"text": "not_framed",
    }
    assert bench.results() == {
        number: [AckResult.CONTAINED],
        "nowhere": [AckResult.NOT_FOUND],
        probe.number: [AckResult.SYNTHETIC],
    }
    assert erp.balance(probe.number) == {"STO": 1}


async def test_observe_writes_nothing_and_enforce_asks_about_what_it_saw(
    bench: Bench, erp: Ground, shipper: Colleague
) -> None:
    kept, freed = shipper.lot(10), shipper.lot(5)
    bench.send(command(kept), command(freed), command(freed, action=HoldAction.RELEASE, version=2))
    async with bench.running(erp.sink(), enforcement=Enforcement.OBSERVE) as work:
        await bench.until(lambda: len(bench.acks()) == 3, work)
    would = {kept: [AckResult.WOULD_HOLD], freed: [AckResult.WOULD_HOLD, AckResult.WOULD_RELEASE]}
    assert bench.results() == would
    seen = next(ack for ack in bench.acks() if ack.lot_id.endswith(kept))
    assert seen.shares == (Share("free", Decimal("10.0"), "kg", "STO"),)
    assert erp.transfers(f"hold-{kept}") == []
    assert erp.balance(kept) == {"STO": 10}

    with pytest.raises(Misconfigured) as refused:
        async with bench.running(erp.sink()) as work:
            await bench.until(work.done, work)
    assert refused.value.code == "open_would_holds"
    assert kept in refused.value.message
    assert freed not in refused.value.message

    async with bench.running(erp.sink(), place_open=True) as work:
        await bench.until(lambda: AckResult.CONTAINED in bench.results()[kept], work)
    assert erp.balance(kept) == {"QUA": 10}
    assert erp.balance(freed) == {"STO": 5}
    async with bench.running(erp.sink()) as work:
        bench.send(command(kept, action=HoldAction.RELEASE, version=2))
        await bench.until(lambda: AckResult.RELEASED in bench.results()[kept], work)
    assert erp.balance(kept) == {"STO": 10}


async def test_propose_says_that_an_approval_is_needed(
    bench: Bench, erp: Ground, shipper: Colleague
) -> None:
    number = shipper.lot(3)
    bench.send(command(number))
    async with bench.running(erp.sink(), enforcement=Enforcement.PROPOSE) as work:
        await bench.until(lambda: bool(bench.acks()), work)
    (ack,) = bench.acks()
    assert ack.result == AckResult.WOULD_HOLD
    assert "approval" in ack.advice
    assert erp.balance(number) == {"STO": 3}


async def test_a_key_that_the_erp_refuses_stops_the_start(
    bench: Bench, erp: Ground, tmp_path: Path
) -> None:
    key = tmp_path / "wrong.key"
    key.write_text("wrong")
    with pytest.raises(Misconfigured) as refused:
        async with bench.running(replace(erp, holder=key).sink()) as work:
            await bench.until(work.done, work)
    assert refused.value.code == "erp_denied"


@pytest.mark.urs("M3.3")
async def test_a_key_that_goes_bad_stops_the_loop_before_the_topic_is_emptied(
    bench: Bench, erp: Ground, double: Double, shipper: Colleague
) -> None:
    lots = [shipper.lot(1) for _ in range(9)]
    double.obey(*(Rule(("stock.lot", lot), *bad.WRONG_KEY) for lot in lots))
    bench.send(*(command(lot) for lot in lots))
    with pytest.raises(Misconfigured) as refused:
        async with bench.running(behind(erp, double).sink()) as work:
            await bench.until(work.done, work)
    assert refused.value.code == "target_denies"
    assert len(bench.letters()) < 5
    double.obey()
    async with bench.running(behind(erp, double).sink()) as work:
        left = 9 - len(bench.letters())
        await bench.until(
            lambda: sum(AckResult.CONTAINED in r for r in bench.results().values()) == left, work
        )


async def stays(held: Callable[[], bool]) -> None:
    """See that something goes on to hold.

    That nothing happens can only be seen by looking on for a while: no event marks the end of a
    wait. The window is several times the longest pause between two tries, so a loop that gives up
    after a few tries, or acks what it could not do, is caught in it.
    """
    end = time.monotonic() + 4 * QUICK.longest_s
    while time.monotonic() < end:
        assert await asyncio.to_thread(held)
        await asyncio.sleep(QUICK.first_s)


def behind(erp: Ground, double: Double) -> Ground:
    """The same ERP behind the double."""
    return replace(erp, url=double.url)
