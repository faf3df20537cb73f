"""A deviation: a departure from an approved procedure, found or planned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from streams.model.canonical.affected import AffectedLot
from streams.model.envelope import Envelope


class DeviationState(StrEnum):
    """Where the record stands; the last four are of planned deviations alone."""

    REPORTED = "reported"
    CLASSIFIED = "classified"
    INVESTIGATING = "investigating"
    QA_REVIEW = "qa_review"
    CLOSED = "closed"
    REQUESTED = "requested"
    APPROVED = "approved"
    ACTIVE = "active"
    EXPIRED = "expired"


class DeviationClass(StrEnum):
    """How grave it is."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    UNKNOWN = "unknown"


class ProductImpact(StrEnum):
    """Whether product is affected."""

    YES = "yes"
    NO = "no"
    ASSESSING = "assessing"


@dataclass(frozen=True, slots=True)
class Deviation:
    """A deviation record at one version.

    Version 2 of its schema added everything from `affected` on; a record of version 1 reads with
    the lots that it names as `affected`.

    Attributes:
        deviation_id: Id at the source; the key.
        ref: Number that people know.
        planned: True if it was asked for before it happened.
        classification: `critical`, `major`, `minor` or `unknown`.
        state: `reported`, `classified`, `investigating`, `qa_review`, `closed`; of a planned one
            `requested`, `approved`, `active`, `expired`, `closed`.
        process_step: The step that was departed from.
        lots: Lot ids named by this version.
        product_impact: `yes`, `no` or `assessing`.
        report_due_at: When its report is due, aware; None if no date is set.
        description: The record's own text.
        affected: The same lots, each with the part and quantity that is affected.
        discovered_at: When it was found, aware; None if the source does not say.
        valid_from: Of a planned one: from when it may be used; None otherwise.
        valid_to: Of a planned one: until when (exclusively); None for no end.
        procedure: Document and revision that was departed from, empty if none is named.
        equipment_id: Equipment that is concerned, empty if none.
        root_cause_id: The root cause found, empty if none yet.
        capa_id: The CAPA that it led to, empty if none.
    """

    envelope: Envelope
    deviation_id: str
    ref: str
    planned: bool
    classification: str
    state: str
    process_step: str
    lots: tuple[str, ...]
    product_impact: str = ProductImpact.ASSESSING
    report_due_at: datetime | None = None
    description: str = ""
    affected: tuple[AffectedLot, ...] = ()
    discovered_at: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    procedure: str = ""
    equipment_id: str = ""
    root_cause_id: str = ""
    capa_id: str = ""
