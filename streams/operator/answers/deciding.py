"""What a person decides on a dead letter: try it again, or give it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from streams.engine import control
from streams.engine.kafka.topics import topic_partitions
from streams.engine.kafka.transaction import Transaction
from streams.errors import Misconfigured
from streams.evidence.records import DEAD_LETTER_HEADERS
from streams.operator.answers.dead_letters import worker_topic
from streams.operator.answers.origins import came_from, is_row, is_timer, origin_of, told
from streams.operator.answers.tooling import NotFound

if TYPE_CHECKING:
    from streams.engine.kafka.records import Record
    from streams.operator.answers.origins import Origin
    from streams.runtime.connection import KafkaConnection

REDRIVEN = "lotgate-redriven"
"""Header of a record that was produced again: who, why, and which dead letter it was."""


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
