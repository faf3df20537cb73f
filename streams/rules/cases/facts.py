"""From the short form of a case's inputs to canonical facts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from streams.model.envelope import Envelope, Source
from streams.model.facts import (
    Disposition,
    EdgeOp,
    GenealogyEdge,
    InspectionResult,
    Lot,
    Nonconformity,
    NonconformityState,
)
from streams.model.ids import derived_id, lot_id
from streams.rules.cases.case import Unsupported, only

if TYPE_CHECKING:
    from collections.abc import Mapping

SITE = "case"
MATERIAL = "material"
_BEFORE = "1970-01-01T00:00:00Z"
_STATES = {
    "draft": NonconformityState.DRAFT,
    "open": NonconformityState.OPEN,
    "close": NonconformityState.CLOSED,
    "cancel": NonconformityState.CANCELLED,
}
_NONCONFORMITY = frozenset(
    {"type", "nc_id", "version", "op", "severity", "lots", "at", "signed"}
    # Read by rule sets that hold less than the shipped one, which holds in any case.
    | {"characteristic_special", "disposition"}
)
_EDGE = frozenset({"type", "parent", "child", "relation", "version", "op", "at", "work_order"})
_INSPECTION = frozenset({"type", "inspection_id", "version", "verdict", "lots", "at"})
_LOT = frozenset({"type", "lot", "version", "disposition", "place", "arrived", "at"})

Fact = Nonconformity | GenealogyEdge | InspectionResult | Lot


def fact_of(raw: Mapping[str, Any]) -> Fact:
    """Make the fact that an input stands for.

    Raises:
        Unsupported: The input has an unknown type or key, or lacks a part.
    """
    try:
        return _fact_of(raw)
    except KeyError as error:
        raise Unsupported(f"an input of type {raw.get('type')!r} lacks {error}") from error


def known_lot(name: str, raw: Mapping[str, Any]) -> Lot:
    """The fact that a lot was there before the case began, as a snapshot would read it."""
    return Lot(
        envelope=_envelope("lot", name, 0, _BEFORE, op="r"),
        lot_id=lot_of(name),
        material=MATERIAL,
        number=name,
        disposition=raw.get("disposition", Disposition.UNRESTRICTED),
        place=raw.get("place", ""),
    )


def lot_of(name: str) -> str:
    """The lot id of a name in a case."""
    return lot_id(SITE, MATERIAL, name)


def lots_named(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of all lots in an input."""
    single = (raw[key] for key in ("parent", "child", "lot") if key in raw)
    return (*raw.get("lots", ()), *single)


def instant(text: str) -> datetime:
    """Read an RFC 3339 time in UTC.

    Raises:
        Unsupported: It is none.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise Unsupported(f"{text!r} is not a time: {error}") from error
    if time.tzinfo is None:
        raise Unsupported(f"the time {text!r} does not say its offset from UTC")
    return time.astimezone(UTC)


def _fact_of(raw: Mapping[str, Any]) -> Fact:
    match raw.get("type"):
        case "nonconformity":
            only(raw, _NONCONFORMITY, "a nonconformity")
            return _nonconformity(raw)
        case "genealogy_edge":
            only(raw, _EDGE, "a genealogy edge")
            return _edge(raw)
        case "inspection_result":
            only(raw, _INSPECTION, "an inspection result")
            return _inspection(raw)
        case "lot":
            only(raw, _LOT, "a lot")
            return _lot(raw)
        case "clearance":
            raise Unsupported("clearances are not among the shipped rules yet")
        case other:
            raise Unsupported(f"inputs of type {other!r} are not known to this runner")


def _nonconformity(raw: Mapping[str, Any]) -> Nonconformity:
    if raw["op"] not in _STATES:
        raise Unsupported(f"a nonconformity cannot {raw['op']!r}: one of {', '.join(_STATES)}")
    return Nonconformity(
        envelope=_envelope("nonconformity", raw["nc_id"], raw["version"], raw["at"]),
        nc_id=raw["nc_id"],
        ref=raw["nc_id"],
        severity=raw["severity"],
        state=_STATES[raw["op"]],
        lots=tuple(lot_of(name) for name in raw["lots"]),
        signed=raw.get("signed", False),
    )


def _edge(raw: Mapping[str, Any]) -> GenealogyEdge:
    return GenealogyEdge(
        envelope=_envelope("genealogy_edge", raw["child"], raw["version"], raw["at"]),
        child_lot_id=lot_of(raw["child"]),
        parent_lot_id=lot_of(raw["parent"]),
        relation=raw["relation"],
        op=EdgeOp(raw["op"]),
        work_order=raw.get("work_order", ""),
    )


def _inspection(raw: Mapping[str, Any]) -> InspectionResult:
    return InspectionResult(
        envelope=_envelope("inspection_result", raw["inspection_id"], raw["version"], raw["at"]),
        inspection_id=raw["inspection_id"],
        number=raw["inspection_id"],
        lots=tuple(lot_of(name) for name in raw["lots"]),
        verdict=raw["verdict"],
    )


def _lot(raw: Mapping[str, Any]) -> Lot:
    return Lot(
        envelope=_envelope("lot", raw["lot"], raw["version"], raw["at"]),
        lot_id=lot_of(raw["lot"]),
        material=MATERIAL,
        number=raw["lot"],
        disposition=raw.get("disposition", Disposition.UNRESTRICTED),
        place=raw.get("place", ""),
        arrived=raw.get("arrived", False),
    )


def _envelope(kind: str, subject: str, version: int, at: str, *, op: str = "c") -> Envelope:
    time = instant(at)
    return Envelope(
        event_id=derived_id(kind, subject, version, at),
        event_type=f"lotgate.{kind}",
        subject_id=subject,
        subject_version=version,
        site_id=SITE,
        occurred_at=time,
        recorded_at=time,
        ingested_at=time,
        source=Source(SITE, SITE, SITE, kind, 0, 0, 0, op),
    )
