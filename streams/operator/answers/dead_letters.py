"""Dead letters as a person looks at them: listed, and found by their place."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from streams.contracts.topics import dead_letters, prefixed
from streams.engine import StartPosition, control
from streams.engine.kafka.reading import read_partition
from streams.engine.kafka.topics import topic_partitions
from streams.errors import Misconfigured, Poison
from streams.evidence.records import text
from streams.operator.answers.ledgers import Ledgers
from streams.operator.answers.origins import came_from, is_timer, origin_of, told
from streams.operator.answers.tooling import NotFound, instant_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.engine.kafka.records import Record
    from streams.engine.poison.standing import Standing
    from streams.operator.answers.origins import Origin
    from streams.runtime.connection import KafkaConnection

_PLACE = re.compile(r"(?P<topic>[A-Za-z0-9._-]+)/(?P<partition>\d{1,9})/(?P<offset>\d{1,18})")


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
