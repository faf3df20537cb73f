"""Where a dead letter came from, as its headers say it. Others wrote them: nothing is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.evidence.records import DEAD_LETTER_HEADERS, LARGEST, number, text

if TYPE_CHECKING:
    from streams.engine.kafka.records import Record

Origin = tuple[str, int, int]
"""Topic, partition and offset at which a record lay first."""


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
