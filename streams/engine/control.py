"""Decisions of people on dead letters and fuses, as records of the group's control topic.

The topic has one partition. Every worker reads all of it; the owner of the partition that a
decision names applies it, and keeps the decision's offset in the same transaction: exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import orjson

from streams.contracts.topics import CONTROL, GROUP, prefixed
from streams.engine.kafka.transaction import Transaction
from streams.engine.poison.stored import StoredRecord, packed, unpacked
from streams.errors import Misconfigured, Poison

if TYPE_CHECKING:
    from streams.engine.kafka.records import Record
    from streams.runtime.connection import KafkaConnection

Kind = Literal["replay", "drop", "fuse_reset"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided.

    Attributes:
        kind: `replay` a dead letter, `drop` it, or `fuse_reset` a partition.
        topic: Full name of the original topic.
        partition: Original partition.
        offset: Original offset; -1 for a fuse.
        actor: Who decided.
        reason: Why.
        record: What is replayed: the original record, or one with corrected bytes.
        at: The decision's own offset in the control topic; -1 before it is written.
    """

    kind: Kind
    topic: str
    partition: int
    offset: int
    actor: str
    reason: str
    record: StoredRecord | None = None
    at: int = -1


def control_topic(connection: KafkaConnection) -> str:
    """Full name of the group's control topic."""
    return prefixed(connection.prefix, CONTROL.replace(GROUP, connection.group))


def replay(
    connection: KafkaConnection,
    dead_letter: Record,
    *,
    actor: str,
    reason: str,
    value: bytes | None = None,
) -> Decision:
    """Decide that a dead letter is tried again, in its key's order.

    Args:
        connection: Where the broker is, and the group.
        dead_letter: The record of the dead-letter topic.
        actor: Who decides.
        reason: Why.
        value: Corrected bytes; the original ones when absent.

    Returns:
        The decision, as it was written.

    Raises:
        Misconfigured: Actor or reason is empty, or the record is no dead letter.
        Transient: The broker is not available.
    """
    return _decide(connection, replaying(dead_letter, actor=actor, reason=reason, value=value))


def replaying(
    dead_letter: Record, *, actor: str, reason: str, value: bytes | None = None
) -> Decision:
    """The decision that `replay` writes.

    Raises:
        Misconfigured: The record is no dead letter.
    """
    topic, partition, offset = origin_of(dead_letter)
    stamp = dead_letter.header("lotgate-dlq-timestamp") or b"0"
    record = StoredRecord(
        at=offset,
        octets_key=dead_letter.key,
        octets=dead_letter.value if value is None else value,
        pairs=tuple(p for p in dead_letter.headers if not p[0].startswith("lotgate-dlq-")),
        time=(1, int(stamp)),
    )
    return Decision("replay", topic, partition, offset, actor, reason, record)


def drop(connection: KafkaConnection, dead_letter: Record, *, actor: str, reason: str) -> Decision:
    """Decide that a dead letter is given up, and what waits behind it goes on.

    Raises:
        Misconfigured: Actor or reason is empty, or the record is no dead letter.
        Transient: The broker is not available.
    """
    topic, partition, offset = origin_of(dead_letter)
    return _decide(connection, Decision("drop", topic, partition, offset, actor, reason))


def reset_fuse(
    connection: KafkaConnection, topic: str, partition: int, *, actor: str, reason: str
) -> Decision:
    """Decide that a partition whose fuse tripped goes on.

    Args:
        connection: Where the broker is, and the group.
        topic: Full name of the partition's topic.
        partition: Partition number.
        actor: Who decides.
        reason: Why.

    Raises:
        Misconfigured: Actor or reason is empty.
        Transient: The broker is not available.
    """
    return _decide(connection, Decision("fuse_reset", topic, partition, -1, actor, reason))


def origin_of(dead_letter: Record) -> tuple[str, int, int]:
    """Topic, partition and offset that a dead letter came from.

    Raises:
        Misconfigured: It is no dead letter.
    """
    topic = dead_letter.header("lotgate-dlq-topic")
    partition = dead_letter.header("lotgate-dlq-partition")
    offset = dead_letter.header("lotgate-dlq-offset")
    if topic is None or partition is None or offset is None:
        raise Misconfigured(
            f"{dead_letter.topic}[{dead_letter.partition}]@{dead_letter.offset} does not say where"
            " it came from",
            code="no_dead_letter",
            advice="name a record of a dead-letter topic",
        )
    return topic.decode(), int(partition), int(offset)


def encode(decision: Decision) -> bytes:
    """A decision as the value of its record."""
    line = orjson.dumps(
        {
            "kind": decision.kind,
            "topic": decision.topic,
            "partition": decision.partition,
            "offset": decision.offset,
            "actor": decision.actor,
            "reason": decision.reason,
        }
    )
    return line + b"\n" + (packed(decision.record) if decision.record is not None else b"")


def decode(value: bytes, at: int) -> Decision:
    """A decision from its record.

    Args:
        value: The record's value.
        at: Its offset.

    Raises:
        Poison: It is no decision.
    """
    line, _, rest = value.partition(b"\n")
    try:
        known = orjson.loads(line)
        return Decision(**known, record=unpacked(rest) if rest else None, at=at)
    except (ValueError, TypeError, KeyError) as failure:
        raise Poison(
            f"the control record at offset {at} is no decision: {failure}", code="bad_decision"
        ) from failure


def _decide(connection: KafkaConnection, decision: Decision) -> Decision:
    if not decision.actor.strip() or not decision.reason.strip():
        raise Misconfigured(
            "a decision needs an actor and a reason",
            code="no_reason",
            kept="nothing was decided",
            advice="say who decides and why",
        )
    # Decisions of several people may be written at once: each has a writer of its own name.
    name = f"{connection.group}-control-{decision.actor}"
    with Transaction(connection, name) as transaction:
        transaction.begin()
        transaction.produce(
            control_topic(connection), decision.topic.encode(), encode(decision), partition=0
        )
        transaction.commit()
    return decision
