"""A build of the time when nonconformities and deviations had their first version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streams.contracts.catalog import Catalog
from streams.contracts.topics import FOREVER, Topic
from streams.model.canonical.deviation import Deviation
from streams.model.envelope import Envelope
from streams.model.facts import Nonconformity, Signature


@dataclass(frozen=True, slots=True)
class FirstNonconformity:
    envelope: Envelope
    nc_id: str
    ref: str
    severity: str
    state: str
    lots: tuple[str, ...]
    signed: bool = False
    signature: Signature | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class FirstDeviation:
    envelope: Envelope
    deviation_id: str
    ref: str
    planned: bool
    classification: str
    state: str
    process_step: str
    lots: tuple[str, ...]
    product_impact: str = "assessing"
    report_due_at: datetime | None = None
    description: str = ""


FIRST_CATALOG = Catalog(each for each in Catalog.load().declarations() if each.version == 1)


def topic(name: str, event: type, schema: str, key: str) -> Topic[Any]:
    return Topic(name, event, schema, lambda each: getattr(each, key), retention_ms=FOREVER)


NC, DEVIATION = "quality.nonconformity.events", "quality.deviation.events"
NC_SCHEMA, DEVIATION_SCHEMA = "lotgate.quality.Nonconformity", "lotgate.quality.Deviation"
FIRST: dict[str, Topic[Any]] = {
    NC: topic(NC, FirstNonconformity, NC_SCHEMA, "nc_id"),
    DEVIATION: topic(DEVIATION, FirstDeviation, DEVIATION_SCHEMA, "deviation_id"),
}
TODAY: dict[str, Topic[Any]] = {
    NC: topic(NC, Nonconformity, NC_SCHEMA, "nc_id"),
    DEVIATION: topic(DEVIATION, Deviation, DEVIATION_SCHEMA, "deviation_id"),
}


def as_first(event: Any) -> Any:
    """What a reader of the first version sees of an event of today."""
    kind = FirstNonconformity if isinstance(event, Nonconformity) else FirstDeviation
    return kind(**{name: getattr(event, name) for name in kind.__dataclass_fields__})
