"""Comparing documents with what is running: one finding per difference, each with its line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from streams.contracts.evolution.levels import Level
from streams.contracts.icd.access import access_drift, quota_drift
from streams.contracts.icd.findings import Drift, Place, lasting
from streams.contracts.wire.schema_tree import shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from streams.contracts.catalog import Catalog
    from streams.contracts.icd.document import SchemaPromise, TopicPromise
    from streams.contracts.icd.live import Live, LiveSubject, LiveTopic
    from streams.contracts.icd.loading import Loaded

CONTACT_UNTESTED = "contact_untested"
TEST_EVERY = timedelta(days=90)
"""A contact that nobody tried for longer cannot be relied on."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What documents are compared under.

    Attributes:
        catalog: The shipped schemas.
        lock: Fingerprints of published schema files, by path.
        prefix: Prefix of the installation.
        group: The worker's group.
        today: The day for which contacts are judged.
    """

    catalog: Catalog
    lock: dict[str, str]
    prefix: str
    group: str
    today: date

    def fingerprint(self, name: str, version: int) -> str:
        """Fingerprint of a schema's file, as published."""
        paths = {(d.name, d.version): d.path for d in self.catalog.declarations()}
        return self.lock.get(paths[name, version], "not published")


def drifts(documents: Sequence[Loaded], live: Live, expected: Expected) -> list[Drift]:
    """Everything in which documents and installation differ.

    Args:
        documents: The documents.
        live: What was found.
        expected: Prefix, group, schemas and day.
    """
    found: list[Drift] = []
    for loaded in documents:
        for number, topic in enumerate(loaded.document.topics):
            for name in live_names(topic, live, expected):
                place = Place(loaded, ("topics", number), name)
                found += _topic(topic, live, expected, place)
        found += _connector(loaded, live, expected)
        found += quota_drift(loaded, live)
        found += _contacts(loaded, expected.today)
    return found


def live_names(topic: TopicPromise, live: Live, expected: Expected) -> list[str]:
    """Full names that a topic of a document means; for a pattern: those that are there."""
    name = topic.full_name(expected.prefix, expected.group)
    if not topic.is_pattern:
        return [name]
    return sorted(found for found in live.topics if found.startswith(name))


def _topic(topic: TopicPromise, live: Live, expected: Expected, place: Place) -> Iterator[Drift]:
    if topic.audit and topic.cleanup == "compact":
        yield place.drift(
            "audit_compacted",
            "the document lets an audit-relevant topic be compacted: records would be lost",
            "cleanup",
        )
    found = live.topics.get(place.subject)
    if found is None:
        yield place.drift("topic_missing", "the broker has no such topic", "name")
        return
    yield from _shape_of(topic, found, live, place)
    yield from _kept(topic, found, place)
    if topic.schema_ is not None:
        yield from _schema(topic.schema_, live, expected, place)
    if topic.access is not None and live.grants is not None:
        yield from access_drift(topic.access, live.grants, place)


def _shape_of(topic: TopicPromise, found: LiveTopic, live: Live, place: Place) -> Iterator[Drift]:
    if found.partitions != topic.partitions:
        yield place.differs("partitions", topic.partitions, found.partitions)
    if found.replicas < live.replication_factor:
        yield place.differs("replicas", f"{live.replication_factor} or more", found.replicas)
    needed = topic.min_insync or live.min_insync
    actual = int(found.config.get("min.insync.replicas", "1"))
    if actual != needed if topic.min_insync else actual < needed:
        wanted = needed if topic.min_insync else f"{needed} or more"
        yield place.differs("min_insync", wanted, actual)


def _kept(topic: TopicPromise, found: LiveTopic, place: Place) -> Iterator[Drift]:
    policies = set(found.config.get("cleanup.policy", "delete").split(","))
    if policies != {topic.cleanup}:
        actual = " and ".join(sorted(policies))
        if topic.audit and "compact" in policies:
            yield place.drift(
                "audit_compacted",
                f"cleanup is {actual} on the broker, and the topic is audit-relevant: the broker"
                " removes records that an auditor needs",
                "cleanup",
            )
        else:
            yield place.differs("cleanup", topic.cleanup, actual)
    if topic.retention_ms is None:
        return
    kept = int(found.config.get("retention.ms", str(7 * 86_400_000)))
    if kept != topic.retention_ms:
        yield place.differs("retention", lasting(topic.retention_ms), lasting(kept))
    size = int(found.config.get("retention.bytes", "-1"))
    if size != -1:
        yield place.drift(
            "retention_bytes",
            f"retention is limited to {size} bytes on the broker; the document knows no limit by"
            " size",
            "retention",
        )


def _schema(
    promise: SchemaPromise, live: Live, expected: Expected, place: Place
) -> Iterator[Drift]:
    published = expected.fingerprint(promise.name, promise.version)
    if published != promise.fingerprint:
        yield place.drift(
            "fingerprint_drift",
            f"the fingerprint of {promise.name} version {promise.version} is {published[:12]},"
            f" the document says {promise.fingerprint[:12]}",
            "schema",
            "fingerprint",
        )
    if live.subjects is None:
        return
    found = live.subjects.get(f"{place.subject}-value")
    if found is None or found.id is None:
        yield place.drift("schema_missing", "the registry has no schema for it", "schema", "name")
        return
    yield from _registered(promise, found, expected, place)


def _registered(
    promise: SchemaPromise, found: LiveSubject, expected: Expected, place: Place
) -> Iterator[Drift]:
    name = promise.name
    if found.shape != shape(expected.catalog.schema(name, promise.version)):
        versions = range(1, expected.catalog.version_of(name) + 1)
        known = next(
            (v for v in versions if shape(expected.catalog.schema(name, v)) == found.shape), None
        )
        actual = f"version {known}" if known else "a schema that was never published"
        yield place.drift(
            "version_drift",
            f"the registry's newest schema is {actual}, the document says version"
            f" {promise.version} of {name}",
            "schema",
            "version",
        )
    if promise.id is not None and promise.id != found.id:
        yield place.drift(
            "id_drift",
            f"the registry's id is {found.id}, the document says {promise.id}",
            "schema",
            "id",
        )
    if found.level not in list(Level) or not Level(found.level).demands(promise.level):
        yield place.drift(
            "level_drift",
            f"the registry's level is {found.level}, the document says {promise.level}",
            "schema",
            "level",
        )


def _connector(loaded: Loaded, live: Live, expected: Expected) -> Iterator[Drift]:
    document = loaded.document
    found = live.connectors.get(document.connector or "")
    if found is None:
        return
    place = Place(loaded, ("errors",), f"connector {document.connector}")
    letters = document.errors.dead_letters.replace("{group}", expected.group)
    letters = f"{expected.prefix}.{letters}" if expected.prefix else letters
    if found.dead_letters != letters:
        yield place.drift(
            "dead_letters_drift",
            f"it writes dead letters to {found.dead_letters}, the document says {letters}",
            "dead_letters",
        )
    for name, promised in document.errors.retry.model_dump(exclude_none=True).items():
        actual = found.retry.get(name)
        if actual != promised:
            yield place.drift(
                "retry_drift",
                f"its retry budget has {name}={actual}, the document says {promised}",
                "retry",
                name,
            )


def _contacts(loaded: Loaded, today: date) -> Iterator[Drift]:
    for number, step in enumerate(loaded.document.escalation):
        age = today - step.tested_at
        if age > TEST_EVERY:
            place = Place(loaded, ("escalation", number), f"escalation to {step.role}")
            yield place.drift(
                CONTACT_UNTESTED,
                f"the contact was tested {age.days} days ago, {TEST_EVERY.days} are allowed",
                "tested_at",
            )
        elif age < timedelta(0):
            place = Place(loaded, ("escalation", number), f"escalation to {step.role}")
            yield place.drift(
                CONTACT_UNTESTED, f"the test on {step.tested_at} is yet to come", "tested_at"
            )
