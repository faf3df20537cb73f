"""A sign of life on a topic of its own, also while nothing changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.base import RawRecord
from connectors.sources.encoding import primitives as avro
from connectors.sources.postgres.beside.schemas import HEARTBEAT_KEY, HEARTBEAT_VALUE

if TYPE_CHECKING:
    from connectors.base import TableTopics
    from connectors.sources.postgres.settings import PostgresSettings


class Heartbeat:
    """Says when the next sign of life is due, and writes it.

    Args:
        settings: The source's settings.
        topics: Makes the topic ready.
    """

    def __init__(self, settings: PostgresSettings, topics: TableTopics) -> None:
        self._every_s = settings.form.heartbeat_s
        self._topic = f"__debezium-heartbeat.{settings.name}"
        self._name = avro.string(settings.name)
        self._next = 0.0
        if self._every_s:
            self._frames = topics.bind(self._topic, HEARTBEAT_KEY, HEARTBEAT_VALUE)

    def due(self, now_s: float, now_ms: int) -> list[RawRecord]:
        """The record, if it is time for one.

        Args:
            now_s: A clock that never goes back, in seconds.
            now_ms: Milliseconds since 1970.
        """
        if not self._every_s or now_s < self._next:
            return []
        self._next = now_s + self._every_s
        key, value = self._frames
        return [RawRecord(self._topic, key + self._name, value + avro.long(now_ms), [])]
