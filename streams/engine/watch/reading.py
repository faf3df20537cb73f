"""Asking the broker about partitions that stand still, apart from the cycle's own consumer."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not declared as exported
    AdminClient,
    OffsetSpec,
)

from streams.engine.kafka import clients
from streams.engine.kafka.reading import EOF, assigned
from streams.engine.watch.lag import judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.engine.kafka.records import TopicPartitionKey
    from streams.engine.watch.lag import Place
    from streams.runtime.connection import KafkaConnection

WAIT_S: Final = 10.0


class Inquiry:
    """Finds out why partitions stand still. It waits for the broker, so it has its own thread."""

    def __init__(self, connection: KafkaConnection) -> None:
        self._connection = connection
        self._admin: AdminClient | None = None

    def into(self, suspects: Mapping[TopicPartitionKey, Place]) -> None:
        """Find out about each suspect, and note it there.

        A broker that does not answer excuses all of them.
        """
        ends = self._ends(suspects)
        for key, place in suspects.items():
            end, position = ends.get(key), place.position
            if judge(place, end, monotonic()):
                found = self._is_readable(key, position)
                judge(place, end if found is not None else None, monotonic(), is_readable=found)

    def _ends(self, keys: Iterable[TopicPartitionKey]) -> dict[TopicPartitionKey, int]:
        """Last stable offsets: what lies behind an open transaction is nobody's to read."""
        if self._admin is None:
            self._admin = AdminClient(clients.base(self._connection))
        answers = self._admin.list_offsets(
            {TopicPartition(*key): OffsetSpec.latest() for key in keys},  # type: ignore[no-untyped-call]
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=WAIT_S,
        )
        found: dict[TopicPartitionKey, int] = {}
        for where, answer in answers.items():
            try:
                found[where.topic, where.partition] = int(answer.result().offset)
            except KafkaException:
                # A new client finds out anew who leads the partition.
                self._admin = None
        return found

    def _is_readable(self, key: TopicPartitionKey, position: int) -> bool | None:
        """Whether a record stands at or after a position.

        None if the broker did not say, or if the offset is out of its range, which is the cycle's
        own to find.
        """
        until = monotonic() + WAIT_S
        try:
            consumer = assigned(self._connection, *key, position)
        except KafkaException:
            return None
        try:
            while monotonic() < until:
                message = consumer.poll(0.2)
                if message is None:
                    continue
                error = message.error()
                if error is None:
                    return True
                return False if error.code() == EOF else None
            return None
        finally:
            consumer.close()
