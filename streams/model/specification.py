"""What a result is judged by, and how the judgement ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from streams.model.facts import CharacteristicLimit


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measured value.

    Attributes:
        characteristic: Name or number of the characteristic.
        value: What was measured.
        measured_at: When, aware. The limits that were in force then count, not those of today.
        unit: Unit of the value, empty if none.
    """

    characteristic: str
    value: Decimal
    measured_at: datetime
    unit: str = ""


class Fit(StrEnum):
    """How a measured value fits a customer's specification."""

    WITHIN = "within"
    BELOW = "below"
    ABOVE = "above"
    NO_LIMIT = "no_limit"
    OTHER_UNIT = "other_unit"
    NO_SPECIFICATION = "no_specification"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A measured value judged by the specification that was in force.

    Attributes:
        fit: How the value fits.
        spec_id: The record that it was judged by, empty if none was in force.
        version: That record's version; 0 if none was in force.
        revision: That record's revision.
        event_id: The event that stated it, as evidence; empty if none.
        limit: The limit that was applied, None if there is none.
    """

    fit: Fit
    spec_id: str = ""
    version: int = 0
    revision: str = ""
    event_id: str = ""
    limit: CharacteristicLimit | None = None
