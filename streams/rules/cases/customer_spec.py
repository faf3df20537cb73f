"""Cases of the group `customer_spec`: versions of specifications, and values judged by them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from streams.model.facts import CharacteristicLimit, CustomerSpec
from streams.model.specification import Measurement
from streams.model.translation import UNSTAMPED
from streams.rules.cases.case import (
    Case,
    Unsupported,
    differences,
    events_of,
    mapping,
    only,
    orders_of,
)
from streams.rules.cases.facts import instant
from streams.rules.specification import judge

if TYPE_CHECKING:
    from collections.abc import Mapping

_SPEC = frozenset(
    {"type", "spec_id", "version", "revision", "state", "effective_from", "effective_to", "limits"}
)
_LIMIT = frozenset({"lower", "upper", "unit"})
_MEASURED = frozenset({"type", "id", "characteristic", "value", "unit", "at"})


def run(case: Case) -> list[str]:
    """Judge every value of a case by all versions, delivered in each of its orders.

    Returns:
        What differs; empty if nothing does.

    Raises:
        Unsupported: The case asks for what the shipped rule or this runner do not have.
    """
    only(mapping(case.given, "given"), frozenset(), "given")
    inputs = events_of(case)
    known = {raw.get("type") for raw in inputs}
    if unknown := known - {"customer_spec", "measurement"}:
        raise Unsupported(f"an input has the unknown type {min(map(str, unknown))!r}")
    expected = mapping(case.expected, "expected")
    found: list[str] = []
    for order in orders_of(case, len(inputs)):
        delivered = [inputs[index] for index in order]
        found += [each for each in differences(expected, _judged(delivered)) if each not in found]
    return found


def _judged(inputs: list[Mapping[str, Any]]) -> dict[str, Any]:
    specs = [_spec(raw) for raw in inputs if raw["type"] == "customer_spec"]
    judged = {}
    for raw in inputs:
        if raw["type"] == "measurement":
            found = judge(specs, _measurement(raw))
            judged[str(raw["id"])] = {
                "fit": str(found.fit),
                "spec_id": found.spec_id,
                "version": found.version,
            }
    return judged


def _spec(raw: Mapping[str, Any]) -> CustomerSpec:
    only(raw, _SPEC, "a customer_spec")
    end = raw.get("effective_to")
    return CustomerSpec(
        replace(UNSTAMPED, subject_version=int(raw["version"])),
        spec_id=str(raw["spec_id"]),
        customer="case",
        item="case",
        revision=str(raw.get("revision", "")),
        state=str(raw.get("state", "approved")),
        effective_from=instant(raw["effective_from"]),
        effective_to=None if end is None else instant(end),
        limits=tuple(_limit(name, limit) for name, limit in raw["limits"].items()),
    )


def _limit(name: str, raw: Any) -> CharacteristicLimit:
    limit = mapping(raw, f"the limit of {name}")
    only(limit, _LIMIT, f"the limit of {name}")
    lower, upper = (limit.get(side) for side in ("lower", "upper"))
    return CharacteristicLimit(
        name,
        None if lower is None else Decimal(str(lower)),
        None if upper is None else Decimal(str(upper)),
        str(limit.get("unit", "")),
    )


def _measurement(raw: Mapping[str, Any]) -> Measurement:
    only(raw, _MEASURED, "a measurement")
    value = Decimal(str(raw["value"]))
    return Measurement(
        str(raw["characteristic"]), value, instant(raw["at"]), str(raw.get("unit", ""))
    )
