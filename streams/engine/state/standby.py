"""Warm copies of the store partitions that other workers own."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final

from streams.engine.state.disk import Disk
from streams.engine.state.feed import Feed
from streams.engine.state.restore import Restore
from streams.errors import LotgateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from streams.engine.kafka.admin import TopicFacts
    from streams.engine.kafka.records import TopicPartitionKey
    from streams.runtime.connection import KafkaConnection

log = logging.getLogger(__name__)

CHUNK: Final = 2_000
"""Records of one step: it may delay a cycle by some ten milliseconds."""
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Copy:
    """One store partition.

    Attributes:
        folder: Where it is kept, whether as a copy or as the worker's own.
        facts: Its changelog as the broker has it.
    """

    folder: Path
    facts: TopicFacts


class Standbys:
    """Follows the changelog of every store partition that is not lent to its owner.

    A copy holds committed records only, up to its checkpoint, as any disk does: whoever borrows
    one restores it from there to the end. A disk is open in one place at a time: `lend` gives the
    open disk away, `take_back` takes it.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        copies: Mapping[TopicPartitionKey, Copy],
        now_ms: Callable[[], int],
    ) -> None:
        """Say what is followed; the first `step` opens it.

        Args:
            connection: Where the broker is.
            copies: Every store partition of the group, by changelog partition.
            now_ms: The clock, milliseconds since 1970.
        """
        self._copies = copies
        self._now_ms = now_ms
        self._feed = Feed(connection)
        self._lent: set[TopicPartitionKey] = set()
        self._disks: dict[TopicPartitionKey, Disk] = {}
        self._restores: dict[TopicPartitionKey, Restore] = {}
        self._next_try = 0.0
        self._pause_s = FIRST_PAUSE_S

    def lend(self, key: TopicPartitionKey) -> Disk | None:
        """Give a copy to the partition's owner; None if it is not open here."""
        self._lent.add(key)
        self._restores.pop(key, None)
        disk = self._disks.pop(key, None)
        try:
            self._feed.leave([key])
        except LotgateError as trouble:
            self._put_off(trouble)
        return disk

    def take_back(self, key: TopicPartitionKey, disk: Disk | None) -> bool:
        """Follow a partition that this worker no longer owns.

        Args:
            key: The changelog partition.
            disk: Its store, if it was open.

        Returns:
            False if it is not followed here; then the disk is the caller's to close.
        """
        self._lent.discard(key)
        if disk is None or disk.is_failed:
            return False
        self._disks[key] = disk
        return True

    def applied(self, key: TopicPartitionKey) -> int:
        """Records applied to a copy since it was opened; 0 if it is not followed."""
        restore = self._restores.get(key)
        return restore.records if restore is not None else 0

    def step(self) -> bool:
        """Apply what came, a bounded share of it.

        Returns:
            Whether there may be more at once.
        """
        if monotonic() < self._next_try:
            return False
        try:
            self._follow()
            found = self._feed.read(CHUNK, 0.0)
            for key, messages in found.items():
                restore = self._restores.get(key)
                if restore is not None and not restore.take(messages):
                    self._feed.leave([key])
                    restore.again()
                    del self._restores[key]
        except LotgateError as trouble:
            self._put_off(trouble)
            return False
        self._pause_s = FIRST_PAUSE_S
        return sum(map(len, found.values())) >= CHUNK

    def close(self) -> None:
        """Close the copies."""
        self._feed.close()
        self._restores.clear()
        for disk in self._disks.values():
            disk.close()
        self._disks.clear()

    def _follow(self) -> None:
        """Open and follow what is neither lent nor followed."""
        wanted: dict[TopicPartitionKey, int | None] = {}
        for key, copy in self._copies.items():
            if key in self._lent or key in self._restores:
                continue
            disk = self._disks.get(key) or Disk(copy.folder)
            self._disks[key] = disk
            restore = self._restores[key] = Restore(disk, copy.facts, self._now_ms)
            wanted[key] = restore.begin
        if wanted:
            self._feed.follow(wanted)

    def _put_off(self, trouble: LotgateError) -> None:
        """Copies are a convenience: whatever fails with them is tried later, and ends nothing."""
        log.warning("standbys, again in %.1f s: %s", self._pause_s, trouble)
        self.close()
        self._next_try = monotonic() + self._pause_s
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
