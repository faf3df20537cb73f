"""What a job's stages demand of each other and of the broker, checked before anything runs."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from streams.contracts.provisioning import (
    changelog_spec,
    control_spec,
    dead_letter_spec,
    topic_spec,
)
from streams.engine.kafka.admin import describe, preflight, provision
from streams.engine.kafka.failures import Repartitioned
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.contracts.topic_specs import TopicSpec
    from streams.engine.declare import Stage
    from streams.engine.kafka.admin import TopicFacts
    from streams.engine.settings import EngineSettings


def checked(stages: Mapping[str, Stage], settings: EngineSettings) -> dict[str, TopicFacts]:
    """Check every topic that the stages rely on.

    Args:
        stages: Stages by full name of their input topic.
        settings: Connection, time-outs, and whether missing topics are created.

    Returns:
        The topics as the broker has them.

    Raises:
        Misconfigured: Something is missing or wrong; says what to change.
        Transient: The broker does not answer.
    """
    connection = settings.connection
    inputs = describe(connection, stages)
    specs: list[TopicSpec] = [
        topic_spec(topic, connection)
        for topic in {
            topic.name: topic for stage in stages.values() for topic in (stage.topic, *stage.emits)
        }.values()
    ]
    same: dict[str, str] = {}
    for name, stage in stages.items():
        partitions = inputs[name].partitions if name in inputs else stage.topic.partitions
        spec = changelog_spec(stage.store_name, partitions, connection)
        same[spec.name] = name
        specs.append(spec)
    specs += [control_spec(connection), dead_letter_spec(connection.group, connection)]
    if settings.provision:
        provision(connection, specs)
    facts = preflight(
        connection,
        specs,
        transaction_timeout_ms=settings.transaction_timeout_ms,
        rights=_rights(stages, settings),
    )
    for name, other in same.items():
        if facts[name].partitions != facts[other].partitions:
            raise repartitioned(other, facts[other].partitions, name, facts[name].partitions)
    return facts


def written(
    stages: Mapping[str, Stage], settings: EngineSettings, facts: Mapping[str, TopicFacts]
) -> dict[str, int]:
    """Numbers of partitions of the topics that a worker writes.

    Args:
        stages: Stages by full name of their input topic.
        settings: Names the group.
        facts: What `checked` gave.
    """
    rights = _rights(stages, settings)
    return {name: facts[name].partitions for name in rights if "WRITE" in rights[name]}


def _rights(stages: Mapping[str, Stage], settings: EngineSettings) -> dict[str, set[str]]:
    """What the worker's user must be allowed to do with each topic."""
    connection = settings.connection
    found: dict[str, set[str]] = defaultdict(set)
    for name, stage in stages.items():
        found[name].add("READ")
        log = changelog_spec(stage.store_name, 1, connection).name
        found[log] |= {"READ", "WRITE"}
        for topic in stage.emits:
            found[topic.full_name(connection.prefix, connection.group)].add("WRITE")
    found[control_spec(connection).name].add("READ")
    found[dead_letter_spec(connection.group, connection).name].add("WRITE")
    return found


def repartitioned(topic: str, count: int, changelog: str, wanted: int) -> Repartitioned:
    """Say that an input has another number of partitions than its state.

    Args:
        topic: Full name of the input.
        count: Its partitions now.
        changelog: Full name of the changelog.
        wanted: Its partitions.
    """
    return Repartitioned(
        f"{topic} has {count} partitions, the state of the group in {changelog} has {wanted}:"
        " records of one key no longer meet its state",
        kept="the state as it was; nothing more is consumed",
        advice=f"make {topic} anew with {wanted} partitions, or start a new group, which builds its"
        " state from the input's beginning",
    )


def refuse_shared_inputs(stages: Iterable[Stage]) -> None:
    """Refuse two stages on one input, and a store with two inputs.

    Raises:
        Misconfigured: Two stages share an input topic, a name or a store.
    """
    inputs: dict[str, Stage] = {}
    stores: dict[str, Stage] = {}
    for stage in stages:
        other = inputs.setdefault(stage.topic.name, stage)
        if other is not stage:
            raise Misconfigured(
                f"stages {other.name} and {stage.name} both read {stage.topic.name}",
                code="shared_input",
                advice="give one of them its own application, or make them one stage",
            )
        other = stores.setdefault(stage.store_name, stage)
        if other is not stage:
            raise Misconfigured(
                f"store {stage.store_name} has two inputs, {other.topic.name} and"
                f" {stage.topic.name}: their equal partitions may run on different workers",
                code="store_with_two_inputs",
                advice="re-key both into one topic `{group}-<stage>-input`, and read that",
            )
