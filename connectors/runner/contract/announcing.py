"""Events that tell of changed tables, and the records that keep their history."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from connectors.runner.contract.differences import differences
from streams.contracts.topics import Topic, schema_changes
from streams.model.ids import derived_id
from streams.model.rows import ColumnChange, SchemaChange, TableColumn
from streams.runtime import clock

if TYPE_CHECKING:
    from connectors.runner.contract.history import Version
    from connectors.runner.source_config import SourceConfig

ACCEPTED, PARKED, RESUMED = "accepted", "parked", "resumed"


def changes_topic(source: str) -> Topic[SchemaChange]:
    """The topic of a source's schema changes."""
    return Topic(
        schema_changes(source),
        SchemaChange,
        "lotgate.cdc.SchemaChange",
        lambda change: change.table,
        partitions=1,
        retention_ms=-1,
        doc="A table of the source has another shape from one event on.",
    )


def told(
    config: SourceConfig, old: Version | None, new: Version, status: str, reason: str = ""
) -> SchemaChange:
    """What to tell of a version.

    Args:
        config: The source.
        old: The version before; None for a table that is seen for the first time.
        new: The version, with its first event.
        status: `accepted`, `parked` or `resumed`.
        reason: Why it is parked.
    """
    found = () if old is None else differences(old.shape, new.shape)
    table = new.shape.table
    if old is None:
        summary = f"{table} is seen for the first time"
    else:
        what = "; ".join(each.words for each in found) or "its columns are written in another way"
        summary = f"{table}: {what}"
    return SchemaChange(
        event_id=derived_id("schema-change", new.first_event, str(new.number), status),
        source=config.source,
        table=table,
        topic=new.topic,
        version=new.number,
        status=status,
        summary=summary,
        changes=tuple(ColumnChange(each.kind, each.column, each.was, each.now) for each in found),
        columns=tuple(TableColumn(each.name, each.type, each.key) for each in new.shape.columns),
        first_event=new.first_event,
        seen_at=clock.now(),
        connector_version=config.version,
        reason=reason,
    )


def as_json(change: SchemaChange) -> bytes:
    """The event for a source that writes JSON."""
    return json.dumps({**asdict(change), "seen_at": change.seen_at.isoformat()}).encode()
