"""Which dead letters are open, as the workers' changelogs say it; read once per partition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.contracts.topics import changelog, prefixed
from streams.engine import control
from streams.engine.kafka.topics import topic_partitions
from streams.engine.poison.standing import Standing, standing
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from streams.engine.kafka.records import Record
    from streams.runtime.connection import KafkaConnection


class Ledgers:
    """The open dead letters of a group's stages."""

    def __init__(self, connection: KafkaConnection) -> None:
        """Ask which changelogs exist.

        Args:
            connection: Where the broker is, and the group.
        """
        self._connection = connection
        self._topics = topic_partitions(connection)
        self._read: dict[tuple[str, int], dict[int, Standing]] = {}

    def of(self, letter: Record) -> Standing | None:
        """How a dead letter stands.

        Args:
            letter: The record of the dead-letter topic; nothing in its headers is trusted.

        Returns:
            None if it is not open: decided, tried again since, or none of a worker's stage.
        """
        try:
            _, partition, offset = control.origin_of(letter)
        except Misconfigured:
            return None
        store = (letter.header("lotgate-dlq-store") or b"").decode("utf-8", "replace")
        connection = self._connection
        name = prefixed(connection.prefix, changelog(connection.group, store))
        if not store or partition >= self._topics.get(name, 0):
            return None
        if (name, partition) not in self._read:
            self._read[name, partition] = standing(connection, name, partition)
        found = self._read[name, partition].get(offset)
        attempts = letter.header("lotgate-dlq-attempts") or b""
        return found if found is not None and attempts == str(found.attempts).encode() else None
