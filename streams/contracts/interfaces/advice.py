"""What was measured of a flow, beside what its file says. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.contracts.interfaces.release import period_s

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from streams.contracts.interfaces.document import Flow

RARE_PER_HOUR = 1.0
"""A flow of low criticality that carries less may as well be read in batches."""
LEAST_SAMPLES = 20
"""Fewer records say nothing about the slowest twentieth."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the records of a flow's topics show.

    Attributes:
        records: Records looked at.
        per_hour: Changes per hour between the first and the last of them.
        p95_s: Latency that 95 of 100 records keep, seconds from business time to the topic; None
            if no record tells its business time.
    """

    records: int
    per_hour: float
    p95_s: float | None


@dataclass(frozen=True, slots=True)
class Advice:
    """One sentence on a flow.

    Attributes:
        flow: Its name.
        code: `late`, `cron_too_slow`, `could_batch`, `not_measured` or `fits`.
        text: For people.
    """

    flow: str
    code: str
    text: str


def measured(samples: Sequence[tuple[int, int | None]]) -> Measured:
    """Sum up records.

    Args:
        samples: Per record: time in the topic and business time, milliseconds since 1970; the
            latter None if the record does not tell it.
    """
    times = sorted(time for time, _ in samples)
    span_h = (times[-1] - times[0]) / 3_600_000 if times else 0.0
    per_hour = (len(times) - 1) / span_h if span_h > 0 else float(len(times))
    latencies = sorted((time - begun) / 1000 for time, begun in samples if begun is not None)
    p95 = latencies[math.ceil(len(latencies) * 0.95) - 1] if latencies else None
    return Measured(len(times), per_hour, p95)


def advise(name: str, flow: Flow, found: Measured, now: datetime) -> tuple[Advice, ...]:
    """Compare a flow's file with what was measured."""
    return tuple(_told(name, flow, found, now)) or (
        Advice(name, "fits", f"{found.per_hour:.1f} changes/h, as the file allows"),
    )


def _told(name: str, flow: Flow, found: Measured, now: datetime) -> Iterable[Advice]:
    if flow.mode == "batch" and (period := period_s(flow.cron, now)) > flow.max_latency_s:
        text = (
            f"its cron {flow.cron!r} pauses for {period:.0f} s, but max_latency_s is "
            f"{flow.max_latency_s:g}: stream it, or give a shorter cron"
        )
        yield Advice(name, "cron_too_slow", text)
    if found.records < LEAST_SAMPLES:
        text = f"only {found.records} records were found: {LEAST_SAMPLES} are needed to judge"
        yield Advice(name, "not_measured", text)
        return
    if found.p95_s is not None and found.p95_s > flow.max_latency_s:
        text = (
            f"95 of 100 records took up to {found.p95_s:.1f} s, but max_latency_s is "
            f"{flow.max_latency_s:g}"
        )
        yield Advice(name, "late", text)
    if flow.mode == "stream" and flow.criticality == "low" and found.per_hour < RARE_PER_HOUR:
        text = f"{found.per_hour:.2f} changes/h of low criticality: a batch would do"
        yield Advice(name, "could_batch", text)
