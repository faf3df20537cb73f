"""A nonconformity: what failed, where it was found, which lots, and what was decided on each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from streams.model.canonical.affected import AffectedLot, LotDisposition
from streams.model.envelope import Envelope


class Severity(StrEnum):
    """Severity of a nonconformity. `UNKNOWN` is treated as major."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    UNFOUNDED = "unfounded"
    UNKNOWN = "unknown"


class NonconformityState(StrEnum):
    """Where the record stands. A draft names no cause yet; only a signed close ends one."""

    DRAFT = "draft"
    OPEN = "open"
    UNDER_REVIEW = "under_review"
    DISPOSITIONED = "dispositioned"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class NonconformityKind(StrEnum):
    """Whose material it is about (in SAP: Q1, Q2, Q3)."""

    CUSTOMER = "customer"
    SUPPLIER = "supplier"
    INTERNAL = "internal"
    UNKNOWN = "unknown"


class Detection(StrEnum):
    """Where it was found."""

    INCOMING = "incoming"
    IN_PROCESS = "in_process"
    FINAL = "final"
    FIELD = "field"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature row of the source, as found. It is not verified cryptographically.

    Attributes:
        signature_id: Id at the source.
        signer: Login of the signer.
        printed_name: Printed name or role.
        meaning: What the signature means, e.g. `closure approved`.
        signed_at: When, aware.
        verification: `present, not verified`.
    """

    signature_id: str
    signer: str
    printed_name: str
    meaning: str
    signed_at: datetime
    verification: str = "present, not verified"


@dataclass(frozen=True, slots=True)
class Nonconformity:
    """A nonconformity record at one version.

    Version 2 of its schema added everything from `kind` on; a record of version 1 reads with the
    lots that it names as `affected`.

    Attributes:
        nc_id: Id at the source; the key.
        ref: Number that people know.
        severity: `critical`, `major`, `minor`, `unfounded` or `unknown`.
        state: `draft`, `open`, `under_review`, `dispositioned`, `closed` or `cancelled`.
        lots: Lot ids named by this version; a lot named without material has an empty material.
        signed: True when the closing of this version has a signature row.
        signature: That signature, or None.
        description: The record's own text.
        kind: `customer`, `supplier`, `internal` or `unknown`.
        detection: `incoming`, `in_process`, `final`, `field` or `unknown`.
        defect_group: Group of the defect code, empty if none.
        defect_code: The source's code of the defect, empty if none.
        characteristic_id: The characteristic that failed, empty if none.
        material: Material code, empty if the source names none.
        affected: The same lots, each with the part and quantity that is affected.
        dispositions: What was decided, per lot and quantity.
        supplier_id: Supplier of the material, empty if none.
        work_order: Work order in which it arose, empty if none.
        operation: Operation of that order, empty if none.
        equipment_id: Equipment that is suspect, empty if none.
        suspect_from: Since when output may be affected, None if not known.
        suspect_to: Until when (exclusively), None for no end.
        root_cause_id: The root cause found, empty if none yet.
    """

    envelope: Envelope
    nc_id: str
    ref: str
    severity: str
    state: str
    lots: tuple[str, ...]
    signed: bool = False
    signature: Signature | None = None
    description: str = ""
    kind: str = NonconformityKind.UNKNOWN
    detection: str = Detection.UNKNOWN
    defect_group: str = ""
    defect_code: str = ""
    characteristic_id: str = ""
    material: str = ""
    affected: tuple[AffectedLot, ...] = ()
    dispositions: tuple[LotDisposition, ...] = ()
    supplier_id: str = ""
    work_order: str = ""
    operation: str = ""
    equipment_id: str = ""
    suspect_from: datetime | None = None
    suspect_to: datetime | None = None
    root_cause_id: str = ""
