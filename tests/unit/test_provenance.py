"""The chain of steps over every hop, and what becomes of a record that lost it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.runner.sink.config import SinkConfig
from connectors.runner.sink.records import Answer, ack_of, ack_record
from streams.app import main_job
from streams.contracts.codec import Codec
from streams.contracts.provenance import HEADER, Gate, Hop, appended, begun, read, step
from streams.contracts.provenance.chain import LIMIT_BYTES, last_event
from streams.contracts.topics import (
    CAUSE_INPUT,
    HOLD_ACKS,
    HOLD_COMMANDS,
    HOLD_STATE,
    LOT_INPUT,
    LOTS,
    NONCONFORMITIES,
    Topic,
)
from streams.engine import Record
from streams.engine.testing import Driver
from streams.errors import Poison
from streams.evidence.chain import Link, Provenance, rejoined
from streams.evidence.lot_story import DatabaseRow
from streams.model.envelope import Envelope, Source, Transform
from streams.model.facts import Nonconformity
from streams.model.hold import AckResult, Enforcement
from streams.operator.trace import provenance_text
from tests.translation_golden import STREAM, transaction_of

pytestmark = pytest.mark.urs("M2.5")

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
NC_LOT = "PLANT1/RAW/R-900"


@dataclass(frozen=True)
class Made:
    """Something with an envelope."""

    envelope: Envelope


def envelope(event_id: str, *transform: Transform) -> Envelope:
    source = Source("mes", "mes", "public", "nc", 1, 1, 0, "c", "7")
    return Envelope(
        event_id, "lotgate.quality.nonconformity", "n1", 1, "PLANT1", AT, AT, AT, source,
        transform=transform,
    )  # fmt: skip


def nonconformity(nc_id: str, *transform: Transform) -> Nonconformity:
    fact = envelope(f"id-{nc_id}", *transform)
    return Nonconformity(fact, nc_id, nc_id, "critical", "open", (NC_LOT,), signed=False)


def chain_of(record: Record) -> tuple[Hop, ...]:
    found = record.header(HEADER)
    assert found is not None, f"{record.topic} carries no chain"
    return read(found)


def names(record: Record) -> list[str]:
    return [hop.transform for hop in chain_of(record)]


@pytest.fixture(scope="module")
def driven() -> Iterator[Driver]:
    """The main job after the recorded stream of a real ERP and QMS."""
    with Driver(main_job()) as driver:
        for line in STREAM.read_text(encoding="utf-8").splitlines():
            driver.send(transaction_of(json.loads(line)))
        driver.settle()
        assert not driver.dead_letters()
        yield driver


WORD = st.text(min_size=1, max_size=30)


@given(st.lists(st.tuples(WORD, WORD, WORD), min_size=1, max_size=9))
def test_what_is_appended_is_read_again(steps: list[tuple[str, str, str]]) -> None:
    first, *others = steps
    chain = begun(*first)
    for name, version, event in others:
        chain = appended(chain, step("unused", ""), Made(envelope(event, Transform(name, version))))
    found = read(chain)
    assert found[0] == Hop(_shown(first[0]), _shown(first[1]), _shown(first[2]))
    assert last_event(chain) == chain.split(b"\n")[-1].split(b" ")[1]
    assert found[-1].event_id == _shown(steps[-1][2])


def _shown(text: str) -> str:
    """A lone dash stands for nothing."""
    return "" if text == "-" else text


def test_a_message_stands_for_the_event_it_was_made_from() -> None:
    chain = appended(begun("source/qms", "1", "tx"), step("route", "2"), object())
    assert read(chain)[-1] == Hop("route", "2", "tx", ("tx",))


def test_an_event_names_its_own_transform_and_what_else_it_read() -> None:
    made = Made(envelope("e2", Transform("lotgate.hold", "1", input_event_ids=("e1", "a b"))))
    assert read(appended(begun("oca", "1", "e1"), step("lot", "9"), made))[-1] == Hop(
        "lotgate.hold", "1", "e2", ("e1", "a b")
    )


@given(st.integers(min_value=1, max_value=120))
def test_a_long_chain_keeps_both_ends_and_counts_the_rest(count: int) -> None:
    chain = begun("source/erp", "1", "e0")
    for number in range(1, count):
        chain = appended(chain, step("lot", "0.1.0"), Made(envelope(f"e{number:036d}")))
    found = read(chain)
    assert len(chain) <= LIMIT_BYTES
    assert sum(hop.left_out or 1 for hop in found) == count
    assert found[0].transform == "source/erp"
    assert last_event(chain).decode() == (f"e{count - 1:036d}" if count > 1 else "e0")


@pytest.mark.parametrize("bad", [b"", b"no step", b"a@1", b"a@1 e\n", b"a@1 e\nb@1 \xff", b"@1 e"])
def test_what_is_no_chain_is_refused_with_its_line(bad: bytes) -> None:
    with pytest.raises(Poison) as caught:
        read(bad)
    assert caught.value.code == "provenance_unreadable"
    assert "line " in caught.value.message


def test_every_record_of_the_main_job_carries_its_chain(driven: Driver) -> None:
    topics: tuple[Topic[Any], ...] = (LOTS, NONCONFORMITIES, CAUSE_INPUT, LOT_INPUT)
    for topic in (*topics, HOLD_COMMANDS, HOLD_STATE):
        records = driven.records(topic)
        assert records, topic.name
        for record in records:
            hops = chain_of(record)
            assert hops[0].transform == "driver"
            assert all(hop.event_id and (hop.inputs or hop is hops[0]) for hop in hops)
            own = record.header("ce_id")
            assert own is None or hops[-1].event_id == own.decode()


def test_a_command_tells_its_hops_down_to_the_sources_transaction(driven: Driver) -> None:
    by_path = {tuple(names(record)) for record in driven.records(HOLD_COMMANDS)}
    direct = ("driver", "oca", "route-cause-nonconformity", "cause", "lotgate.hold")
    assert direct in by_path
    record = next(r for r in driven.records(HOLD_COMMANDS) if tuple(names(r)) == direct)
    hops = chain_of(record)
    facts = {r.header("ce_id"): r for r in driven.records(NONCONFORMITIES)}
    assert facts[hops[1].event_id.encode()].header(HEADER) == b"\n".join(
        (record.header(HEADER) or b"").split(b"\n")[:2]
    )
    assert hops[4].inputs == (hops[1].event_id,)


def test_the_sinks_ack_adds_its_hop(driven: Driver) -> None:
    record = driven.records(HOLD_COMMANDS)[0]
    command = driven.codec.decode(HOLD_COMMANDS, record.value or b"")
    config = SinkConfig(build="0.1.0")
    answer = Answer(AckResult.CONTAINED)
    ack = ack_of(command, answer, Enforcement.ENFORCE, AT, config)
    assert isinstance(driven.codec, Codec)
    driven.codec.prepare([HOLD_ACKS])
    output = ack_record(ack, config, driven.codec, record.header(HEADER) or b"")
    *before, last = read(dict(output.headers)[HEADER])
    assert tuple(before) == chain_of(record)
    assert last == Hop("lotgate-erp-hold", "0.1.0", ack.ack_id, (command.command_id,))


def test_a_record_without_its_chain_is_set_aside_and_the_others_flow() -> None:
    with Driver(main_job()) as driver:
        driver.send(nonconformity("before", Transform("oca", "1")))
        driver.settle()
        (sent,) = driver.records(NONCONFORMITIES)
        stripped = [pair for pair in sent.headers if pair[0] != HEADER]
        driver.send_raw(b"stripped", sent.value, stripped, topic=NONCONFORMITIES)
        driver.send(nonconformity("after", Transform("oca", "1")))
        driver.settle()
        (letter,) = driver.dead_letters()
        assert letter.header("lotgate-dlq-code") == b"provenance_missing"
        assert (letter.key, letter.value) == (b"stripped", sent.value)
        assert [m.cause_id for m in driver.emitted(CAUSE_INPUT)] == [
            "nonconformity:mes:before",
            "nonconformity:mes:after",
        ]


@pytest.mark.parametrize("topic", [CAUSE_INPUT, LOT_INPUT])
def test_the_next_hop_sees_it_whichever_it_is(topic: Topic[Any]) -> None:
    with Driver(main_job()) as driver:
        driver.send(nonconformity("n", Transform("oca", "1")))
        driver.settle()
        (record,) = driver.records(topic)
        driver.send_raw(record.key, record.value, topic=topic)
        driver.settle()
        (letter,) = driver.dead_letters()
        assert letter.header("lotgate-dlq-code") == b"provenance_missing"


@pytest.mark.parametrize("value", [b"", b"nothing of a chain", b"a@1"])
def test_a_spoilt_chain_is_set_aside_by_its_name(value: bytes) -> None:
    with Driver(main_job()) as driver:
        driver.send(nonconformity("n", Transform("oca", "1")))
        (record,) = driver.records(NONCONFORMITIES)
        driver.send_raw(record.key, record.value, [(HEADER, value)], topic=NONCONFORMITIES)
        driver.settle()
        (letter,) = driver.dead_letters()
        assert letter.header("lotgate-dlq-code") == b"provenance_unreadable"


def test_a_plain_producers_fact_begins_a_chain() -> None:
    with Driver(main_job()) as driver:
        driver.send(nonconformity("n"))
        fresh = driver.codec.encode(NONCONFORMITIES, nonconformity("m"))
        driver.send_raw(b"m", fresh, topic=NONCONFORMITIES)
        driver.settle()
        assert not driver.dead_letters()
        chains = [chain_of(each) for each in driver.records(CAUSE_INPUT)]
        assert chains[1][0] == Hop("first/mes", "7", "id-m")
        assert [hop.transform for hop in chains[1]] == ["first/mes", "route-cause-nonconformity"]


def test_what_cannot_be_read_says_that_first() -> None:
    with Driver(main_job()) as driver:
        driver.send_raw(b"k", b"\x01garbage", topic=LOT_INPUT)
        driver.send_raw(b"k", None, topic=LOT_INPUT)
        driver.settle()
        codes = [letter.header("lotgate-dlq-code") for letter in driver.dead_letters()]
        assert codes == [b"not_framed", b"empty_value"]


def test_a_message_between_stages_may_not_begin_a_chain() -> None:
    gate = Gate(HOLD_STATE, lambda _topic, _value: Made(envelope("e")))
    with pytest.raises(Poison, match="takes no records that begin a chain"):
        gate.chain_of([], b"value")


def test_a_gap_is_filled_from_the_chains_of_earlier_events() -> None:
    chains: dict[str, str] = {}
    chain = begun("source/erp", "1", "e0")
    for number in range(1, 120):
        own = f"e{number:036d}"
        chain = appended(chain, step("lot", "1"), Made(envelope(own)))
        chains[own] = chain.decode()
        chain = appended(chain, step("route", "1"), object())
    short = read(chain)
    assert any(hop.left_out for hop in short)
    whole = rejoined(short, lambda event_id: chains.get(event_id, ""))
    assert len(whole) == 1 + 2 * 119
    assert [hop.event_id for hop in whole[1::2]] == list(chains)
    assert rejoined(short, lambda _: "") == short


def test_a_person_reads_each_step_with_what_it_read_and_gave() -> None:
    row = DatabaseRow("qms", "qms.public.nc", "0/1A", 7, "c", "qa", "", AT)
    made = Link(
        "oca", "1", ("tx",), "e1", "lotgate.quality.nonconformity", "12", "t/0@3", made=True
    )
    links = (
        Link("source/qms", "0.1.0", (), "tx", made=True),
        made,
        Link("", "", (), "", left_out=5),
        Link("route-cause-nonconformity", "", ("e1",), "e1"),
    )
    lines = provenance_text(Provenance("e1", "cause-input", row, links)).splitlines()
    assert lines[0] == "Event e1 on cause-input"
    assert "  2  oca@1" in lines[4]
    assert lines[5:8] == [
        "       read   tx",
        "       gave   e1  lotgate.quality.nonconformity 12",
        "       at     t/0@3",
    ]
    assert lines[8] == "      (5 steps are no longer told)"
    assert lines[-1] == "       passed e1"
    bare = provenance_text(Provenance("e1", "facts", row, ()))
    assert bare.endswith("without the header that tells its steps")
