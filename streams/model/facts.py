"""Canonical facts: what a system of the plant says has happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from streams.model.canonical.nonconformity import (
    Nonconformity,
    NonconformityState,
    Severity,
    Signature,
)
from streams.model.envelope import Envelope

__all__ = [
    "CharacteristicLimit",
    "CustomerSpec",
    "Disposition",
    "EdgeOp",
    "GenealogyEdge",
    "InspectionResult",
    "InspectionVerdict",
    "Lot",
    "Nonconformity",
    "NonconformityState",
    "Severity",
    "Signature",
    "SpecState",
]


class Disposition(StrEnum):
    """ISA-95 material lot disposition."""

    PLANNED = "Planned"
    IN_PROCESS = "In-Process"
    RESTRICTED = "Restricted"
    UNRESTRICTED = "UnRestricted"
    CLOSED = "Closed"


class InspectionVerdict(StrEnum):
    """What an inspection decided."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class SpecState(StrEnum):
    """Where a customer's specification stands.

    Whether an approved one is in force is a matter of time: see `streams.rules.specification`.
    """

    DRAFT = "draft"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"


class EdgeOp(StrEnum):
    """Whether an edge of the genealogy is stated or taken back."""

    ASSERT = "assert"
    REVERSE = "reverse"


@dataclass(frozen=True, slots=True)
class Lot:
    """A lot exists, changed, or stock of it arrived.

    Attributes:
        lot_id: `<site>/<material>/<lot>`; the key.
        material: Material code.
        number: Lot number.
        disposition: The disposition that the source shows, before any hold of ours.
        place: Where the source shows it, empty if it shows no place.
        arrived: True when stock of the lot came into the warehouse by a document not our own.
        quantity: Quantity that arrived, or None.
        unit: Unit of the quantity as the source names it.
        xrefs: Ids of the lot in other systems, e.g. {"tryton": "stock.lot,7"}.
    """

    envelope: Envelope
    lot_id: str
    material: str
    number: str
    disposition: str = Disposition.UNRESTRICTED
    place: str = ""
    arrived: bool = False
    quantity: Decimal | None = None
    unit: str = ""
    xrefs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GenealogyEdge:
    """The child lot was made from the parent lot.

    An edge is named by parent, child and relation. Where several records of a source state the same
    edge, its translator takes the edge back only with the last of them.

    Attributes:
        child_lot_id: The key.
        parent_lot_id: The lot that went in.
        relation: `consumed`, `split`, `merged`, `rework`, `repack`, `regrade`.
        op: `assert` or `reverse`.
        work_order: Number of the production or work order, empty if none.
    """

    envelope: Envelope
    child_lot_id: str
    parent_lot_id: str
    relation: str
    op: str = EdgeOp.ASSERT
    work_order: str = ""


@dataclass(frozen=True, slots=True)
class InspectionResult:
    """An inspection ended.

    Attributes:
        inspection_id: Id at the source; the key.
        number: Number that people know.
        lots: Lot ids that the inspected document moves.
        verdict: `accepted`, `rejected` or `pending`.
        origin: The inspected document, as the source names it.
        control: Name of the control or characteristic.
    """

    envelope: Envelope
    inspection_id: str
    number: str
    lots: tuple[str, ...]
    verdict: str
    origin: str = ""
    control: str = ""


@dataclass(frozen=True, slots=True)
class CharacteristicLimit:
    """What a customer accepts of one characteristic. A limit belongs to what it allows.

    Attributes:
        characteristic: Name or number of the characteristic.
        lower: The least value allowed, None for no lower limit.
        upper: The greatest value allowed, None for no upper limit.
        unit: Unit of the limits as the source names it, empty if none.
    """

    characteristic: str
    lower: Decimal | None = None
    upper: Decimal | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class CustomerSpec:
    """A customer's specification of an item, at one version of its record.

    The version in the envelope is the record's. Each version takes the place of the one before it
    from its `effective_from` on; what was measured earlier is still judged by the one before.

    Attributes:
        spec_id: Id of the record at the source; an item may have several, e.g. one per revision.
        customer: Customer code; with the item the key.
        item: Item code.
        revision: Revision as people know it, empty if the source has none.
        state: See `SpecState`.
        effective_from: From when this version holds, aware.
        effective_to: Until when (exclusively) the specification holds, None for no end.
        limits: Limits by characteristic, sorted by it.
        sampling_plan: Sampling plan agreed with the customer, empty if none.
    """

    envelope: Envelope
    spec_id: str
    customer: str
    item: str
    revision: str
    state: str
    effective_from: datetime
    effective_to: datetime | None = None
    limits: tuple[CharacteristicLimit, ...] = ()
    sampling_plan: str = ""
