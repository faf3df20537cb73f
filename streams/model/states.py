"""What the hold stages keep per key. Every part joins, so order and repetition do not matter."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from streams.model.envelope import Envelope
from streams.model.facts import Disposition, Signature
from streams.model.hold import CauseRef, Prior


@dataclass(frozen=True, slots=True)
class CauseVersions:
    """All versions of one cause, joined.

    Three maxima say how the cause stands, whatever the order in which versions came: it is open
    while the highest version that says open is not below the highest signed close.

    Attributes:
        opened: Highest version that says open; 0 if none does.
        closed: Highest version that closes with a signature; 0 if none does.
        unsigned: Highest version that closes without a signature; 0 if none does.
        spreads: True once any version spreads to descendants.
        lots: Every lot that any version names, sorted.
        signature: Signature of the version `closed`, None if the source gave no row.
        root: Envelope of the highest version, None before the first.
    """

    opened: int = 0
    closed: int = 0
    unsigned: int = 0
    spreads: bool = False
    lots: tuple[str, ...] = ()
    signature: Signature | None = None
    root: Envelope | None = None


@dataclass(frozen=True, slots=True)
class CauseState:
    """State of the cause stage.

    Attributes:
        cause_id: The key.
        cause_type: `nonconformity` or `inspection`.
        told: Versions that lots are told about.
        silent: Versions read from a snapshot that no live version has followed yet. They build
            state and tell no lot; the next live version takes them into `told`.
    """

    cause_id: str
    cause_type: str
    told: CauseVersions = field(default_factory=CauseVersions)
    silent: CauseVersions = field(default_factory=CauseVersions)


@dataclass(frozen=True, slots=True)
class LotCause:
    """A cause as a lot keeps it.

    Attributes:
        ref: What the public state shows.
        spreads: Whether it goes on to this lot's children.
        root: Envelope of the event that brought this version here.
    """

    ref: CauseRef
    spreads: bool
    root: Envelope


@dataclass(frozen=True, slots=True)
class ChildEdge:
    """An edge from this lot to one made from it.

    Attributes:
        lot_id: The child.
        relation: As stated by the source, or `same_number`. Child and relation name the edge.
        version: Version of the edge; the highest wins.
        reversed: True once taken back.
        carried: Causes that went over this edge before it was taken back. Their later news
            still goes over it; a new cause does not.
    """

    lot_id: str
    relation: str
    version: int
    reversed: bool = False
    carried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParentEdge:
    """An edge from a lot that went into this one.

    Attributes:
        lot_id: The parent.
        relation: As stated by the source. Parent and relation name the edge.
        version: Version of the edge; the highest wins.
        reversed: True once taken back.
    """

    lot_id: str
    relation: str
    version: int
    reversed: bool = False


@dataclass(frozen=True, slots=True)
class TargetHold:
    """The hold at one target.

    Attributes:
        target: Name of the target.
        hold_id: Id of the command that began the running hold, empty if none runs.
        acked_version: Hold version of the last read-back taken over; 0 before the first.
        result: Result of that read-back.
        observed_at: When the target was read, None before the first.
    """

    target: str
    hold_id: str = ""
    acked_version: int = 0
    result: str = ""
    observed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LotState:
    """State of the lot stage.

    Attributes:
        lot_id: The key.
        known: True once a lot fact was seen. A hold of an unknown lot waits.
        fact_version: Version of the last lot fact taken over.
        arrival_version: Version of the last arrival taken over.
        material: Material code as last stated.
        number: Lot number as last stated.
        disposition: Disposition as last stated, or as given back by a release.
        place: Place as last stated, or as given back by a release.
        causes: Causes by id, sorted, open or not.
        children: Edges to lots made from this one.
        parents: Edges from lots that went into this one.
        held: True from a hold command to its release.
        held_by: Id of the cause that gave its name to the running hold.
        hold_version: Last version commanded; 0 before the first.
        targets: The hold at each target.
        prior: Frozen at the hold; what a release gives back.
        revision: Number of public states sent.
    """

    lot_id: str
    known: bool = False
    fact_version: int = 0
    arrival_version: int = 0
    material: str = ""
    number: str = ""
    disposition: str = Disposition.UNRESTRICTED
    place: str = ""
    causes: tuple[LotCause, ...] = ()
    children: tuple[ChildEdge, ...] = ()
    parents: tuple[ParentEdge, ...] = ()
    held: bool = False
    held_by: str = ""
    hold_version: int = 0
    targets: tuple[TargetHold, ...] = ()
    prior: Prior = field(default_factory=Prior)
    revision: int = 0
