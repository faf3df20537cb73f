"""Settings of the Kafka clients, in one place, with the reason for each that is not a default."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Literal

from streams.contracts.topics import DEAD_LETTER_LIMIT_BYTES, prefixed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka import KafkaError

    from streams.runtime.connection import KafkaConnection

log = logging.getLogger(__name__)

TRANSACTION_TIMEOUT_MS: Final = 10_000
"""After this the broker aborts what a killed worker left open; until then its readers wait."""
SESSION_TIMEOUT_MS: Final = 30_000
"""How long a silent static member keeps its partitions."""

GroupProtocol = Literal["classic", "consumer"]
Settings = dict[str, Any]
QUIET_S: Final = 10.0
"""Between two complaints of one client about the same thing."""


class _Complaints:
    """Logs what a client says about its connections, each thing now and then."""

    def __init__(self) -> None:
        self._told: dict[int, float] = {}

    def tell(self, error: KafkaError) -> None:
        """Log an error that is no answer to a call."""
        now = monotonic()
        if now - self._told.get(error.code(), -QUIET_S) >= QUIET_S:
            self._told[error.code()] = now
            log.warning("broker connection: %s", error.str())


def base(connection: KafkaConnection) -> Settings:
    """What every client needs to find the broker."""
    return {
        "bootstrap.servers": connection.bootstrap,
        # A broker that restarts is found again soon.
        "reconnect.backoff.max.ms": 1_000,
        # The library writes to stderr by itself: several lines per second while a broker is away.
        # What matters comes through `error_cb` into the process's own log.
        "log_level": 2,
        "error_cb": _Complaints().tell,
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
        # Else librdkafka 2.16 replaces its brokers when all are down, keeps the old one as the
        # group's coordinator, and send_offsets_to_transaction waits for it without an end.
        # Such a producer may find no broker any more, and is then replaced; a consumer, which is
        # not, would stay deaf: a broker that starts lists no broker, not even itself, for a while.
        "metadata.recovery.strategy": "none",
        # A dead letter carries a whole record and its story, so it is the largest message there is.
        "message.max.bytes": DEAD_LETTER_LIMIT_BYTES,
        # The partitioner of Java clients, so that their joins with our topics find their keys.
        "partitioner": "murmur2_random",
        # A commit flushes anyway; waiting longer for company would only add to its latency.
        "linger.ms": 1,
        # The coordinator still writes the last transaction's markers when the next one begins, and
        # is asked again: after the default of 100 ms that would be most of a cycle.
        "retry.backoff.ms": 2,
        # One cycle's output per partition should travel as few batches, small on the wire.
        "batch.size": 256 * 1024,
        "compression.type": "lz4",
        # A cycle is buffered whole before its commit, a changelog record for each key included.
        "queue.buffering.max.messages": 500_000,
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
        "isolation.level": "read_committed",
        # A position that retention has passed is a named stop, never a silent skip.
        "auto.offset.reset": "error",
        # Positions travel with the transaction's outputs; the client must not keep its own.
        "enable.auto.offset.store": False,
        "enable.auto.commit": False,
        # Read ahead by some full cycles, and by no more memory than a small pod can spare.
        "queued.max.messages.kbytes": 32 * 1024,
        "queued.min.messages": 20_000,
        # A fetched share is unpacked whole, several times its size; larger ones cost 40 MB of
        # memory on the reference job and bring nothing. A single larger batch still comes.
        "max.partition.fetch.bytes": 256 * 1024,
        # After a full queue, and at the end of a quiet topic, ask again soon: both waits are
        # latency that every stage of a chain adds.
        "fetch.queue.backoff.ms": 5,
        "fetch.wait.max.ms": 20,
        # The broker checked each batch when it took it in, and TCP checks it on its way here.
        "check.crcs": False,
        **(extra or {}),
    }


def member(
    connection: KafkaConnection,
    group: str,
    *,
    instance_id: str | None,
    session_timeout_ms: int = SESSION_TIMEOUT_MS,
    protocol: GroupProtocol = "classic",
    extra: Mapping[str, Any] | None = None,
) -> Settings:
    """Settings of a group's member: cooperative, and static when it has an instance id.

    Args:
        connection: Where the broker is.
        group: The group, without prefix.
        instance_id: Stable name within the group; None for a member that comes and goes.
        session_timeout_ms: How long the group waits for a silent member; with the protocol
            `consumer` the broker's `group.consumer.session.timeout.ms` says it instead.
        protocol: How the group agrees: `classic`, or `consumer` (KIP-848), where the broker
            assigns and refuses a client's own strategy, session and heartbeat.
        extra: Further librdkafka settings.
    """
    settings = consumer(connection, group)
    settings["group.protocol"] = protocol
    if protocol == "classic":
        settings["partition.assignment.strategy"] = "cooperative-sticky"
        settings["session.timeout.ms"] = session_timeout_ms
        # A cooperative rebalance takes two heartbeats to be heard of.
        settings["heartbeat.interval.ms"] = min(1_000, session_timeout_ms // 10)
    if instance_id:
        settings["group.instance.id"] = instance_id
    settings.update(extra or {})
    return settings
