"""What every canonical event carries: identity, times, source position, actor, chain."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

UNKNOWN_ACTOR = "unknown"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it, as far as the source says. An absent actor is said, not left out.

    Attributes:
        user_id: The source's own user id, or `unknown`.
        printed_name: Name or role as printed on records, empty if the source has none.
        role: The role acted in, empty if not known.
    """

    user_id: str = UNKNOWN_ACTOR
    printed_name: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where in which system the change was written.

    Attributes:
        system: Source id, e.g. `erp`.
        database: Database name.
        schema: Schema of the row that completed the fact.
        table: Table of that row.
        tx_id: The source's transaction number.
        commit_lsn: Commit position in the source's log; for a snapshot row the snapshot's position.
        ordinal: 0-based place of the row change inside its transaction.
        op: `c` create, `u` update, `d` delete, `r` snapshot read.
        connector_version: Version of the connector that read it.
    """

    system: str
    database: str
    schema: str
    table: str
    tx_id: int
    commit_lsn: int
    ordinal: int
    op: str
    connector_version: str = ""


@dataclass(frozen=True, slots=True)
class Transform:
    """A step that made this event from others.

    Attributes:
        id: Name of the rule or translator.
        version: Its version.
        config_sha256: Hash of its configuration, empty if it has none.
        input_event_ids: The events it read.
    """

    id: str
    version: str
    config_sha256: str = ""
    input_event_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Envelope:
    """The part that all canonical events share.

    Attributes:
        event_id: Derived id; equal for every delivery of the same event.
        event_type: E.g. `lotgate.quality.nonconformity`.
        subject_id: Id of what the event is about (also its key).
        subject_version: The subject's own version; higher wins.
        site_id: The plant.
        occurred_at: Business time, aware.
        recorded_at: Commit time at the source, aware. Latencies count from here.
        ingested_at: When the connector read it, aware.
        source: The source position of the root change.
        actor: Who did it, or `unknown`.
        reason: Reason for change where the source demands one, else empty.
        correlation_id: Same for all that follows from one root event.
        causation_id: The event that this one answers.
        trace_id: W3C trace id, empty if the record was not traced.
        transform: The steps that made it.
        synthetic: True for probes that must have no real effect.
        signature_ids: Signatures that stand for it.
    """

    event_id: str
    event_type: str
    subject_id: str
    subject_version: int
    site_id: str
    occurred_at: datetime
    recorded_at: datetime
    ingested_at: datetime
    source: Source
    actor: Actor = field(default_factory=Actor)
    reason: str = ""
    correlation_id: str = ""
    causation_id: str = ""
    trace_id: str = ""
    transform: tuple[Transform, ...] = ()
    synthetic: bool = False
    signature_ids: tuple[str, ...] = ()
