"""What a quality record says of a lot: which part of it is affected, and what was decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class Decision(StrEnum):
    """What becomes of material. `USE_AS_IS` is a concession, `REPROCESS` as in ICH Q7."""

    PENDING = "pending"
    CONFORMS = "conforms"
    USE_AS_IS = "use_as_is"
    REWORK = "rework"
    REPROCESS = "reprocess"
    REGRADE = "regrade"
    RETURN_TO_SUPPLIER = "return_to_supplier"
    REJECT = "reject"
    SCRAP = "scrap"


@dataclass(frozen=True, slots=True)
class AffectedLot:
    """A lot, or the part of it, that a quality record is about.

    Attributes:
        lot_id: `<site>/<material>/<lot>`.
        sublot: The part of the lot, empty for no named part.
        serials: Serial numbers that are affected; empty for all.
        quantity: How much is affected, None for the whole or where the source states none.
        ucum: Unit of the quantity, as a UCUM code; empty if there is none.
        raw: The quantity with its unit as the source writes it, to the letter.
    """

    lot_id: str
    sublot: str = ""
    serials: tuple[str, ...] = ()
    quantity: Decimal | None = None
    ucum: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class LotDisposition:
    """What was decided on a lot, or on a quantity of it.

    Attributes:
        lot_id: The lot.
        decision: `pending`, `conforms`, `use_as_is`, `rework`, `reprocess`, `regrade`,
            `return_to_supplier`, `reject` or `scrap`.
        quantity: How much the decision is about, None for the whole lot.
        ucum: Unit of the quantity, as a UCUM code; empty if there is none.
        raw: The quantity with its unit as the source writes it, to the letter.
        justification: Why, in the source's own words; empty if none.
        signature_id: Signature that stands for it, empty if none.
        decided_at: When, aware; None while it is pending or where the source does not say.
    """

    lot_id: str
    decision: str = Decision.PENDING
    quantity: Decimal | None = None
    ucum: str = ""
    raw: str = ""
    justification: str = ""
    signature_id: str = ""
    decided_at: datetime | None = None
