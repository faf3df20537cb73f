"""Who may do what with topics, as the broker has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not declared as exported
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)

from streams.engine.kafka import clients
from streams.engine.kafka.failures import judged

if TYPE_CHECKING:
    from streams.runtime.connection import KafkaConnection

WAIT_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class AccessRule:
    """One rule of the broker's access list that is about topics.

    Attributes:
        principal: As `User:name`.
        topic: A topic's full name, its beginning, or `*`.
        is_prefix: Whether `topic` is a beginning.
        operation: `READ`, `WRITE`, `ALL`, ….
        allows: False for a rule that denies.
    """

    principal: str
    topic: str
    is_prefix: bool
    operation: str
    allows: bool


def access_rules(connection: KafkaConnection) -> list[AccessRule] | None:
    """Every access rule about topics; None if the broker has no access control.

    Raises:
        Misconfigured: This user may not describe them.
        Transient: The broker does not answer.
    """
    admin = AdminClient(clients.base(connection))
    if not _is_guarded(admin):
        return None
    every = AclBindingFilter(
        ResourceType.TOPIC,
        None,  # type: ignore[arg-type]  # any name, account and host
        ResourcePatternType.ANY,
        None,  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    try:
        found = admin.describe_acls(every, request_timeout=WAIT_S).result()
    except KafkaException as failure:
        raise judged(failure, "asking for access rules") from failure
    return [
        AccessRule(
            rule.principal,
            rule.name,
            rule.resource_pattern_type == ResourcePatternType.PREFIXED,
            rule.operation.name,
            rule.permission_type == AclPermissionType.ALLOW,
        )
        for rule in found
    ]


def _is_guarded(admin: AdminClient) -> bool:
    """Whether the brokers check rights: without that, the library reports an empty list."""
    try:
        brokers = list(admin.list_topics(timeout=WAIT_S).brokers)[:1]
        asked = [ConfigResource(ResourceType.BROKER, str(broker)) for broker in brokers]
        answers = admin.describe_configs(asked, request_timeout=WAIT_S).values()
        found = [answer.result().get("authorizer.class.name") for answer in answers]
    except KafkaException as failure:
        raise judged(failure, "asking whether the brokers check rights") from failure
    return any(entry is not None and entry.value for entry in found)
