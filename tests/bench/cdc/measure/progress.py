"""How much of a topic is visible: its last stable offset, asked again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not declared as exported
    AdminClient,
    OffsetSpec,
)

if TYPE_CHECKING:
    from tests.bench.ground import Ground


class Visible:
    """Looks at the one partition of a topic.

    Args:
        ground: Where it is.
        topic: The topic; it need not exist yet.
    """

    def __init__(self, ground: Ground, topic: str) -> None:
        self._ground, self._topic = ground, topic
        self._admin: AdminClient | None = None

    def committed(self) -> int:
        """Offsets up to which a read_committed reader gets; markers count, 0 without a topic."""
        return self._end(IsolationLevel.READ_COMMITTED)

    def written(self) -> int:
        """Offsets that the broker has, open transactions included."""
        return self._end(IsolationLevel.READ_UNCOMMITTED)

    def _end(self, level: IsolationLevel) -> int:
        admin = self._admin or AdminClient(
            {"bootstrap.servers": self._ground.bootstrap, "log_level": 0}
        )
        latest: Any = OffsetSpec
        place = TopicPartition(self._topic, 0)
        asked = admin.list_offsets({place: latest.latest()}, isolation_level=level)
        try:
            found: int = asked[place].result(30).offset
        except KafkaException:
            # A client that knows the topic as missing stays with that: the next look has a new one.
            return 0
        self._admin = admin
        return found
