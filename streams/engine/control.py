"""Decisions of people on dead letters and fuses, as records of the group's control topic.

The topic has one partition. Every worker reads all of it; the owner of the partition that a
decision names applies it, and keeps the decision's offset in the same transaction: exactly once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from streams.contracts.topics import CONTROL, GROUP, prefixed
from streams.engine.kafka.transaction import Transaction
from streams.engine.poison.decision import (
    LARGEST_PARTITION,
    TEXT_LIMIT,
    TIMER,
    TOPIC,
    TOPIC_LIMIT,
    Decision,
    decode,
    encode,
)
from streams.engine.poison.stored import LARGEST, StoredRecord
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from streams.engine.kafka.records import Record
    from streams.runtime.connection import KafkaConnection

__all__ = [
    "Decision",
    "control_topic",
    "decode",
    "drop",
    "dropping",
    "encode",
    "origin_of",
    "refuse_unreasoned",
    "replay",
    "replaying",
    "reset_fuse",
]
_NUMBER: Final = re.compile(r"-?[0-9]{1,19}", re.ASCII)


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
    record = StoredRecord(
        at=offset,
        octets_key=dead_letter.key,
        octets=dead_letter.value if value is None else value,
        pairs=tuple(p for p in dead_letter.headers if not p[0].startswith("lotgate-dlq-")),
        time=(1, _told_number(dead_letter, "timestamp", -1)),
    )
    timer = _timer(dead_letter)
    return Decision("replay", topic, partition, offset, actor, reason, record, timer=timer)


def drop(connection: KafkaConnection, dead_letter: Record, *, actor: str, reason: str) -> Decision:
    """Decide that a dead letter is given up, and what waits behind it goes on.

    Raises:
        Misconfigured: Actor or reason is empty, or the record is no dead letter.
        Transient: The broker is not available.
    """
    return _decide(connection, dropping(dead_letter, actor=actor, reason=reason))


def dropping(dead_letter: Record, *, actor: str, reason: str) -> Decision:
    """The decision that `drop` writes.

    Raises:
        Misconfigured: The record is no dead letter.
    """
    topic, partition, offset = origin_of(dead_letter)
    return Decision("drop", topic, partition, offset, actor, reason, timer=_timer(dead_letter))


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
        Misconfigured: It is no dead letter, or its headers are not what the engine writes.
    """
    topic = _told(dead_letter, "topic")
    if not TOPIC.fullmatch(topic):
        raise _no_dead_letter(dead_letter, "topic", topic)
    return (
        topic,
        _told_number(dead_letter, "partition", 0, LARGEST_PARTITION),
        _told_number(dead_letter, "offset", 0),
    )


def _told(dead_letter: Record, name: str) -> str:
    octets = dead_letter.header(f"lotgate-dlq-{name}")
    if octets is None or len(octets) > TOPIC_LIMIT:
        raise _no_dead_letter(dead_letter, name, "absent" if octets is None else "too long")
    return octets.decode("utf-8", "backslashreplace")


def _told_number(dead_letter: Record, name: str, least: int, most: int = LARGEST) -> int:
    text = _told(dead_letter, name)
    # Only what the engine writes: no spaces, no underscores, no digits of other scripts.
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise _no_dead_letter(dead_letter, name, text)
    return int(text)


def _timer(dead_letter: Record) -> str:
    """Which firing failed, if it is the dead letter of one."""
    if dead_letter.header("lotgate-dlq-scope") != b"timer":
        return ""
    octets = dead_letter.header("lotgate-dlq-timer-id") or b""
    text = octets.decode("ascii", "backslashreplace")
    if not TIMER.fullmatch(text):
        raise _no_dead_letter(dead_letter, "timer-id", text)
    return text


def _no_dead_letter(record: Record, name: str, found: str) -> Misconfigured:
    return Misconfigured(
        f"{record.topic}[{record.partition}]@{record.offset} does not say where it came from: its"
        f" header lotgate-dlq-{name} is {found[:100]!r}",
        code="no_dead_letter",
        kept="nothing was decided",
        advice="name a record of a dead-letter topic that Lotgate wrote",
    )


def refuse_unreasoned(actor: str, reason: str) -> None:
    """Refuse a decision that does not say who and why.

    Raises:
        Misconfigured: Actor or reason is empty or too long.
    """
    if not actor.strip() or not reason.strip():
        raise Misconfigured(
            "a decision needs an actor and a reason",
            code="no_reason",
            kept="nothing was decided",
            advice="say who decides and why",
        )
    if max(len(actor), len(reason)) > TEXT_LIMIT:
        raise Misconfigured(
            f"actor and reason have at most {TEXT_LIMIT} characters",
            code="no_reason",
            kept="nothing was decided",
            advice="say it shorter, and name the document that says the rest",
        )


def _decide(connection: KafkaConnection, decision: Decision) -> Decision:
    refuse_unreasoned(decision.actor, decision.reason)
    # Decisions of several people may be written at once: each has a writer of its own name.
    name = f"{connection.group}-control-{decision.actor}"
    with Transaction(connection, name) as transaction:
        transaction.begin()
        transaction.produce(
            control_topic(connection), decision.topic.encode(), encode(decision), partition=0
        )
        transaction.commit()
    return decision
