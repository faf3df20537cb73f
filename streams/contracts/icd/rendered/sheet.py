"""A document as titled tables: what the page and the printed form have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.contracts.icd.document import InterfaceDocument, TopicPromise
    from streams.contracts.icd.loading import Loaded


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Attributes:
        title: Its heading.
        rows: Its rows; the first cell of each says what the row is.
        head: Heads of its columns; empty for a table of fields.
    """

    title: str
    rows: Sequence[Sequence[str]]
    head: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is shown of a document.

    Attributes:
        id: The document's id.
        title: Its title.
        subtitle: Version, day, systems.
        content_hash: SHA-256 of the content.
        day: Since when it holds, ISO 8601.
        tables: Everything else.
    """

    id: str
    title: str
    subtitle: str
    content_hash: str
    day: str
    tables: Sequence[Table]


def sheet_of(loaded: Loaded) -> Sheet:
    """Lay a document out."""
    document = loaded.document
    consumers = ", ".join(document.consumers)
    return Sheet(
        id=document.id,
        title=document.title,
        subtitle=(
            f"Version {document.version}, effective {document.effective}: from"
            f" {document.provider} to {consumers}"
        ),
        content_hash=loaded.content_hash,
        day=document.effective.isoformat(),
        tables=(
            Table("Agreement", _agreement(document)),
            Table("When something is wrong", _errors(document)),
            Table(
                "Contacts",
                [(each.role, each.reached) for each in document.contacts],
                ("Role", "Reached through"),
            ),
            Table(
                "Escalation",
                [
                    (each.role, each.reached, f"{each.within_minutes} min", str(each.tested_at))
                    for each in document.escalation
                ],
                ("Role", "Reached through", "After", "Last tested"),
            ),
            *_quotas(document),
            *(Table(f"Topic {topic.name}", _topic(topic)) for topic in document.topics),
        ),
    )


def _agreement(document: InterfaceDocument) -> list[tuple[str, str]]:
    sla = document.sla
    return [
        ("Connector", document.connector or "none: topics only"),
        ("Requirements", ", ".join(document.requirements)),
        ("GxP criticality", document.criticality),
        ("Latency", f"{sla.share * 100:g} % within {sla.latency_s:g} s"),
        ("Longest outage without loss", f"{sla.outage_h:g} h"),
    ]


def _errors(document: InterfaceDocument) -> list[tuple[str, str]]:
    errors = document.errors
    budget = [
        (f"Retry: {name.replace('_', ' ')}", f"{value:g}")
        for name, value in errors.retry.model_dump(exclude_none=True).items()
    ]
    return [
        ("A record that can never work", errors.bad_record),
        ("The other side is away", errors.unavailable),
        ("Dead letters", errors.dead_letters),
        *budget,
    ]


def _quotas(document: InterfaceDocument) -> list[Table]:
    if not document.quotas:
        return []
    rows = [
        (quota.account, f"{name.replace('_', ' ')}: {value:g}")
        for quota in document.quotas
        for name, value in quota.model_dump(exclude_none=True, exclude={"account"}).items()
    ]
    return [Table("Quotas", rows, ("Account", "Limit"))]


def _topic(topic: TopicPromise) -> list[tuple[str, str]]:
    rows = [
        ("Meaning", topic.meaning),
        ("Key", topic.key),
        ("Partitions", str(topic.partitions)),
        ("Cleanup", topic.cleanup),
        ("Audit-relevant", "yes" if topic.audit else "no"),
    ]
    if topic.retention is not None:
        rows.append(("Retention", topic.retention))
    if topic.min_insync is not None:
        rows.append(("Copies in sync at least", str(topic.min_insync)))
    if topic.content is not None:
        rows.append(("Content", topic.content))
    if (schema := topic.schema_) is not None:
        rows.append(("Schema", f"{schema.name}, version {schema.version}"))
        rows.append(("Compatibility", schema.level.value))
        rows.append(("Fingerprint (SHA-256)", schema.fingerprint))
        if schema.id is not None:
            rows.append(("Id in the registry", str(schema.id)))
    if topic.access is not None:
        rows.append(("Read by", ", ".join(topic.access.read) or "nobody"))
        rows.append(("Written by", ", ".join(topic.access.write) or "nobody"))
    return rows
