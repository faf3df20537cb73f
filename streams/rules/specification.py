"""Judge a measured value by the customer's specification that was in force when it was measured.

Two timelines meet. Each record has versions, and each version takes the place of the one before it
from its own `effective_from` on: so a correction that is entered late, or an edit that takes effect
next month, changes nothing of what was measured before. Beside that an item may have several
records, e.g. one per revision, of which the one that took effect last is in force.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.model.facts import SpecState
from streams.model.specification import Fit, Judgement

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from streams.model.facts import CharacteristicLimit, CustomerSpec
    from streams.model.specification import Measurement


def in_force(specs: Iterable[CustomerSpec], at: datetime) -> CustomerSpec | None:
    """The version of a customer's item that was in force at an instant.

    Args:
        specs: All versions of all records of one customer's item, in any order, duplicates
            allowed.
        at: The instant, aware.

    Returns:
        The version, or None if none was approved and in force.
    """
    current: dict[str, CustomerSpec] = {}
    for spec in specs:
        if spec.effective_from > at or spec.state == SpecState.DRAFT:
            continue
        known = current.get(spec.spec_id)
        if known is None or _version(spec) > _version(known):
            current[spec.spec_id] = spec
    holding = [spec for spec in current.values() if _holds(spec, at)]
    return max(holding, key=lambda spec: (spec.effective_from, spec.spec_id), default=None)


def judge(specs: Iterable[CustomerSpec], measurement: Measurement) -> Judgement:
    """Judge a measured value.

    Args:
        specs: All versions of all records of the customer's item.
        measurement: What was measured, and when.
    """
    spec = in_force(specs, measurement.measured_at)
    if spec is None:
        return Judgement(Fit.NO_SPECIFICATION)
    limit = next((e for e in spec.limits if e.characteristic == measurement.characteristic), None)
    fit = Fit.NO_LIMIT if limit is None else _fit(limit, measurement)
    return Judgement(
        fit, spec.spec_id, _version(spec), spec.revision, spec.envelope.event_id, limit
    )


def _version(spec: CustomerSpec) -> int:
    return spec.envelope.subject_version


def _holds(spec: CustomerSpec, at: datetime) -> bool:
    ended = spec.effective_to is not None and spec.effective_to <= at
    return spec.state == SpecState.APPROVED and not ended


def _fit(limit: CharacteristicLimit, measurement: Measurement) -> Fit:
    if limit.unit and measurement.unit and limit.unit != measurement.unit:
        return Fit.OTHER_UNIT
    if limit.lower is not None and measurement.value < limit.lower:
        return Fit.BELOW
    if limit.upper is not None and measurement.value > limit.upper:
        return Fit.ABOVE
    return Fit.WITHIN
