"""Where a source's position is kept: one compacted partition of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from connectors.base import Position
from streams.engine import Transaction, read_compacted
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from connectors.runner.source_config import SourceConfig
    from connectors.runner.source_topics import SourceTopics
    from streams.runtime.connection import KafkaConnection


def transactional_id(connection: KafkaConnection, source: str) -> str:
    """The name under which a source writes; whoever opens it next fences the one before."""
    return f"{connection.group}-{source}-source"


def stored_position(
    connection: KafkaConnection, topics: SourceTopics, config: SourceConfig
) -> Position | None:
    """Read the source's position, past any transaction that a former process left open.

    Raises:
        Misconfigured: The stored record is not ours.
        Transient: The broker does not answer.
    """
    found = read_compacted(connection, topics.offsets, config.partition)
    value = found.get(config.source.encode())
    others = [key.decode(errors="replace") for key in found if key != config.source.encode()]
    if others:
        raise Misconfigured(
            f"Partition {config.partition} of {topics.offsets} holds the position of source "
            f"{others[0]}; source {config.source} may not share it",
            code="source_partition",
            kept="nothing was read",
            advice="give every source a partition of its own",
        )
    return None if value is None else Position(json.loads(value))


def forget_position(
    connection: KafkaConnection, topics: SourceTopics, config: SourceConfig
) -> Position | None:
    """Delete a source's position, so that its next start takes a new snapshot.

    A process of this source that still runs is fenced. The slot is left alone.

    Returns:
        The position that was forgotten, None if there was none.

    Raises:
        Misconfigured: The partition belongs to another source.
        Transient: The broker does not answer; nothing was forgotten.
    """
    return replace_position(connection, topics, config, None)


def replace_position(
    connection: KafkaConnection,
    topics: SourceTopics,
    config: SourceConfig,
    position: Position | None,
) -> Position | None:
    """Put another position in the place of the stored one.

    A process of this source that still runs is fenced. The slot is left alone.

    Args:
        connection: Where the broker is.
        topics: The source's topics.
        config: The source.
        position: Where the next start goes on; None to forget.

    Returns:
        The position that was replaced, None if there was none.

    Raises:
        Misconfigured: The partition belongs to another source.
        Transient: The broker does not answer; nothing was replaced.
    """
    name = transactional_id(connection, config.source)
    text = None if position is None else json.dumps(dict(position.fields), sort_keys=True).encode()
    with Transaction(connection, name) as transaction:
        found = stored_position(connection, topics, config)
        transaction.begin()
        transaction.produce(
            topics.offsets, config.source.encode(), text, partition=config.partition
        )
        transaction.commit()
    return found
