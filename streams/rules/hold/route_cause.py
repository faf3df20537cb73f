"""Which records are a cause of holds (rule set `strict`).

| Record | Cause |
|---|---|
| nonconformity, draft | none yet |
| nonconformity, open; critical, major or unknown | open, spreads to descendants |
| nonconformity, open; minor | open, named lots only |
| nonconformity, open; unfounded | none of its own; an earlier version's cause stands |
| nonconformity, closed or cancelled | ends the cause if signed, else is noted on it |
| inspection, rejected | open, spreads; stands for good: nothing disposes of it yet |
| inspection, accepted or pending | none |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.model.facts import (
    InspectionResult,
    InspectionVerdict,
    Nonconformity,
    NonconformityState,
    Severity,
)
from streams.model.messages import CauseMessage
from streams.model.verdict import Verdict

if TYPE_CHECKING:
    from streams.model.envelope import Envelope

NONCONFORMITY = "nonconformity"
INSPECTION = "inspection"

_SNAPSHOT = "r"
_NAMED_LOTS_ONLY = frozenset({Severity.MINOR, Severity.UNFOUNDED})
_ENDED = frozenset({NonconformityState.CLOSED, NonconformityState.CANCELLED})
_NOTHING: Verdict[None] = Verdict(None)


def decide(_state: None, event: Nonconformity | InspectionResult) -> Verdict[None]:
    """Turn a record into a version of a cause, or into nothing."""
    match event:
        case Nonconformity():
            return _nonconformity(event)
        case InspectionResult():
            return _inspection(event)


def cause_id(kind: str, envelope: Envelope, record: str) -> str:
    """Name a cause: `<type>:<source system>:<record id>`."""
    return f"{kind}:{envelope.source.system}:{record}"


def _nonconformity(event: Nonconformity) -> Verdict[None]:
    ended = event.state in _ENDED
    unfounded = event.severity == Severity.UNFOUNDED
    if event.state == NonconformityState.DRAFT or (unfounded and not ended):
        return _NOTHING
    message = CauseMessage(
        envelope=event.envelope,
        cause_id=cause_id(NONCONFORMITY, event.envelope, event.nc_id),
        cause_type=NONCONFORMITY,
        version=event.envelope.subject_version,
        open=not ended,
        signed=ended and event.signed,
        spreads=event.severity not in _NAMED_LOTS_ONLY,
        lots=event.lots,
        signature=event.signature if ended and event.signed else None,
        baseline=event.envelope.source.op == _SNAPSHOT,
    )
    return Verdict(None, (message,))


def _inspection(event: InspectionResult) -> Verdict[None]:
    if event.verdict != InspectionVerdict.REJECTED:
        return _NOTHING
    message = CauseMessage(
        envelope=event.envelope,
        cause_id=cause_id(INSPECTION, event.envelope, event.inspection_id),
        cause_type=INSPECTION,
        version=event.envelope.subject_version,
        open=True,
        signed=False,
        spreads=True,
        lots=event.lots,
        baseline=event.envelope.source.op == _SNAPSHOT,
    )
    return Verdict(None, (message,))
