"""What a person's decision does in the partition that it names."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from streams.engine.faults import RELEASE_POINT, reach
from streams.engine.poison.fuse import FUSE_KEY

if TYPE_CHECKING:
    from streams.engine.cycle.partition import Partition
    from streams.engine.poison.decision import Decision

log = logging.getLogger(__name__)

CONTROL_KEY: Final = b"\0\1control"


class Settling:
    """Applies decisions in order, each once: its offset is part of what is staged.

    Attributes:
        released: Which records ran in consequence of the last decision, in order.
    """

    def __init__(self, partition: Partition) -> None:
        """Say where.

        Args:
            partition: Whose dead letters.
        """
        self._partition = partition
        self._at = -1
        self.released: list[int] = []
        self._scanned = 0

    def reset(self) -> None:
        """Take up how far decisions are applied."""
        stored = self._partition.disk.get(CONTROL_KEY)
        self._at = int(stored) if stored is not None else -1
        self._scanned = 0

    def concerning(self, known: list[Decision]) -> list[Decision]:
        """The decisions about this partition that are not yet applied.

        Args:
            known: All decisions of the group, in order; later ones are appended to the same list.
        """
        key, at = self._partition.key, self._at
        found = [
            each
            for each in known[self._scanned :]
            if each.at > at and (each.topic, each.partition) == key
        ]
        if not found:
            self._scanned = len(known)
        return found

    def decide(self, decision: Decision) -> None:
        """Apply a decision."""
        partition = self._partition
        self._at = decision.at
        self.released = []
        partition.changes[CONTROL_KEY] = str(decision.at).encode()
        if decision.kind == "fuse_reset":
            partition.fuse.reset()
            partition.changes[FUSE_KEY] = partition.fuse.dump()
        elif decision.timer:
            partition.firing.decide(decision)
        else:
            self._settle(decision)

    def _settle(self, decision: Decision) -> None:
        partition = self._partition
        attempts = partition.ledger.attempts(decision.offset)
        if attempts is None:
            log.warning(
                "decision %d: no open dead letter at %s[%d]@%d",
                decision.at, *partition.key, decision.offset,
            )  # fmt: skip
            return
        if decision.kind == "replay" and not self._replayed(decision, attempts):
            return
        key = partition.ledger.close(decision.offset, partition.changes)
        if key is not None:
            self._release(key)

    def _replayed(self, decision: Decision, attempts: int) -> bool:
        record, partition = decision.record, self._partition
        if record is None or not partition.ledger.blocks(decision.offset, record.key()):
            log.warning(
                "decision %d: its record is not the one at %s[%d]@%d",
                decision.at, *partition.key, decision.offset,
            )  # fmt: skip
            return False
        failure = partition.attempt(record)
        if failure is not None:
            cause = f"control@{decision.at}"
            partition.staged.bury(record, failure, attempts=attempts + 1, cause=cause)
            return False
        self.released.append(record.offset())
        return True

    def _release(self, key: bytes) -> None:
        """Run what waits behind a resolved head, in order, until one fails or none is left."""
        partition = self._partition
        while (record := partition.ledger.next_waiting(key, partition.changes)) is not None:
            reach(RELEASE_POINT)
            failure = partition.attempt(record)
            if failure is not None:
                partition.staged.bury(record, failure, attempts=1)
                return
            self.released.append(record.offset())
        partition.pending.free(key)
