"""Facts with plain values, for tests that need the bytes of one."""

from __future__ import annotations

from datetime import UTC, datetime

from streams.model.envelope import Envelope, Source
from streams.model.facts import Nonconformity

AT = datetime(2026, 3, 2, 8, tzinfo=UTC)


def an_envelope(event_id: str, event_type: str, subject: str) -> Envelope:
    """An envelope of a row that the QMS committed."""
    return Envelope(
        event_id=event_id,
        event_type=event_type,
        subject_id=subject,
        subject_version=1,
        site_id="PLANT1",
        occurred_at=AT,
        recorded_at=AT,
        ingested_at=AT,
        source=Source("qms", "qms", "public", "mgmtsystem_nonconformity", 1, 1, 0, "c"),
    )


def a_nonconformity() -> Nonconformity:
    """An open nonconformity of one lot."""
    return Nonconformity(
        envelope=an_envelope("event-1", "lotgate.quality.nonconformity", "77"),
        nc_id="77",
        ref="NC-77",
        severity="major",
        state="open",
        lots=("PLANT1/RM-RESIN/R-001",),
        description="used for its bytes only",
    )
