"""A person's decision as a value, as bytes, and what of it is believed when it is read back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

import orjson

from streams.engine.poison.stored import LARGEST, StoredRecord, packed, unpacked, within
from streams.errors import Poison

Kind = Literal["replay", "drop", "fuse_reset"]
LARGEST_PARTITION: Final = 2**31 - 1
TOPIC_LIMIT: Final = 249
"""Most characters of a topic's name on a broker."""
TEXT_LIMIT: Final = 2_000
"""Most characters of an actor or a reason."""
TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
"""What a topic may be called."""
TIMER: Final = re.compile(r"[0-7][0-9a-f]{15}(?:[0-9a-f]{2}){0,4096}?0000(?:[0-9a-f]{2}){1,1024}")
"""A timer as `streams.engine.timers.places.ordered` gives it, in hexadecimal digits."""
_FIELDS: Final = frozenset({"kind", "topic", "partition", "offset", "actor", "reason"})


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
        timer: What failed if it was no record but the firing of a timer: the header
            `lotgate-dlq-timer-id` of its dead letter.
    """

    kind: Kind
    topic: str
    partition: int
    offset: int
    actor: str
    reason: str
    record: StoredRecord | None = None
    at: int = -1
    timer: str = ""


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
            **({"timer": decision.timer} if decision.timer else {}),
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
        return _checked(orjson.loads(line), unpacked(rest) if rest else None, at)
    except (ValueError, TypeError) as failure:
        raise Poison(
            f"the control record at offset {at} is no decision: {failure}", code="bad_decision"
        ) from failure


def _checked(known: object, record: StoredRecord | None, at: int) -> Decision:
    """A decision from what stands in its record; others may write to the topic.

    Raises:
        ValueError: Something is missing, of another type, too long or out of range.
    """
    if not isinstance(known, dict) or {*known} - {"timer"} != _FIELDS:
        raise ValueError(f"a decision has the fields {', '.join(sorted(_FIELDS))}")
    kind, topic = known["kind"], known["topic"]
    if kind not in get_args(Kind):
        raise ValueError("kind is unknown")
    if not isinstance(topic, str) or not TOPIC.fullmatch(topic):
        raise ValueError("topic is no name of a topic")
    for name in ("actor", "reason"):
        if not isinstance(known[name], str) or not 0 < len(known[name].strip()) <= TEXT_LIMIT:
            raise ValueError(f"{name} is no text of 1 to {TEXT_LIMIT} characters")
    partition = within(known["partition"], 0, LARGEST_PARTITION, "partition")
    offset = within(known["offset"], -1, LARGEST, "offset")
    _refuse_other_record(kind, offset, record)
    return Decision(
        kind, topic, partition, offset, known["actor"], known["reason"], record, at, _timer(known)
    )


def _timer(known: dict[str, object]) -> str:
    timer = known.get("timer", "")
    if not isinstance(timer, str) or (timer and not TIMER.fullmatch(timer)):
        raise ValueError("timer names no timer")
    return timer


def _refuse_other_record(kind: str, offset: int, record: StoredRecord | None) -> None:
    if (kind == "replay") != (record is not None):
        raise ValueError("a replay has a record, and nothing else has")
    if record is not None and record.at != offset:
        raise ValueError("the record is of another offset")
