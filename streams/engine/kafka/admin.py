"""What the broker must hold: create what is missing, refuse what is wrong, change nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not declared as exported
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from streams.engine.kafka import clients
from streams.engine.kafka.failures import error_of, judged
from streams.errors import Misconfigured, Transient

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streams.contracts.topic_specs import TopicSpec
    from streams.runtime.connection import KafkaConnection

WAIT_S: Final = 15.0
LOOK_S: Final = 3.0
"""How long a check that something else repeats may take."""


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """A topic as the broker has it.

    Attributes:
        topic_id: The broker's own id; a topic made anew under the old name has another.
        partitions: Number of partitions.
        replicas: Copies of the first partition.
        config: The topic's settings, by the broker's names.
        rights: What this user may do with it (`READ`, `WRITE`, …); None when the broker does not
            say.
    """

    topic_id: str
    partitions: int
    replicas: int
    config: Mapping[str, str]
    rights: frozenset[str] | None = None

    def number(self, name: str, default: int) -> int:
        """A setting as a number."""
        return int(self.config.get(name, default))


def describe(connection: KafkaConnection, names: Iterable[str]) -> dict[str, TopicFacts]:
    """Ask for topics; those that do not exist are left out.

    Raises:
        Transient: The broker does not answer.
        Misconfigured: A right is missing.
    """
    admin = AdminClient(clients.base(connection))
    wanted = sorted(set(names))
    if not wanted:
        return {}
    found: dict[str, Any] = {}
    answers = admin.describe_topics(
        TopicCollection(wanted), include_authorized_operations=True, request_timeout=WAIT_S
    )
    for name, answer in answers.items():
        try:
            found[name] = answer.result()
        except KafkaException as failure:
            if error_of(failure).code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise judged(failure, f"describing topic {name}") from failure
    configs = _configs(admin, [ConfigResource(ResourceType.TOPIC, name) for name in found])
    return {
        name: TopicFacts(
            topic_id=str(topic.topic_id),
            partitions=len(topic.partitions),
            replicas=len(topic.partitions[0].replicas),
            config=configs.get(name, {}),
            rights=_rights(topic.authorized_operations),
        )
        for name, topic in found.items()
    }


def _rights(operations: Iterable[Any] | None) -> frozenset[str] | None:
    return None if operations is None else frozenset(each.name for each in operations)


def provision(
    connection: KafkaConnection, specs: Sequence[TopicSpec], *, create: bool = True
) -> list[str]:
    """Create the topics that are missing. Existing ones are left as they are.

    Args:
        connection: Where the broker is.
        specs: What is wanted.
        create: False only lists what would be created.

    Returns:
        The names that were (or would be) created.

    Raises:
        Transient: The broker does not answer.
        Misconfigured: The right to create is missing.
    """
    existing = describe(connection, [spec.name for spec in specs])
    missing = {spec.name: spec for spec in specs if spec.name not in existing}
    if not create or not missing:
        return sorted(missing)
    admin = AdminClient(clients.base(connection))
    answers = admin.create_topics(
        [
            NewTopic(
                spec.name,
                num_partitions=spec.partitions,
                replication_factor=spec.replication_factor,
                config=dict(spec.config),
            )
            for spec in missing.values()
        ],
        operation_timeout=WAIT_S,
        request_timeout=WAIT_S,
    )
    for name, answer in answers.items():
        try:
            answer.result()
        except KafkaException as failure:
            if error_of(failure).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise judged(failure, f"creating topic {name}") from failure
    _wait_until_visible(connection, sorted(missing))
    return sorted(missing)


def _wait_until_visible(connection: KafkaConnection, names: Sequence[str]) -> None:
    """A new topic is known to the controller before the brokers tell clients of it."""
    until_visible = Retrying(
        retry=retry_if_result(lambda visible: not visible),
        stop=stop_after_delay(WAIT_S),
        wait=wait_fixed(0.05),
    )
    try:
        until_visible(lambda: len(describe(connection, names)) == len(names))
    except RetryError as error:
        raise Transient(
            f"topics were created but are not visible after {WAIT_S:.0f} s: {', '.join(names)}",
            code="topics_not_visible",
            kept="the topics exist; nothing was read or written",
            advice="look at the broker's log, then start again",
        ) from error


def preflight(
    connection: KafkaConnection,
    specs: Sequence[TopicSpec],
    *,
    transaction_timeout_ms: int = clients.TRANSACTION_TIMEOUT_MS,
    rights: Mapping[str, Iterable[str]] | None = None,
) -> dict[str, TopicFacts]:
    """Refuse to start on a broker that would lose or refuse our records.

    Args:
        connection: Where the broker is, and the least replication that is demanded.
        specs: The topics this process reads or writes, with the settings that it relies on.
        transaction_timeout_ms: The time-out its transactions ask for.
        rights: What this user must be allowed to do, by topic: `READ`, `WRITE`.

    Returns:
        The topics as they are.

    Raises:
        Misconfigured: One sentence per thing that is wrong, each with what to change.
        Transient: The broker does not answer.
    """
    found = describe(connection, [spec.name for spec in specs])
    wrong: list[str] = []
    for spec in specs:
        wrong += _wrong_topic(spec, found.get(spec.name), connection)
    for name, needed in (rights or {}).items():
        wrong += _wrong_rights(name, needed, found.get(name))
    wrong += _wrong_timeout(connection, transaction_timeout_ms)
    if wrong:
        raise Misconfigured(
            "The broker is not ready: " + "; ".join(wrong),
            code="preflight",
            kept="nothing was read or written",
            advice="change what is named, then start again",
        )
    return found


def _wrong_rights(name: str, needed: Iterable[str], facts: TopicFacts | None) -> list[str]:
    if facts is None or facts.rights is None:
        return []
    return [
        f"this user may not {right} topic {name}: grant {right} on topic {name}"
        for right in sorted(needed)
        if right not in facts.rights
    ]


def _wrong_topic(
    spec: TopicSpec, facts: TopicFacts | None, connection: KafkaConnection
) -> list[str]:
    if facts is None:
        return [f"topic {spec.name} is missing: run `lotgate topology apply`"]
    return [
        *_wrong_cleanup(spec, facts),
        *_wrong_copies(spec, facts, connection),
        *_wrong_limit(spec, facts),
    ]


def _wrong_cleanup(spec: TopicSpec, facts: TopicFacts) -> list[str]:
    wanted = spec.config.get("cleanup.policy")
    actual = facts.config.get("cleanup.policy", "delete")
    if wanted is None or set(wanted.split(",")) == set(actual.split(",")):
        return []
    return [
        f"{spec.name} has cleanup.policy={actual}, needed is {wanted}: set cleanup.policy={wanted}"
    ]


def _wrong_copies(spec: TopicSpec, facts: TopicFacts, connection: KafkaConnection) -> list[str]:
    wrong = []
    if facts.replicas < connection.replication_factor:
        wrong.append(
            f"{spec.name} has {facts.replicas} copies, the setting demands"
            f" {connection.replication_factor}: reassign its replicas"
        )
    in_sync = facts.number("min.insync.replicas", 1)
    if in_sync < connection.min_insync:
        wrong.append(
            f"{spec.name} has min.insync.replicas={in_sync}, the setting demands"
            f" {connection.min_insync}: set min.insync.replicas={connection.min_insync}"
        )
    return wrong


def _wrong_limit(spec: TopicSpec, facts: TopicFacts) -> list[str]:
    needed = int(spec.config.get("max.message.bytes", 0))
    actual = facts.number("max.message.bytes", 1_048_588)
    if actual >= needed:
        return []
    sentence = (
        f"{spec.name} takes records of {actual} bytes, needed are {needed}:"
        f" set max.message.bytes={needed}"
    )
    return [sentence]


def _wrong_timeout(connection: KafkaConnection, wanted_ms: int) -> list[str]:
    admin = AdminClient(clients.base(connection))
    try:
        brokers = admin.list_topics(timeout=WAIT_S).brokers
    except KafkaException as failure:
        raise judged(failure, "asking for the brokers") from failure
    resources = [ConfigResource(ResourceType.BROKER, str(broker)) for broker in brokers]
    try:
        known = _configs(admin, resources[:1], LOOK_S)
    except (Misconfigured, Transient):
        # A user that may see topics only, or one broker of several that is away. The broker's own
        # refusal says the same a little later.
        return []
    for broker, config in known.items():
        most = int(config.get("transaction.max.timeout.ms", wanted_ms))
        if most < wanted_ms:
            sentence = (
                f"broker {broker} allows transactions of {most} ms, asked are {wanted_ms}:"
                f" set transaction.max.timeout.ms={wanted_ms} there, or lower the time-out here"
            )
            return [sentence]
    return []


def _configs(
    admin: AdminClient, resources: list[ConfigResource], wait_s: float = WAIT_S
) -> dict[str, dict[str, str]]:
    """Settings by resource name.

    Raises:
        Misconfigured: The right to describe them is missing.
        Transient: The broker does not answer.
    """
    if not resources:
        return {}
    settings: dict[str, dict[str, str]] = {}
    for resource, answer in admin.describe_configs(resources, request_timeout=wait_s).items():
        try:
            entries = answer.result()
        except KafkaException as failure:
            raise judged(failure, f"describing the settings of {resource.name}") from failure
        settings[resource.name] = {
            name: entry.value for name, entry in entries.items() if entry.value is not None
        }
    return settings
