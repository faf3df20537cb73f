"""Registers schemas after our own verdict, and sets the level by which the registry judges too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.contracts.evolution.levels import Level, findings_at, level_named
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.contracts.evolution.findings import Finding
    from streams.contracts.registry import Registry
    from streams.contracts.wire.schema_tree import Schema

    Explain = Callable[[Schema, int, Finding], str]


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing a subject did.

    Attributes:
        subject: The subject.
        id: Its schema's id.
        registered: True if the registry did not have the schema before.
        level_before: The subject's own level before, None if it had none.
        level_set: True if the level was set now.
    """

    subject: str
    id: int
    registered: bool
    level_before: str | None
    level_set: bool


def publish(
    registry: Registry, subject: str, schema: Schema, level: Level = Level.FULL_TRANSITIVE
) -> int:
    """Register a schema after our own verdict, whatever the registry's level lets through.

    Returns:
        Its id.

    Raises:
        Misconfigured: `incompatible_schema`, with the reasons.
        Transient: `registry_unreachable`.
    """
    _refuse_incompatible(registry, subject, schema, level)
    return registry.register(subject, schema)


def publish_all(
    registry: Registry,
    wanted: Mapping[str, Schema],
    level: Level = Level.FULL_TRANSITIVE,
    explain: Explain = lambda _, __, found: str(found),
) -> tuple[Published, ...]:
    """Publish schemas with the level that their subjects have from now on; safe to repeat.

    All are judged before anything is written, and each level goes up before its schema goes in,
    so that no other writer comes between.

    Args:
        registry: The registry.
        wanted: Schema by subject.
        level: The level that is wanted; one that demands less than the present one is refused.
        explain: Words for a finding about a schema and one of its earlier versions.

    Raises:
        Misconfigured: `level_weakened`; `incompatible_schema`; `unknown_level`.
        Transient: `registry_unreachable`.
    """
    own = {subject: registry.subject_level(subject) for subject in wanted}
    known = {subject: registry.lookup(subject, schema) for subject, schema in wanted.items()}
    for subject, schema in wanted.items():
        _refuse_weaker(registry, subject, own[subject], level)
        if known[subject] is None:
            _refuse_incompatible(registry, subject, schema, level, explain)
    done = []
    for subject, schema in wanted.items():
        before, found = own[subject], known[subject]
        if before != level:
            registry.set_subject_level(subject, level)
        given = registry.register(subject, schema) if found is None else found
        done.append(Published(subject, given, found is None, before, before != level))
    return tuple(done)


def _refuse_weaker(registry: Registry, subject: str, own: str | None, level: Level) -> None:
    now = level_named(own or registry.level(), f"the subject {subject}")
    if level.demands(now):
        return
    raise Misconfigured(
        f"{subject} is at {now}{'' if own else ' (the level of the whole registry)'}; {level} "
        "would let in what its readers cannot follow",
        code="level_weakened",
        kept="nothing was registered and the level stays as it is",
        advice=f"publish with --level {now} or more, or publish a new topic beside the old one",
    )


def _refuse_incompatible(
    registry: Registry,
    subject: str,
    schema: Schema,
    level: Level,
    explain: Explain = lambda _, __, found: str(found),
) -> None:
    found = findings_at(level, registry.versions(subject), schema)
    if not found:
        return
    first = found[0][0]
    reasons = "; ".join(explain(schema, first, each) for number, each in found if number == first)
    raise Misconfigured(
        f"The schema for {subject} cannot live beside its version {first}: {reasons}",
        code="incompatible_schema",
        kept="nothing was registered or produced",
        advice="make the change compatible, or publish a new topic beside the old one",
    )
