"""Bring one disk up to its changelog, with what a feed reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.engine.faults import reach
from streams.engine.kafka.reading import EOF
from streams.engine.state.disk import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka import Message

    from streams.engine.kafka.admin import TopicFacts
    from streams.engine.state.disk import Disk

DELETE_RETENTION_MS: Final = 24 * 60 * 60 * 1000
"""The broker's default time for which deletions stay readable."""


class Restore:
    """One disk's way along its changelog.

    It takes committed records only. A take-over ends at the high watermark taken after the
    assignment: while a former owner's transaction is open it waits for its end. A standby's never
    ends.

    Attributes:
        begin: Offset to read from; None for the oldest record.
        position: Next offset to apply.
        records: Records applied so far.
    """

    def __init__(self, disk: Disk, facts: TopicFacts, now_ms: Callable[[], int]) -> None:
        """Begin at the disk's checkpoint, or anew when the disk cannot be trusted.

        Args:
            disk: What is restored.
            facts: The changelog as the broker has it.
            now_ms: The clock, milliseconds since 1970.

        Raises:
            Transient: The disk failed.
        """
        self._disk = disk
        self._facts = facts
        self._now_ms = now_ms
        self.records = 0
        if not self._is_trusted(disk.checkpoint):
            disk.wipe()
        checkpoint = disk.checkpoint
        self.begin: int | None = checkpoint.position if checkpoint is not None else None
        self.position = self.begin or 0
        self._first: int | None = self.begin

    def again(self) -> None:
        """Forget the disk: it tells another history than the changelog."""
        self._disk.wipe()
        self.begin = self._first = None
        self.position = 0

    def take(self, messages: Sequence[Message]) -> bool:
        """Apply what a feed read of this changelog, with the checkpoint, in one batch.

        Returns:
            False when the changelog no longer has what comes next: call `again`.

        Raises:
            Transient: The disk failed; nothing or all of it is applied.
        """
        changes: dict[bytes, bytes | None] = {}
        position, count = self.position, 0
        for message in messages:
            error = message.error()
            offset = message.offset()
            if error is not None:
                if error.code() != EOF:
                    return False
                position = max(position, offset or 0)
                continue
            key = message.key()
            if key is not None and offset is not None:
                changes[key] = message.value()
                position = offset + 1
                count += 1
        if self._first is None and count:
            self._first = position - count
        if changes:
            self._disk.write(changes, self._checkpoint(position))
            reach("in_restore")
        self.position = position
        self.records += count
        return True

    def finish(self) -> None:
        """Note on disk how far it has come; markers at the end count, too."""
        checkpoint = self._disk.checkpoint
        if checkpoint is None or checkpoint.position != self.position:
            self._disk.write({}, self._checkpoint(self.position))

    def share(self, end: int) -> float:
        """How much of the way to an offset is done, 0 to 1."""
        first = self._first if self._first is not None else self.position
        return 1.0 if end <= first else min(1.0, (self.position - first) / (end - first))

    def _checkpoint(self, position: int) -> Checkpoint:
        return Checkpoint(position, self._facts.topic_id, self._now_ms())

    def _is_trusted(self, checkpoint: Checkpoint | None) -> bool:
        if checkpoint is None:
            return False
        retention = self._facts.number("delete.retention.ms", DELETE_RETENTION_MS)
        age = self._now_ms() - checkpoint.written_ms
        return checkpoint.topic_id == self._facts.topic_id and age < retention / 2
