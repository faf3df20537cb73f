"""Documents that people write: every error has file, line, reason and the nearest valid name."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.documents import Document, Strict, parsed
from streams.contracts.interfaces import Interfaces, Release, checked, load
from streams.contracts.interfaces.advice import Measured, advise, measured
from streams.contracts.interfaces.orders import order, ordered_ms
from streams.contracts.interfaces.release import ALL_MS, NONE_MS, last_tick_ms, period_s
from streams.contracts.interfaces.routes import (
    Live,
    refuse_excluded,
    refuse_undeclared,
    route_findings,
)
from streams.contracts.topics import PUBLIC
from streams.errors import Misconfigured
from streams.operator.flows.gathering import KNOWN, interfaces_in, ownership_in, zones_in

pytestmark = pytest.mark.urs("M1.1", "M1.3", "M1.5")

CONTRACTS = Path(__file__).parents[2] / "deploy" / "contracts"
TODAY = date(2026, 11, 24)
HEAD = """flows:
  erp-hold:
    source: hub
    target: erp
    mode: stream
    max_latency_s: 10
    criticality: high
    rationale: Goods move.
    approver: head of quality
    group: sink
    reads: [inventory.hold.commands]
"""
TAIL = """systems:
  erp: {scope: in, criterion: It ships., approver: head of quality}
  mes: {scope: excluded, criterion: It is replaced in May., approver: head of production}
topics:
  inventory.hold.commands: {requirements: [M4.1]}
"""


def document(text: str) -> Document[Interfaces]:
    return parsed(text, "interfaces.yaml", Interfaces)


def flow(name: str, source: str, target: str, **more: str) -> str:
    said = {"mode": "stream", "max_latency_s": "5", "criticality": "low", **more}
    told = {"source": source, "target": target, "rationale": "r", "approver": "a", **said}
    return f"  {name}:\n" + "".join(f"    {key}: {value}\n" for key, value in told.items())


class Inner(Strict):
    """A part of a document."""

    number: int = 1


class Outer(Strict):
    """A document."""

    parts: dict[str, Inner]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("parts:\n  a:\n    numbr: 2\n", "f.yaml:3: unknown field 'parts.a.numbr'; the nearest is"),
        ("parts:\n  a: {}\n  a: {}\n", "f.yaml:3: 'a' stands here twice"),
        ("parts: [\n", "f.yaml:2: it is not YAML"),
        ("parts: &a {}\nmore: *a\n", "f.yaml:2: it is not YAML (an alias (*) is not allowed)"),
        ("parts:\n  a: {number: x}\n", "f.yaml:2: 'parts.a.number': Input should be a valid int"),
        ("", "f.yaml:1:"),
        ("{}", "f.yaml:1: 'parts' is missing"),
        ("parts: {[1, 2]: {}}", "f.yaml:1: a key is not a word"),
    ],
)
def test_a_wrong_document_is_refused_with_its_line(text: str, told: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        parsed(text, "f.yaml", Outer)
    assert refused.value.code == "bad_document"
    assert told in refused.value.message


@given(st.text(max_size=60))
def test_no_text_ends_in_anything_but_a_document_or_a_refusal(text: str) -> None:
    refused = ""
    try:
        parsed(text, "f.yaml", Outer)
    except Misconfigured as refusal:
        refused = refusal.message
    assert not refused or "f.yaml:" in refused


def test_the_shipped_documents_are_right_and_leave_no_finding() -> None:
    found = interfaces_in(CONTRACTS)
    ownership_in(CONTRACTS, found.value)
    zones_in(CONTRACTS, found.value)
    assert route_findings(found, [topic.name for topic in PUBLIC], TODAY) == ()


def test_a_name_that_does_not_exist_is_told_with_the_nearest() -> None:
    text = (HEAD + TAIL).replace("target: erp", "target: erq").replace("[inv", "[inw")
    told = [str(complaint) for complaint in checked(document(text), KNOWN)]
    assert told[0] == (
        "interfaces.yaml:4: flow erp-hold: there is no system 'erq'; the nearest is erp"
    )
    topic = "there is no topic 'inwentory.hold.commands'; the nearest is inventory.hold.commands"
    assert told[1:] == [f"interfaces.yaml:11: {topic}"]


def test_an_id_that_is_no_requirement_is_refused(tmp_path: Path) -> None:
    text = (HEAD + TAIL).replace("[M4.1]", "[because]")
    (tmp_path / "interfaces.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(Misconfigured, match=r"interfaces.yaml:\d+: 'because' is no id") as refused:
        load(tmp_path)
    assert refused.value.code == "bad_interfaces"
    with pytest.raises(Misconfigured, match="cannot be read"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("mode", "cron"),
    [("batch", ""), ("stream", "'* * * * *'"), ("batch", "often"), ("batch", "'0 0 30 2 * *'")],
)
def test_a_cron_belongs_to_a_batch_and_is_valid(mode: str, cron: str) -> None:
    cron_line = f"    cron: {cron}\n" if cron else ""
    text = HEAD.replace("mode: stream\n", f"mode: {mode}\n{cron_line}") + TAIL
    with pytest.raises(Misconfigured, match=r"interfaces.yaml:\d+: .*cron"):
        document(text)


MINUTE_MS = 60_000
NOON_MS = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("after_ms", "tick_ms"),
    [(-1, -15 * MINUTE_MS), (0, 0), (1, 0), (15 * MINUTE_MS - 1, 0), (15 * MINUTE_MS, 900_000)],
)
def test_a_batch_lets_go_what_came_up_to_its_last_tick(after_ms: int, tick_ms: int) -> None:
    release = Release("batch", "*/15 * * * *")
    assert release.upto_ms(NOON_MS + after_ms) == NOON_MS + tick_ms


@given(st.integers(0, 4_000_000_000_000), st.integers(0, 10_000_000))
def test_what_was_let_go_is_never_called_back(now_ms: int, later_ms: int) -> None:
    cron = "*/7 3-5 * * 1"
    tick = last_tick_ms(cron, now_ms)
    assert tick <= now_ms
    assert tick <= last_tick_ms(cron, now_ms + later_ms)
    assert last_tick_ms(cron, tick) == tick


def test_a_stream_lets_everything_go_and_a_manual_flow_what_was_ordered() -> None:
    assert Release().upto_ms(NOON_MS) == ALL_MS
    assert Release("manual").upto_ms(NOON_MS) == NONE_MS
    ordered = ordered_ms(order(77, "shift lead", NOON_MS, "checked"))
    assert Release("manual").upto_ms(NOON_MS, ordered) == 77


@pytest.mark.parametrize("value", [None, b"", b"{}", b"[]", b"\xff", b'{"upto_ms": "x"}'])
def test_an_order_that_cannot_be_read_releases_nothing(value: bytes | None) -> None:
    assert ordered_ms(value) == NONE_MS


def kinds(text: str, today: date = TODAY, live: Live | None = None) -> list[tuple[str, str]]:
    names = ("inventory.hold.commands",)
    found = route_findings(document(text), names, today, live, ("own-input",))
    return [(each.kind, each.subject) for each in found]


def test_a_route_past_the_hub_is_found_until_it_is_waived_and_again_when_that_ends() -> None:
    direct = HEAD + flow("mes-direct", "erp", "erp") + TAIL
    waiver = (
        "waivers:\n  - {kind: direct_route, subject: mes-direct, reason: r, owner: o, "
        "expires: 2026-11-24}\n"
    )
    assert kinds(HEAD + TAIL) == []
    assert kinds(direct) == [("direct_route", "mes-direct")]
    assert kinds(direct + waiver) == []
    assert kinds(direct + waiver, date(2026, 11, 25)) == [
        ("direct_route", "mes-direct"),
        ("expired_waiver", "mes-direct"),
    ]
    assert kinds(HEAD + TAIL + waiver) == [("needless_waiver", "mes-direct")]


def test_a_topic_without_reader_or_requirement_is_an_orphan() -> None:
    assert kinds(HEAD.replace("[inventory.hold.commands]", "[]") + TAIL) == [
        ("orphan_topic", "inventory.hold.commands")
    ]
    assert kinds((HEAD + TAIL).replace("[M4.1]", "[]")) == [
        ("orphan_topic", "inventory.hold.commands")
    ]


def test_what_the_broker_shows_beyond_the_file_is_found() -> None:
    text = HEAD + flow("erp-cdc", "erp", "hub") + TAIL
    topics = {"inventory.hold.commands", "own-input", "cdc.erp.public.a", "__consumer_offsets"}
    groups = {"sink": frozenset({"inventory.hold.commands"})}
    live = Live(frozenset(topics), groups)
    assert kinds(text, live=live) == []
    raw, other = frozenset({"cdc.erp.public.a"}), frozenset({"own-input"})
    strange = Live(
        frozenset({*topics, "somebody.else", "cdc.mes.public.b"}),
        {"past": raw, "guest": other, "sink": other},
    )
    assert kinds(text, live=strange) == [
        ("unknown_topic", "cdc.mes.public.b"),
        ("unknown_topic", "somebody.else"),
        ("unknown_group", "guest"),
        ("direct_route", "past"),
        ("unknown_group", "sink"),
    ]
    assert kinds(text, live=Live(frozenset(topics), {})) == [("idle_group", "sink")]


def test_an_excluded_system_is_refused_and_found_in_use() -> None:
    text = HEAD + flow("mes-cdc", "mes", "hub", tables="[public.a]") + TAIL
    assert ("excluded_system", "mes-cdc") in kinds(text)
    with pytest.raises(Misconfigured, match=r"interfaces.yaml:\d+: system mes") as refused:
        refuse_excluded(document(text), "mes-cdc", "mes")
    assert refused.value.code == "excluded_system"
    with pytest.raises(Misconfigured) as undeclared:
        refuse_excluded(document(text), "crm-cdc", "crm")
    assert undeclared.value.code == "undeclared_flow"
    refuse_excluded(document(text), "erp-hold", "erp")


def test_a_table_that_no_flow_declares_is_refused() -> None:
    text = HEAD + flow("erp-cdc", "erp", "hub", tables="[public.a, public.b]") + TAIL
    assert refuse_undeclared(document(text), "erp-cdc", ["public.a"]) == ("public.a", "public.b")
    assert refuse_undeclared(document(text), "erp-hold", ["any.table"]) == ()
    with pytest.raises(Misconfigured, match=r"interfaces.yaml:\d+: .*public.c") as refused:
        refuse_undeclared(document(text), "erp-cdc", ["public.c"])
    assert refused.value.code == "undeclared_table"


def codes(found: Measured, **more: str) -> list[str]:
    text = HEAD + flow("f", "hub", "erp", **more) + TAIL
    now = datetime(2026, 11, 24, tzinfo=UTC)
    return [each.code for each in advise("f", document(text).value.flows["f"], found, now)]


def test_advice_compares_what_was_measured_with_the_file() -> None:
    assert codes(Measured(100, 60.0, 4.9)) == ["fits"]
    assert codes(Measured(100, 60.0, 5.1)) == ["late"]
    assert codes(Measured(100, 0.5, None)) == ["could_batch"]
    assert codes(Measured(100, 0.5, None), criticality="high") == ["fits"]
    assert codes(Measured(19, 60.0, 99.0)) == ["not_measured"]
    slow: dict[str, Any] = {"mode": "batch", "cron": "'*/15 * * * *'", "max_latency_s": "600"}
    assert codes(Measured(100, 60.0, 1.0), **slow) == ["cron_too_slow"]


def test_rate_and_latency_come_from_the_records_times() -> None:
    samples = [(hour * 3_600_000, hour * 3_600_000 - 1000 * hour) for hour in range(21)]
    assert measured(samples) == Measured(21, 1.0, 19.0)
    assert measured([]) == Measured(0, 0.0, None)
    assert measured([(5, None)]) == Measured(1, 1.0, None)


def test_the_longest_pause_of_a_cron_counts() -> None:
    assert period_s("0 6,18 * * *", datetime(2026, 11, 24, tzinfo=UTC)) == 12 * 3600
    assert period_s("0 6 * * 1-5", datetime(2026, 11, 24, tzinfo=UTC)) == 3 * 24 * 3600
