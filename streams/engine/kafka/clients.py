"""Settings of the Kafka clients, in one place, with the reason for each that is not a default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.contracts.topics import DEAD_LETTER_LIMIT_BYTES, prefixed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.runtime.connection import KafkaConnection

TRANSACTION_TIMEOUT_MS: Final = 10_000
"""How long a dead worker's open transaction may block the next owner and all readers."""
SESSION_TIMEOUT_MS: Final = 30_000
"""How long a silent static member keeps its partitions."""

Settings = dict[str, Any]


def base(connection: KafkaConnection) -> Settings:
    """What every client needs to find the broker."""
    return {
        "bootstrap.servers": connection.bootstrap,
        # A broker that restarts is found again soon.
        "reconnect.backoff.max.ms": 1_000,
        # Warnings and worse; short-lived clients say needless things about their ends.
        "log_level": 4,
        **connection.security,
    }


def producer(
    connection: KafkaConnection,
    transactional_id: str,
    *,
    timeout_ms: int = TRANSACTION_TIMEOUT_MS,
    extra: Mapping[str, Any] | None = None,
) -> Settings:
    """Settings of a transactional producer."""
    return {
        **base(connection),
        "transactional.id": prefixed(connection.prefix, transactional_id),
        "transaction.timeout.ms": timeout_ms,
        # The partitioner of Java clients, so that their joins with our topics find their keys.
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": 1,
        "batch.size": 1 << 18,
        "queue.buffering.max.messages": 500_000,
        "message.max.bytes": DEAD_LETTER_LIMIT_BYTES,
        **(extra or {}),
    }


def consumer(
    connection: KafkaConnection,
    group: str,
    *,
    extra: Mapping[str, Any] | None = None,
) -> Settings:
    """Settings of a consumer that sees committed records only and starts nowhere by itself."""
    return {
        **base(connection),
        "group.id": prefixed(connection.prefix, group),
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # A position that retention has passed is a named stop, never a silent skip.
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
        "check.crcs": False,
        "fetch.wait.max.ms": 20,
        "fetch.queue.backoff.ms": 5,
        "queued.min.messages": 20_000,
        "queued.max.messages.kbytes": 65_536,
        **(extra or {}),
    }


def member(
    connection: KafkaConnection,
    group: str,
    *,
    instance_id: str | None,
    session_timeout_ms: int = SESSION_TIMEOUT_MS,
    extra: Mapping[str, Any] | None = None,
) -> Settings:
    """Settings of a group's member: cooperative, and static when it has an instance id."""
    settings = consumer(connection, group)
    settings["partition.assignment.strategy"] = "cooperative-sticky"
    settings["session.timeout.ms"] = session_timeout_ms
    settings["heartbeat.interval.ms"] = max(500, session_timeout_ms // 10)
    if instance_id:
        settings["group.instance.id"] = instance_id
    settings.update(extra or {})
    return settings
