"""Trace headers are read with suspicion, spans are per batch, counters have fixed names."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from streams.runtime.telemetry import (
    MEANING,
    CounterName,
    Counters,
    TraceContext,
    batch_span,
    extract,
    inject,
    parse_traceparent,
    traceparent,
)

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_a_context_survives_the_wire(trace: int, span: int, sampled: bool) -> None:
    context = TraceContext(f"{trace:032x}", f"{span:016x}", sampled)
    assert extract([("x", None), ("traceparent", traceparent(context))]) == context


@given(st.binary(max_size=80))
def test_no_bytes_of_others_can_break_the_reader(value: bytes) -> None:
    found = parse_traceparent(value)
    assert found is None or traceparent(found)[3:52] == value[3:52]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        f"00-{TRACE}-{SPAN}".encode(),
        f"00-{'0' * 32}-{SPAN}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        f"ff-{TRACE}-{SPAN}-01".encode(),
        f"00-{TRACE}-{SPAN}-01-more".encode(),
        f"00-{TRACE.upper()}-{SPAN}-01".encode(),
    ],
)
def test_an_invalid_header_counts_as_absent(value: bytes) -> None:
    assert extract([("traceparent", value)]) is None


def test_a_later_version_of_the_header_is_understood() -> None:
    assert parse_traceparent(f"01-{TRACE}-{SPAN}-01-more".encode()) == TraceContext(TRACE, SPAN)


def test_a_context_that_is_there_is_not_changed() -> None:
    mine, theirs = TraceContext(TRACE, SPAN), TraceContext(TRACE, "1" * 16)
    headers = inject([("a", b"1")], theirs)
    assert extract(inject(headers, mine)) == theirs
    assert extract(None) is None


def test_a_batch_has_one_span_that_links_each_trace_once() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    links = [TraceContext(TRACE, SPAN), TraceContext(TRACE, "2" * 16), TraceContext("3" * 32, SPAN)]
    with batch_span("process", "inventory.hold.acks", size=3, links=links, provider=provider):
        pass
    (span,) = exporter.get_finished_spans()
    assert span.name == "process inventory.hold.acks"
    assert len(span.links) == 2
    assert span.attributes is not None
    assert span.attributes["messaging.batch.message_count"] == 3


def test_counters_add_up_per_name_and_label() -> None:
    counters = Counters()
    counters.add("lotgate_commits_total", interface="evidence")
    counters.add("lotgate_commits_total", 2, interface="evidence")
    counters.add("lotgate_commits_total", interface="erp-hold")
    assert counters.snapshot() == {
        ("lotgate_commits_total", "evidence", ""): 3,
        ("lotgate_commits_total", "erp-hold", ""): 1,
    }
    with pytest.raises(ValueError, match="can only grow"):
        counters.add("lotgate_commits_total", -1)


def test_every_counter_says_what_it_means() -> None:
    assert set(MEANING) == set(get_args(CounterName))
