"""What is running, asked for in few calls: all topics at once, subjects side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import httpx

from streams.contracts.icd.live import (
    Grant,
    Live,
    LiveConnector,
    LiveSubject,
    LiveTopic,
    connector_told,
)
from streams.contracts.wire.schema_tree import self_contained, shape
from streams.engine import access_rules, account_quotas, describe, topic_partitions
from streams.errors import Misconfigured, Transient

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streams.contracts.icd.loading import Loaded
    from streams.contracts.registry import ConfluentRegistry
    from streams.runtime.connection import KafkaConnection

SIDE_BY_SIDE: Final = 16
"""Questions to the registry that are under way at a time."""
PROBE_S: Final = 3.0


def found(
    documents: Sequence[Loaded],
    connection: KafkaConnection,
    registry: ConfluentRegistry,
    connectors: Mapping[str, str],
) -> Live:
    """Look at all that the documents speak of.

    Args:
        documents: The documents.
        connection: Where the broker is.
        registry: The schema registry.
        connectors: Where running connectors answer probes, by name.

    Raises:
        Transient: The broker, the registry or a named connector does not answer.
        Misconfigured: A right to look is missing, or a connector tells no contract.
    """
    there = topic_partitions(connection)
    wanted = _topics(documents, connection, there)
    subjects = _subject_names(documents, connection)
    quotas_wanted = any(loaded.document.quotas for loaded in documents)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        level = pool.submit(registry.level)
        asked = {name: pool.submit(_subject, registry, name) for name in subjects}
        topics = describe(connection, wanted)
        rules = access_rules(connection)
        quotas = account_quotas(connection) if quotas_wanted else None
        ours = {name: pool.submit(_connector, name, url) for name, url in connectors.items()}
        default = level.result()
        registered = {name: each.result() for name, each in asked.items()}
        told = {name: each.result() for name, each in ours.items()}
    return Live(
        topics={
            name: LiveTopic(each.partitions, each.replicas, each.config)
            for name, each in topics.items()
        },
        subjects={
            name: LiveSubject(number, form, own or default)
            for name, (number, form, own) in registered.items()
        },
        grants=None
        if rules is None
        else [
            Grant(rule.principal, rule.topic, rule.is_prefix, rule.operation, rule.allows)
            for rule in rules
        ],
        quotas=quotas,
        connectors=told,
        min_insync=connection.min_insync,
        replication_factor=connection.replication_factor,
    )


def _topics(
    documents: Sequence[Loaded], connection: KafkaConnection, there: Iterable[str]
) -> set[str]:
    wanted: set[str] = set()
    known = set(there)
    for topic in (topic for loaded in documents for topic in loaded.document.topics):
        name = topic.full_name(connection.prefix, connection.group)
        if topic.is_pattern:
            wanted |= {each for each in known if each.startswith(name)}
        elif name in known:
            # A question about a topic that is not there could make the broker create it.
            wanted.add(name)
    return wanted


def _subject_names(documents: Sequence[Loaded], connection: KafkaConnection) -> list[str]:
    return [
        f"{topic.full_name(connection.prefix, connection.group)}-value"
        for loaded in documents
        for topic in loaded.document.topics
        if topic.schema_ is not None
    ]


def _subject(registry: ConfluentRegistry, name: str) -> tuple[int | None, str, str | None]:
    """Id and shape of a subject's newest schema, and the level that it sets itself."""
    newest = registry.newest(name)
    level = registry.subject_level(name)
    if newest is None:
        return None, "", level
    number, schema = newest
    return number, shape(self_contained(schema)), level


def _connector(name: str, url: str) -> LiveConnector:
    try:
        answer = httpx.get(
            f"{url.rstrip('/')}/readyz?verbose", timeout=PROBE_S, trust_env=False
        ).json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise Transient(
            f"connector {name} does not answer at {url} ({type(error).__name__})",
            code="connector_unreachable",
            kept="nothing was changed",
            advice="start it with LOTGATE_HEALTH_PORT, or correct --connector",
        ) from error
    told = connector_told(_answered_by(name, url, answer))
    if told is None:
        raise _other(name, url, "it tells nothing of its retry budget and dead letters")
    return told


def _answered_by(name: str, url: str, answer: Any) -> Mapping[str, Any]:
    if not isinstance(answer, dict):
        raise _other(name, url, "it is no process of Lotgate")
    who = answer.get("interface", name)
    if who != name:
        raise _other(name, url, f"it is {who}")
    return answer


def _other(name: str, url: str, why: str) -> Misconfigured:
    return Misconfigured(
        f"what answers at {url} is not connector {name}: {why}",
        code="not_this_connector",
        advice="correct --connector NAME=URL",
    )
