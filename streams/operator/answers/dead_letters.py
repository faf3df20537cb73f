"""Dead letters as a person decides on them: found, shown, replayed or given up."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from streams.contracts.topics import dead_letters, prefixed
from streams.engine import StartPosition, control
from streams.engine.kafka.reading import read_partition
from streams.engine.kafka.topics import topic_partitions
from streams.engine.kafka.transaction import Transaction
from streams.errors import Misconfigured, Poison
from streams.evidence.records import DEAD_LETTER_HEADERS, LARGEST, number, text
from streams.operator.answers.ledgers import Ledgers
from streams.operator.answers.tooling import NotFound, instant_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.engine.kafka.records import Record
    from streams.engine.poison.standing import Standing
    from streams.runtime.connection import KafkaConnection

REDRIVEN = "lotgate-redriven"
"""Header of a record that was produced again: who, why, and which dead letter it was."""
_PLACE = re.compile(r"(?P<topic>[A-Za-z0-9._-]+)/(?P<partition>\d{1,9})/(?P<offset>\d{1,18})")

Origin = tuple[str, int, int]
"""Topic, partition and offset at which a record lay first."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter as it is listed.

    Attributes:
        place: `<topic>/<partition>/<offset>`: how commands name it.
        at: When it was written.
        origin: Where the record lay first; -1 where its headers give no number.
        came_from: The same as text, as the headers say it: a record, or a row of a source.
        key: Its key as text.
        stage: The stage or connector that could not use it.
        code: Stable code of the error.
        message: What was wrong.
        decided: `replay by <actor>: <reason>` and the like; empty while nobody decided.
        is_open: Whether its worker still counts it as open; None if that was not asked.
        waiting: Records that wait behind it; None if that was not asked.
    """

    place: str
    at: str
    origin: Origin
    came_from: str
    key: str
    stage: str
    code: str
    message: str
    decided: str
    is_open: bool | None = None
    waiting: int | None = None


def of_group(connection: KafkaConnection) -> dict[str, int]:
    """The dead-letter topics of a group's worker and connectors, with their partitions."""
    own = worker_topic(connection)
    return {
        name: partitions
        for name, partitions in sorted(topic_partitions(connection).items())
        if name == own or name.startswith(f"{own}-")
    }


def worker_topic(connection: KafkaConnection) -> str:
    """Full name of the worker's dead-letter topic."""
    return prefixed(connection.prefix, dead_letters(connection.group))


def listed(
    connection: KafkaConnection, since_ms: int | None, limit: int, *, waiting: bool = False
) -> list[DeadLetter]:
    """List the newest dead letters of a group, oldest first.

    Args:
        connection: Where the broker is, and the group.
        since_ms: Only those written since, in milliseconds since 1970.
        limit: How many at most.
        waiting: Also read the changelogs, for whether each is open and what waits behind it.
    """
    found = [
        record
        for topic, partitions in of_group(connection).items()
        for partition in range(partitions)
        for record in read_partition(connection, topic, partition)
        if record is not None and record.timestamp_ms >= (since_ms or 0)
    ]
    found.sort(key=lambda record: (record.timestamp_ms, record.topic, record.offset))
    decided = decisions(connection)
    letters = [_listed(record, decided) for record in found[-limit:]]
    if not waiting:
        return letters
    ledgers = Ledgers(connection)
    pairs = zip(letters, found[-limit:], strict=True)
    return [
        # Nothing waits behind a timer.
        letter if is_timer(record) else _standing(letter, ledgers.of(record))
        for letter, record in pairs
    ]


def _standing(letter: DeadLetter, found: Standing | None) -> DeadLetter:
    return replace(
        letter, is_open=found is not None, waiting=found.waiting if found is not None else 0
    )


def _listed(record: Record, decided: Mapping[Origin, str]) -> DeadLetter:
    origin = origin_of(record)
    return DeadLetter(
        place=f"{record.topic}/{record.partition}/{record.offset}",
        at=instant_text(datetime.fromtimestamp(max(record.timestamp_ms, 0) / 1000, UTC)),
        origin=origin,
        came_from=came_from(record),
        key=text(record.key or b""),
        stage=told(record, "stage"),
        code=told(record, "code"),
        message=told(record, "message"),
        decided=decided.get(_subject(*origin, told(record, "timer-id")), ""),
    )


def told(record: Record, name: str) -> str:
    """What a dead letter's headers say, cut to a bound; empty if they do not say it."""
    return text(record.header(DEAD_LETTER_HEADERS + name) or b"")


def origin_of(record: Record) -> Origin:
    """Where a dead letter lay first. Headers come from others: what is no number is -1."""
    return (
        told(record, "topic"),
        number(told(record, "partition"), 2**31 - 1),
        number(told(record, "offset"), LARGEST),
    )


def came_from(record: Record) -> str:
    """Where a dead letter came from, as its headers say it."""
    if is_row(record):
        return f"{told(record, 'topic')} at {told(record, 'offset')}"
    topic, partition, offset = origin_of(record)
    if is_timer(record):
        return f"timer {told(record, 'timer')} of {topic}[{partition}], before {offset}"
    return f"{topic}[{partition}]@{offset}"


def is_timer(record: Record) -> bool:
    """Whether it is no record that failed but the firing of a timer."""
    return told(record, "scope") == "timer"


def is_row(record: Record) -> bool:
    """Whether it is a row that a source could not publish: `<source>:<table>`, never a topic."""
    return ":" in told(record, "topic")


def decisions(connection: KafkaConnection) -> dict[Origin, str]:
    """The last decision on each record or timer, as text."""
    topic = control.control_topic(connection)
    if topic not in topic_partitions(connection):
        return {}
    last: dict[Origin, str] = {}
    for made in _decisions(connection, topic):
        subject = _subject(made.topic, made.partition, made.offset, made.timer)
        last[subject] = f"{made.kind} by {made.actor}: {made.reason}"
    return last


def _subject(topic: str, partition: int, offset: int, timer: str) -> Origin:
    """What a decision is about: a timer's offset is only where the partition stood."""
    return (timer, partition, -1) if timer else (topic, partition, offset)


def _decisions(connection: KafkaConnection, topic: str) -> Iterator[control.Decision]:
    for record in read_partition(connection, topic, 0):
        if record is None or record.value is None:
            continue
        try:
            yield control.decode(record.value, record.offset)
        except Poison:
            # The worker reports it; a list goes on.
            continue


def found(connection: KafkaConnection, place: str) -> Record:
    """Read the dead letter at a place.

    Args:
        connection: Where the broker is, and the group.
        place: `<topic>/<partition>/<offset>` as `lotgate dlq list` prints it.

    Raises:
        Misconfigured: The text is no place, or names no dead-letter topic of this group.
        NotFound: There is no record.
    """
    parts = _PLACE.fullmatch(place)
    if parts is None:
        raise Misconfigured(
            f"{place!r} names no dead letter",
            code="bad_place",
            advice="write <topic>/<partition>/<offset> as `lotgate dlq list` prints it",
        )
    topic, partition, offset = parts["topic"], int(parts["partition"]), int(parts["offset"])
    known = of_group(connection)
    if topic not in known or partition >= known[topic]:
        raise NotFound(
            f"{topic}[{partition}] is no dead-letter partition of group {connection.group}",
            code="dead_letter_not_found",
            advice=f"known are: {', '.join(known) or 'none yet'}",
        )
    try:
        read = read_partition(connection, topic, partition, offset=offset)
        first = next((record for record in read if record is not None), None)
    except StartPosition:
        # Before the oldest record that is retained, or behind the newest.
        first = None
    if first is not None and first.offset == offset:
        return first
    raise NotFound(
        f"there is no dead letter at {place}",
        code="dead_letter_not_found",
        advice="list them with `lotgate dlq list`",
    )


def replay(
    connection: KafkaConnection, letter: Record, *, actor: str, reason: str, value: bytes | None
) -> str:
    """Try a dead letter again.

    One of a worker's stage goes through the control topic: the stage's owner takes it up in the
    order of its key, once. One of a sink is produced again to the partition it came from, marked;
    its command carries its own id and hold version, so the target does it once, and ignores it if
    something newer was done since.

    Args:
        connection: Where the broker is, and the group.
        letter: The dead letter.
        actor: Who decides.
        reason: Why.
        value: Corrected bytes; None for the original ones.

    Returns:
        What was done, one sentence.

    Raises:
        Misconfigured: It cannot be replayed, or actor or reason is empty.
    """
    topic, partition, offset = certain_origin(letter)
    if is_timer(letter):
        if value is not None:
            refuse_correction(letter)
        control.replay(connection, letter, actor=actor, reason=reason)
        return f"the owner of {topic}[{partition}] fires timer {told(letter, 'timer')} again"
    if letter.topic == worker_topic(connection):
        control.replay(connection, letter, actor=actor, reason=reason, value=value)
        return f"the owner of {topic}[{partition}] takes up offset {offset} again"
    if partition >= topic_partitions(connection).get(topic, 0):
        raise NotFound(
            f"{topic}[{partition}] does not exist any more",
            code="topic_not_found",
            advice="nothing was changed; look at the dead letter with `lotgate dlq show`",
        )
    control.refuse_unreasoned(actor, reason)
    _produce_again(connection, letter, actor=actor, reason=reason, value=value)
    return f"produced again to {topic}[{partition}]"


def drop(connection: KafkaConnection, letter: Record, *, actor: str, reason: str) -> str:
    """Give a dead letter up; what waits behind it in a worker's stage goes on.

    Returns:
        What was done, one sentence.
    """
    topic, partition, offset = certain_origin(letter)
    control.drop(connection, letter, actor=actor, reason=reason)
    what = came_from(letter) if is_timer(letter) else f"{topic}[{partition}]@{offset}"
    return f"{what} is given up; its bytes stay in {letter.topic}"


def certain_origin(letter: Record) -> Origin:
    """Where a record lay that can be decided on.

    Raises:
        Misconfigured: It is a row of a source, or a part of a record, for which nobody waits; or
            no dead letter.
    """
    if told(letter, "scope") == "part":
        raise Misconfigured(
            f"only a part of {came_from(letter)} could not be used; the rest of it was, and nothing"
            " waits behind it",
            code="not_replayable",
            kept="the dead letter, with the record's bytes",
            advice="correct the row in its system and save it: the change is handled as any other",
        )
    if is_row(letter):
        raise Misconfigured(
            f"{came_from(letter)} is a row that its source could not publish: it lies in no topic,"
            " and nothing waits behind it",
            code="not_replayable",
            kept="the dead letter, with its bytes",
            advice="correct the row in its system: its next change is published as any other",
        )
    return control.origin_of(letter)


def refuse_correction(letter: Record) -> None:
    """Refuse other bytes for what has none.

    Raises:
        Misconfigured: It is a timer.
    """
    if is_timer(letter):
        raise Misconfigured(
            f"{came_from(letter)} has no bytes that could be corrected",
            code="not_replayable",
            kept="the dead letter; nothing was decided",
            advice="replay it as it is, with a build that can fire it, or drop it",
        )


def _produce_again(
    connection: KafkaConnection, letter: Record, *, actor: str, reason: str, value: bytes | None
) -> None:
    topic, partition, _ = origin_of(letter)
    kept = [pair for pair in letter.headers if not pair[0].startswith(DEAD_LETTER_HEADERS)]
    story: dict[str, Any] = {
        "from": f"{letter.topic}/{letter.partition}/{letter.offset}",
        "actor": actor,
        "reason": reason,
        "corrected": value is not None,
    }
    headers = [*kept, (REDRIVEN, orjson.dumps(story))]
    again = letter.value if value is None else value
    with Transaction(connection, f"{connection.group}-redrive-{actor}") as transaction:
        transaction.begin()
        transaction.produce(topic, letter.key, again, headers, partition=partition)
        transaction.commit()
