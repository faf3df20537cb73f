"""The parts of a lot's story, as values.

Seconds count from the commit of the row that is the root of a step, by the source's clock; a record
has the time at which it was produced, a read-back the time at which the target was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class DatabaseRow:
    """Where in which source a change was committed, and by whom.

    Attributes:
        system: Source id.
        table: `database.schema.table`.
        lsn: Commit position as PostgreSQL writes it, e.g. `0/1A2B3C`.
        transaction: Transaction number.
        operation: `c`, `u`, `d` or `r` (read by the snapshot).
        actor: Login, or `unknown`.
        actor_name: Printed name, empty if the source has none.
        committed_at: Commit time at the source.
    """

    system: str
    table: str
    lsn: str
    transaction: int
    operation: str
    actor: str
    actor_name: str
    committed_at: datetime


@dataclass(frozen=True, slots=True)
class Hop:
    """A lot on the path from the lot that a cause names.

    Attributes:
        lot_id: The lot.
        relation: How it was made from the one before; empty for the first.
        work_order: The work order of that step, empty if none.
    """

    lot_id: str
    relation: str = ""
    work_order: str = ""


@dataclass(frozen=True, slots=True)
class CauseVersion:
    """One version of the record behind a cause.

    Attributes:
        version: The record's own version.
        told: What it says, one sentence.
        row: The row whose commit made this version.
        signature: `meaning, signer, time: present, not verified`, empty without one.
    """

    version: int
    told: str
    row: DatabaseRow
    signature: str = ""


@dataclass(frozen=True, slots=True)
class CauseStory:
    """A cause as a lot knows it, and how it came to the lot.

    Attributes:
        cause_id: `<type>:<system>:<id>`.
        number: Number that people know, empty if the record is not stored here.
        open: Whether it still stands.
        direct: Whether it names this lot itself.
        note: Why it still stands or what is odd, empty if nothing.
        signature: `present, not verified` once signed, else empty.
        path: From the named lot to this one.
        versions: Every stored version of the record.
    """

    cause_id: str
    number: str
    open: bool
    direct: bool
    note: str
    signature: str
    path: tuple[Hop, ...]
    versions: tuple[CauseVersion, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to a lot.

    Attributes:
        kind: `fact`, `command`, `ack` or `state`.
        at: When; None if the record has no time.
        seconds: From the commit of the root row, None if unknown.
        title: What happened, one sentence.
        details: Further lines for people.
        row: The root row.
        topic: Topic of the record.
        partition: Its partition.
        offset: Its offset.
        event_id: Id of the event.
        correlation_id: Id of the root event.
        body: The event itself.
    """

    kind: str
    at: datetime | None
    seconds: float | None
    title: str
    details: tuple[str, ...]
    row: DatabaseRow
    topic: str
    partition: int
    offset: int
    event_id: str
    correlation_id: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LotStory:
    """Everything that is known of a lot.

    Attributes:
        lot_id: The lot.
        site: Plant.
        material: Material code, empty if no record gave one.
        number: Lot number.
        status: `free`, `waiting` or `held`; empty if no state was published.
        disposition: Disposition from the pipeline's side.
        last_result: Result of the last read-back.
        note: What a person should know.
        causes: Every cause that reached the lot.
        steps: Everything that happened, in the order of its records.
    """

    lot_id: str
    site: str
    material: str
    number: str
    status: str
    disposition: str
    last_result: str
    note: str
    causes: tuple[CauseStory, ...]
    steps: tuple[Step, ...]
