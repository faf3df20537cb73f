"""Traces and counters: W3C trace headers, a span per batch, counters with fixed names.

Nothing is exported unless a process is given an exporter. A span per event costs more than decoding
the event, so spans are made per batch and link the traces of the records in it; the trace header
itself travels on every record as bytes.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from opentelemetry.sdk.trace.export import SpanExporter

TRACEPARENT: Final = "traceparent"
_FORM = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
LINK_LIMIT = 128
"""Links on one span; a batch of thousands names its first ones only."""


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The part of a trace that travels on a record.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits: the span that made the record.
        sampled: Whether somebody records this trace.
    """

    trace_id: str
    span_id: str
    sampled: bool = True


def extract(headers: Iterable[tuple[str, bytes | None]] | None) -> TraceContext | None:
    """Read the trace context of a record.

    Headers are written by others: whatever is not a valid `traceparent` counts as absent.

    Args:
        headers: The record's headers, None if it has none.
    """
    for name, value in headers or ():
        if name.lower() == TRACEPARENT:
            return None if value is None else parse_traceparent(value)
    return None


def parse_traceparent(value: bytes) -> TraceContext | None:
    """Parse a `traceparent` value, None if it is not valid (W3C Trace Context, level 1)."""
    found = _FORM.fullmatch(value)
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == b"ff" or (version == b"00" and more is not None):
        return None
    if not int(trace_id, 16) or not int(span_id, 16):
        return None
    return TraceContext(trace_id.decode(), span_id.decode(), bool(int(flags, 16) & 1))


def traceparent(context: TraceContext) -> bytes:
    """Write a context as the value of a `traceparent` header."""
    return f"00-{context.trace_id}-{context.span_id}-{int(context.sampled):02x}".encode()


def inject(
    headers: Iterable[tuple[str, bytes | None]], context: TraceContext
) -> list[tuple[str, bytes | None]]:
    """Add a trace header to a record's headers, unless it has one: what is there is not changed."""
    kept = list(headers)
    if any(name.lower() == TRACEPARENT for name, _ in kept):
        return kept
    return [*kept, (TRACEPARENT, traceparent(context))]


def configure_telemetry(service: str, instance: str, exporter: SpanExporter) -> TracerProvider:
    """Record spans and hand them to an exporter, in batches, in a thread of its own.

    A process that does not call this records nothing and pays nothing.
    """
    resource = Resource.create({"service.name": service, "service.instance.id": instance})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider


@contextmanager
def batch_span(
    operation: Literal["poll", "process", "send", "commit"],
    destination: str,
    *,
    size: int,
    links: Iterable[TraceContext] = (),
    provider: TracerProvider | None = None,
) -> Iterator[trace.Span]:
    """One span around a batch, linked to the traces of its records.

    Args:
        operation: What is done, in OpenTelemetry's words for messaging.
        destination: The topic, or the group when a batch has several topics.
        size: Records in the batch.
        links: Contexts of the records; each trace is linked once.
        provider: Instead of the process's own.
    """
    seen: dict[str, TraceContext] = {}
    for context in links:
        if len(seen) >= LINK_LIMIT:
            break
        seen.setdefault(context.trace_id, context)
    tracer = trace.get_tracer("lotgate", tracer_provider=provider)
    with tracer.start_as_current_span(
        f"{operation} {destination}",
        kind=trace.SpanKind.CONSUMER if operation == "process" else trace.SpanKind.CLIENT,
        links=[trace.Link(_remote(context)) for context in seen.values()],
        attributes={
            "messaging.system": "kafka",
            "messaging.operation.name": operation,
            "messaging.destination.name": destination,
            "messaging.batch.message_count": size,
        },
    ) as span:
        yield span


def _remote(context: TraceContext) -> trace.SpanContext:
    return trace.SpanContext(
        int(context.trace_id, 16),
        int(context.span_id, 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED if context.sampled else 0),
    )


CounterName = Literal[
    "lotgate_records_read_total",
    "lotgate_records_written_total",
    "lotgate_commits_total",
    "lotgate_aborts_total",
    "lotgate_dead_letters_total",
    "lotgate_duplicates_total",
    "lotgate_retries_total",
    "lotgate_read_backs_total",
]
"""Every counter there is. A name that is not here does not pass the type check."""

MEANING: Final[Mapping[CounterName, str]] = {
    "lotgate_records_read_total": "Records taken from topics.",
    "lotgate_records_written_total": "Records, rows or documents written.",
    "lotgate_commits_total": "Transactions that committed.",
    "lotgate_aborts_total": "Transactions given up and done again.",
    "lotgate_dead_letters_total": "Records set aside with their bytes and cause.",
    "lotgate_duplicates_total": "Events recognised as known and not applied again.",
    "lotgate_retries_total": "Attempts after a transient failure.",
    "lotgate_read_backs_total": "States read back from a target.",
}

Series = tuple[CounterName, str, str]
"""A counter with its labels: name, interface or stage, outcome."""


class Counters:
    """Counts by name, interface and outcome. Labels are bounded: never a key or an id."""

    def __init__(self) -> None:
        self._values: Counter[Series] = Counter()
        # The web thread reads while the loop adds.
        self._lock = threading.Lock()

    def add(
        self, name: CounterName, amount: int = 1, *, interface: str = "", outcome: str = ""
    ) -> None:
        """Count something that happened.

        Args:
            name: One of `CounterName`.
            amount: How often; never negative.
            interface: Which interface, connector or stage.
            outcome: How it ended, where the counter tells outcomes apart.
        """
        if amount < 0:
            raise ValueError(f"{name} can only grow, got {amount}")
        with self._lock:
            self._values[name, interface, outcome] += amount

    def snapshot(self) -> dict[Series, int]:
        """Return the values of this moment."""
        with self._lock:
            return dict(self._values)
