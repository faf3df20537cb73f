"""A dead letter: the record's bytes unchanged, and in its headers the whole story."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from streams.engine.kafka.records import headers_of
from streams.errors import LotgateError, Misconfigured
from streams.runtime.logging import Scrubber

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.engine.poison.stored import Raw

PREFIX: Final = "lotgate-dlq-"
STACK_LIMIT_BYTES: Final = 8 * 1024
TEXT_LIMIT: Final = 2_000
RECORD_OVERHEAD: Final = 128
STORY_BYTES: Final = 64 * 1024
"""What a dead letter may add to its record."""
FRAME_BYTES: Final = 5
"""Of a record written through a registry: a zero byte, then the writer's schema id."""
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
        rule: The rule that failed, `module:name`, with its version after `@` if it has one.
        store: Name of the stage's store: in its changelog stands what waits behind a dead letter.
        reader: Full name of the schema that the record was to be read as.
        scrubber: Takes secrets out of messages and stacks: an exception may quote a connection
            string.
    """

    dead_letters: str
    topic: str
    partition: int
    group: str
    stage: str
    build: str = ""
    rule: str = ""
    store: str = ""
    reader: str = ""
    scrubber: Scrubber = field(default=Scrubber(), repr=False, compare=False)


def dead_letter(  # noqa: PLR0913 - each says one thing about the failure
    origin: Origin,
    record: Raw,
    error: BaseException,
    *,
    attempts: int = 1,
    cause: str = "",
    part: bool = False,
    also: Mapping[str, str] | None = None,
) -> Output:
    """Make the dead letter of a record.

    Args:
        origin: Where it failed.
        record: The record.
        error: Why it failed.
        attempts: How often it was tried, this time included.
        cause: Position of what made it run: the record's own, or that of a decision to replay.
        part: Only a part of the record failed; the rest of it was used, so nobody waits for it.
        also: Further lines of the story, or others in the place of these.
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
        "message": origin.scrubber.clean(_message(error))[:TEXT_LIMIT],
        "stack": _stack(error, origin.scrubber),
        "build": origin.build,
        "rule": origin.rule,
        "store": origin.store,
        "schema": _schemas(record.value(), origin.reader),
        "attempts": str(attempts),
        "scope": "part" if part else "record",
        "cause": cause or f"{origin.topic}[{origin.partition}]@{offset}",
    }
    story.update(also or {})
    own = [(PREFIX + name, text.encode("utf-8", "replace")) for name, text in story.items()]
    original = [pair for pair in headers_of(record) if not pair[0].startswith(PREFIX)]
    return (origin.dead_letters, record.key(), record.value(), [*original, *own])


def fitting(letter: Output, limit: int) -> Output:
    """Give a dead letter back if its topic takes it.

    Args:
        letter: What `dead_letter` made.
        limit: Largest record of the dead-letter topic, in bytes.

    Raises:
        Misconfigured: `dead_letter_too_large`. The record cannot be set aside, so nothing may go
            on: the same would be refused again for ever.
    """
    topic, key, value, headers = letter
    told = dict(headers or ())
    size = len(key or b"") + len(value or b"") + RECORD_OVERHEAD
    size += sum(len(name) + len(text) + 8 for name, text in headers or ())
    if size <= limit:
        return letter
    where = "/".join(told[PREFIX + part].decode() for part in ("topic", "partition", "offset"))
    raise Misconfigured(
        f"the dead letter of {where} takes {size} bytes, {topic} takes {limit}",
        code="dead_letter_too_large",
        kept="the record, which was not consumed",
        advice=f"let the input take records of at most {limit - STORY_BYTES} bytes, as Lotgate's"
        " own topics do",
    )


def _message(error: BaseException) -> str:
    return str(error) or type(error).__qualname__


def _stack(error: BaseException, scrubber: Scrubber) -> str:
    """The end of the stack: the innermost frames tell most."""
    whole = scrubber.clean("".join(traceback.format_exception(error)))
    return whole.encode("utf-8", "replace")[-STACK_LIMIT_BYTES:].decode("utf-8", "ignore")


def _schemas(value: bytes | None, reader: str) -> str:
    """`writer=<id> reader=<name>`, as far as they are known."""
    framed = value is not None and len(value) >= FRAME_BYTES and value[0] == 0
    writer = f"writer={int.from_bytes(value[1:FRAME_BYTES])}" if framed and value else ""
    return " ".join(part for part in (writer, f"reader={reader}" if reader else "") if part)
