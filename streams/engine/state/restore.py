"""Bring a disk up to its changelog, in small steps between cycles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.engine.faults import reach
from streams.engine.kafka.positions import OUT_OF_RANGE, raise_for
from streams.engine.kafka.reading import EOF, assigned, high_watermark
from streams.engine.state.disk import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Consumer, KafkaError, Message

    from streams.engine.kafka.admin import TopicFacts
    from streams.engine.state.disk import Disk
    from streams.runtime.connection import KafkaConnection

CHUNK: Final = 10_000
DELETE_RETENTION_MS: Final = 24 * 60 * 60 * 1000
"""The broker's default time for which deletions stay readable."""


class Restore:
    """One disk's way to the end of its changelog.

    It reads committed records only, and ends at the high watermark taken after the assignment:
    while a former owner's transaction is open it waits for its end.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        changelog: str,
        partition: int,
        disk: Disk,
        facts: TopicFacts,
        now_ms: Callable[[], int],
    ) -> None:
        """Begin at the disk's checkpoint, or anew when the disk cannot be trusted.

        Args:
            connection: Where the broker is.
            changelog: Full name of the changelog.
            partition: Partition number.
            disk: What is restored.
            facts: The changelog as the broker has it.
            now_ms: The clock, milliseconds since 1970.
        """
        self._disk = disk
        self._facts = facts
        self._now_ms = now_ms
        self._where = (connection, changelog, partition)
        self.records = 0
        if not self._trusted(disk.checkpoint):
            disk.wipe()
        self._consumer: Consumer | None = None
        self._end = 0
        self._position = 0
        self._open()

    def step(self, wait_s: float) -> bool:
        """Take one step.

        Args:
            wait_s: Longest wait for a record.

        Returns:
            Whether the disk is at its changelog's end.

        Raises:
            Transient: The broker does not answer; `close` and begin anew.
        """
        if self._position >= self._end:
            self._finish()
            return True
        consumer = self._live
        first = consumer.poll(wait_s)
        if first is None:
            return False
        changes: dict[bytes, bytes | None] = {}
        for message in [first, *consumer.consume(CHUNK, 0)]:
            error = message.error()
            if error is None:
                self._take(message, changes)
            elif not self._passed(error, message):
                return False
        self._write(changes)
        if self._position >= self._end:
            self._finish()
            return True
        return False

    def close(self) -> None:
        """Let the consumer go."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    @property
    def _live(self) -> Consumer:
        if self._consumer is None:
            self._open()
        consumer = self._consumer
        if consumer is None:
            raise AssertionError("a restore without a consumer")
        return consumer

    def _open(self) -> None:
        connection, changelog, partition = self._where
        known = self._disk.checkpoint
        begin = known.position if known is not None else None
        self._consumer = assigned(connection, changelog, partition, begin)
        self._end = high_watermark(connection, changelog, partition)
        if begin is not None and begin > self._end:
            # The changelog was truncated or made anew: this disk tells another history.
            self._again()
            return
        self._position = begin or 0

    def _again(self) -> None:
        self.close()
        self._disk.wipe()
        self._open()

    def _take(self, message: Message, changes: dict[bytes, bytes | None]) -> None:
        key, offset = message.key(), message.offset()
        if isinstance(key, bytes) and offset is not None:
            changes[key] = message.value()
            self._position = offset + 1
            self.records += 1

    def _passed(self, error: KafkaError, message: Message) -> bool:
        """Handle what came in the place of a record; False when the restore begins anew."""
        if error.code() == EOF:
            offset = message.offset()
            if offset is not None:
                self._position = max(self._position, offset)
            if self._position < self._end:
                reach("restore_waits_for_txn")
            return True
        if error.code() in OUT_OF_RANGE:
            self._again()
            return False
        raise_for(error, message)
        return True

    def _write(self, changes: dict[bytes, bytes | None]) -> None:
        if not changes:
            return
        self._disk.write(changes, self._checkpoint())
        reach("in_restore")

    def _finish(self) -> None:
        self.close()
        if self.records:
            reach("restored")
        if self._disk.checkpoint is None or self._disk.checkpoint.position != self._position:
            self._disk.write({}, self._checkpoint())

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(self._position, self._facts.topic_id, self._now_ms())

    def _trusted(self, checkpoint: Checkpoint | None) -> bool:
        if checkpoint is None:
            return False
        retention = self._facts.number("delete.retention.ms", DELETE_RETENTION_MS)
        age = self._now_ms() - checkpoint.written_ms
        return checkpoint.topic_id == self._facts.topic_id and age < retention / 2
