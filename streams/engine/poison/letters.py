"""A dead letter: the record's bytes unchanged, and in its headers the whole story."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from streams.engine.kafka.records import headers_of
from streams.errors import LotgateError

if TYPE_CHECKING:
    from streams.engine.poison.stored import Raw

PREFIX: Final = "lotgate-dlq-"
STACK_LIMIT_BYTES: Final = 8 * 1024
TEXT_LIMIT: Final = 2_000
Output = tuple[str, bytes | None, bytes | None, list[tuple[str, bytes]] | None]
"""A record to be produced: topic, key, value, headers."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record failed.

    Attributes:
        dead_letters: Full name of the dead-letter topic.
        topic: Full name of the input topic.
        partition: Input partition.
        group: The group, without prefix.
        stage: Name of the stage or connector.
        build: Version of the running code.
    """

    dead_letters: str
    topic: str
    partition: int
    group: str
    stage: str
    build: str = ""


def dead_letter(
    origin: Origin,
    record: Raw,
    error: BaseException,
    *,
    attempts: int = 1,
    cause: str = "",
    part: bool = False,
) -> Output:
    """Make the dead letter of a record.

    Args:
        origin: Where it failed.
        record: The record.
        error: Why it failed.
        attempts: How often it was tried, this time included.
        cause: Position of what made it run: the record's own, or that of a decision to replay.
        part: Only a part of the record failed; the rest of it was used, so nobody waits for it.
    """
    offset = record.offset()
    _, timestamp = record.timestamp()
    story = {
        "topic": origin.topic,
        "partition": str(origin.partition),
        "offset": str(offset),
        "timestamp": str(timestamp),
        "group": origin.group,
        "stage": origin.stage,
        "error": type(error).__qualname__,
        "code": error.code if isinstance(error, LotgateError) else "rule_failed",
        "message": _message(error)[:TEXT_LIMIT],
        "stack": _stack(error),
        "build": origin.build,
        "attempts": str(attempts),
        "scope": "part" if part else "record",
        "cause": cause or f"{origin.topic}[{origin.partition}]@{offset}",
    }
    own = [(PREFIX + name, text.encode("utf-8", "replace")) for name, text in story.items()]
    original = [pair for pair in headers_of(record) if not pair[0].startswith(PREFIX)]
    return (origin.dead_letters, record.key(), record.value(), [*original, *own])


def _message(error: BaseException) -> str:
    return str(error) or type(error).__qualname__


def _stack(error: BaseException) -> str:
    """The end of the stack: the innermost frames tell most."""
    text = "".join(traceback.format_exception(error)).encode("utf-8", "replace")
    return text[-STACK_LIMIT_BYTES:].decode("utf-8", "ignore")
