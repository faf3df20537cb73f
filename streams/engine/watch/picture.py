"""What the cycle's thread sees of its partitions; others only read what it saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.engine.cycle.engine import Engine
    from streams.engine.kafka.records import TopicPartitionKey
    from streams.engine.takeover.tally import Progress


@dataclass(frozen=True, slots=True)
class Picture:
    """The partitions at one moment.

    Attributes:
        places: Position and end of each consumed partition; an unknown end is -1.
        parked: Keys that wait behind a dead letter, by partition; only where there are some.
        fuses: Tripped fuses with their reasons.
        restore: How far the restores are; None when none is under way.
        waiting: What an assigned partition waits for, in words; empty for nothing.
    """

    places: Mapping[TopicPartitionKey, tuple[int, int]] = field(default_factory=dict)
    parked: Mapping[TopicPartitionKey, int] = field(default_factory=dict)
    fuses: Mapping[TopicPartitionKey, str] = field(default_factory=dict)
    restore: Progress | None = None
    waiting: str = ""


def taken(engine: Engine) -> Picture:
    """Look at an engine. Only in the thread of its cycle."""
    membership = engine.membership
    active = membership.active
    return Picture(
        {key: (each.position, membership.end_of(key)) for key, each in active.items()},
        {key: len(each.ledger.blocked) for key, each in active.items() if each.ledger.blocked},
        {key: str(each.fuse.tripped) for key, each in active.items() if each.fuse.tripped},
        membership.progress,
        membership.waiting,
    )
