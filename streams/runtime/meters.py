"""What a process measures, as values; `streams.runtime.metrics` hands them to who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Meter(NamedTuple):
    """Something that is measured.

    Attributes:
        name: Dotted name; Prometheus sees underscores, the unit, and `_total` behind a counter.
        unit: UCUM unit: `s`, `By`, `{row}`; empty for a number without one.
        meaning: What it tells, for people.
        kind: A `counter` only grows while the process lives.
    """

    name: str
    unit: str
    meaning: str
    kind: Literal["gauge", "counter"] = "gauge"


class Reading(NamedTuple):
    """A meter's value of this moment.

    Attributes:
        meter: The meter's name.
        value: The value.
        labels: What tells it from other readings of the meter; bounded, never a key or an id.
    """

    meter: str
    value: float
    labels: Mapping[str, str]
