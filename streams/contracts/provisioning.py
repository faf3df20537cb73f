"""Every topic of an installation as the broker must hold it: lists, no calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from streams.contracts.topic_specs import TopicSpec
from streams.contracts.topics import (
    AUDIT,
    CDC_HISTORY,
    CDC_OFFSETS,
    CDC_PARKED,
    CDC_SIGNALS,
    CONTROL,
    DAY_MS,
    DEAD_LETTER_LIMIT_BYTES,
    FOREVER,
    GROUP,
    INTERNAL,
    PUBLIC,
    RECORD_LIMIT_BYTES,
    RELEASES,
    Topic,
    changelog,
    dead_letters,
    prefixed,
    schema_changes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


DEAD_LETTER_RETENTION_MS = 365 * DAY_MS
"""A dead letter waits for a person; a year is the longest audit cycle."""
SIGNAL_RETENTION_MS = 30 * DAY_MS
"""An order that was not obeyed for so long means nothing any more."""
CDC_OFFSET_PARTITIONS = 16
"""One for each source; a source's setting names its partition."""
_SMALL_SEGMENT_BYTES = 16 * 1024 * 1024
"""Compacted topics close segments early, or the cleaner never gets to them."""


class Placement(Protocol):
    """Where topics go: names and copies (a `KafkaConnection` is one)."""

    @property
    def prefix(self) -> str:
        """The installation's prefix, empty for none."""

    @property
    def group(self) -> str:
        """The worker's group without prefix."""

    @property
    def replication_factor(self) -> int:
        """Copies of each partition."""

    @property
    def min_insync(self) -> int:
        """Copies that must have a record before it counts as written."""


def topic_spec(topic: Topic[Any], connection: Placement) -> TopicSpec:
    """What the broker must hold for a declared topic."""
    config = (
        _compacted(connection)
        if topic.cleanup == "compact"
        else _kept(topic.retention_ms, RECORD_LIMIT_BYTES, connection)
    )
    name = topic.full_name(connection.prefix, connection.group)
    return TopicSpec(name, topic.partitions, connection.replication_factor, config)


def dead_letter_spec(group: str, connection: Placement, *, partitions: int = 1) -> TopicSpec:
    """The dead-letter topic of a group or component, e.g. `lotgate` or `lotgate-erp-hold`."""
    config = _kept(DEAD_LETTER_RETENTION_MS, DEAD_LETTER_LIMIT_BYTES, connection)
    return TopicSpec(
        prefixed(connection.prefix, dead_letters(group)),
        partitions,
        connection.replication_factor,
        config,
    )


def changelog_spec(store: str, partitions: int, connection: Placement) -> TopicSpec:
    """The changelog of a store.

    Args:
        store: Name of the store, e.g. `lot`.
        partitions: Number of partitions of the store's input topic; they are equal.
        connection: The installation.
    """
    return TopicSpec(
        prefixed(connection.prefix, changelog(connection.group, store)),
        partitions,
        connection.replication_factor,
        # A record that waits behind its key's dead letter is kept here with its headers.
        _compacted(connection, DEAD_LETTER_LIMIT_BYTES),
    )


def cdc_offsets_spec(
    connection: Placement, *, partitions: int = CDC_OFFSET_PARTITIONS
) -> TopicSpec:
    """The topic of source positions."""
    return _internal(CDC_OFFSETS, partitions, _compacted(connection), connection)


def cdc_history_spec(
    connection: Placement, *, partitions: int = CDC_OFFSET_PARTITIONS
) -> TopicSpec:
    """The topic of table shapes; a shape is stored with its Avro schemas."""
    return _internal(CDC_HISTORY, partitions, _compacted(connection), connection)


def cdc_parked_spec(connection: Placement, *, partitions: int = CDC_OFFSET_PARTITIONS) -> TopicSpec:
    """The topic of records that wait for the registry, with what names their own topic."""
    config = _kept(FOREVER, DEAD_LETTER_LIMIT_BYTES, connection)
    return _internal(CDC_PARKED, partitions, config, connection)


def cdc_signals_spec(
    connection: Placement, *, partitions: int = CDC_OFFSET_PARTITIONS
) -> TopicSpec:
    """The topic of operators' orders to running sources."""
    config = _kept(SIGNAL_RETENTION_MS, RECORD_LIMIT_BYTES, connection)
    return _internal(CDC_SIGNALS, partitions, config, connection)


def schema_changes_spec(source: str, connection: Placement) -> TopicSpec:
    """The topic that tells of changed tables of a source."""
    return TopicSpec(
        prefixed(connection.prefix, schema_changes(source)),
        1,
        connection.replication_factor,
        _kept(FOREVER, RECORD_LIMIT_BYTES, connection),
    )


def control_spec(connection: Placement) -> TopicSpec:
    """The topic of decisions on dead letters and fuses; every worker reads all of it.

    A decision to replay holds the record with its headers.
    """
    config = _kept(FOREVER, DEAD_LETTER_LIMIT_BYTES, connection)
    return _internal(CONTROL, 1, config, connection)


def releases_spec(connection: Placement) -> TopicSpec:
    """The topic of what persons released of manual flows; made when it is first needed."""
    return _internal(RELEASES, 1, _compacted(connection), connection)


def audit_spec(connection: Placement) -> TopicSpec:
    """The topic of what was refused or ordered; made when it is first needed."""
    config = _kept(FOREVER, RECORD_LIMIT_BYTES, connection)
    return _internal(AUDIT, 1, config, connection)


def installation(
    connection: Placement,
    *,
    stores: Mapping[str, int],
    dead_letter_groups: Iterable[str] = (),
    sources: Iterable[str] = (),
    topics: Iterable[Topic[Any]] = (*PUBLIC, *INTERNAL),
) -> tuple[TopicSpec, ...]:
    """Every topic of one installation, by name.

    Args:
        connection: Prefix, group, copies.
        stores: Partitions of each store's changelog by its name.
        dead_letter_groups: Components with dead letters of their own, without the group itself,
            e.g. `lotgate-erp-hold`.
        sources: Source ids, each with a topic of its tables' changes.
        topics: The declared topics.
    """
    specs = [topic_spec(topic, connection) for topic in topics]
    specs += [changelog_spec(name, count, connection) for name, count in stores.items()]
    specs += [
        dead_letter_spec(group, connection)
        for group in dict.fromkeys((connection.group, *dead_letter_groups))
    ]
    specs += [schema_changes_spec(source, connection) for source in sources]
    specs += [
        cdc_offsets_spec(connection),
        cdc_history_spec(connection),
        cdc_parked_spec(connection),
        cdc_signals_spec(connection),
        control_spec(connection),
    ]
    return tuple(sorted(specs, key=lambda spec: spec.name))


def _internal(
    pattern: str, partitions: int, config: Mapping[str, str], connection: Placement
) -> TopicSpec:
    name = prefixed(connection.prefix, pattern.replace(GROUP, connection.group))
    return TopicSpec(name, partitions, connection.replication_factor, config)


def _kept(retention_ms: int, limit: int, connection: Placement) -> dict[str, str]:
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(retention_ms),
        "retention.bytes": "-1",
        **_common(limit, connection),
    }


def _compacted(connection: Placement, limit: int = RECORD_LIMIT_BYTES) -> dict[str, str]:
    return {
        "cleanup.policy": "compact",
        "segment.bytes": str(_SMALL_SEGMENT_BYTES),
        "min.cleanable.dirty.ratio": "0.1",
        "delete.retention.ms": str(7 * DAY_MS),
        **_common(limit, connection),
    }


def _common(limit: int, connection: Placement) -> dict[str, str]:
    return {
        "max.message.bytes": str(limit),
        "min.insync.replicas": str(connection.min_insync),
        "message.timestamp.type": "CreateTime",
    }
