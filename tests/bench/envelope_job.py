"""The reference job on the real model's events: every record carries the whole envelope."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from examples.lot_hold import BY_LOT, HOLDS, LOTS, HoldRequested, LotState
from streams.app import application
from streams.contracts.registry import ConfluentRegistry
from streams.contracts.shipped import shipped_codec
from streams.engine import Topic, Verdict
from streams.model.envelope import Actor, Envelope, Source, Transform
from streams.model.facts import InspectionResult
from streams.runtime.connection import KafkaConnection
from tests.bench import job

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.ours import Ours

APP: Final = "tests.bench.envelope_job:app"
DAY: Final = datetime(2026, 1, 5, tzinfo=UTC)

INSPECTIONS: Final = Topic(
    "example.inspection.events",
    InspectionResult,
    "lotgate.quality.InspectionResult",
    lambda event: event.lots[0],
)
__all__ = ["APP", "BY_LOT", "app", "hold", "produced"]

app = application("envelope-hold")


@app.stage(INSPECTIONS, store=LOTS, emits=(HOLDS,), dedupes_by_position=True)
def hold(state: LotState | None, event: InspectionResult) -> Verdict[LotState]:
    """The example's rule, on the model's own fields."""
    state = state or LotState()
    seq = event.envelope.subject_version
    if seq <= state.seq:
        return Verdict(state)
    fails = state.fails + (event.verdict == "rejected")
    is_new = fails >= 2 and not state.held
    counted = LotState(seq, state.n + 1, fails, state.held or is_new)
    return Verdict(counted, (HoldRequested(event.lots[0], fails, seq),) if is_new else ())


def result(event: job.Inspection) -> InspectionResult:
    """The same inspection as the main job's translator would tell it."""
    seq, lot = event["source_seq"], event["lot"]
    at = DAY + timedelta(milliseconds=seq)
    failed = not event["lower"] <= event["value"] <= event["upper"]
    envelope = Envelope(
        event_id=f"5f0c6a1e-7c1b-5d0e-9a52-{seq:012x}",
        event_type="lotgate.quality.inspection_result",
        subject_id=lot,
        subject_version=seq,
        site_id="plant-1",
        occurred_at=at,
        recorded_at=at + timedelta(milliseconds=40),
        ingested_at=at + timedelta(milliseconds=55),
        source=Source(
            "qms",
            "qms",
            "public",
            "quality_control",
            seq // 3,
            10_000_000 + 96 * seq,
            0,
            "u",
            "0.1.0",
        ),
        actor=Actor(event["inspector"], "Inspector", "quality"),
        correlation_id=f"c1d2e3f4-0000-5000-8000-{seq:012x}",
        causation_id=f"c1d2e3f4-0000-5000-9000-{seq:012x}",
        transform=(Transform("tryton", "1.0.0"),),
    )
    return InspectionResult(
        envelope,
        event["inspection_id"],
        f"QC-{seq}",
        (lot,),
        "rejected" if failed else "accepted",
        "stock.move,1",
        event["characteristic"],
    )


def produced(ours: Ours, records: int, lots: int) -> job.Expected:
    """Write the input; the schemas are registered already."""
    expected = job.Expected()
    connection = KafkaConnection(ours.ground.bootstrap, ours.prefix, ours.group)
    codec = shipped_codec(ours.ground.registry_url, connection)
    codec.prepare([INSPECTIONS])

    def encoded() -> Iterator[tuple[bytes, bytes]]:
        for event in job.inspections(records, lots, expected):
            yield event["lot"].encode(), codec.encode(INSPECTIONS, result(event))

    ours.ground.produce(ours.input, encoded())
    if isinstance(codec.registry, ConfluentRegistry):
        codec.registry.close()
    return expected
