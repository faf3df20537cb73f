"""Whether every consumed partition moves while there is something to read. Pure.

An end offset beyond the position proves nothing by itself: transactions leave markers at the end
of a partition that nobody reads. So a partition that stands still before its end is a suspect, and
a reading of its own tells whether there is a record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.engine.kafka.records import TopicPartitionKey


@dataclass(slots=True)
class Place:
    """How far a partition is.

    Attributes:
        position: The next offset that the cycle takes.
        end: The end of the partition as the last fetch told it; -1 if none did.
        since: When it last moved, or had nothing to read.
        empty_to: Nothing can be read before this offset: a reading found it out.
        is_stuck: A reading found a record that the cycle did not get.
    """

    position: int
    end: int
    since: float
    empty_to: int = -1
    is_stuck: bool = False

    @property
    def lag(self) -> int:
        """Offsets before the end, markers of transactions included."""
        return max(0, self.end - max(self.position, self.empty_to))


@dataclass(slots=True)
class Lags:
    """All consumed partitions.

    Attributes:
        places: By topic and partition.
    """

    places: dict[TopicPartitionKey, Place] = field(default_factory=dict)

    def observe(self, seen: Mapping[TopicPartitionKey, tuple[int, int]], now: float) -> None:
        """Take the positions and ends of the partitions that are consumed now.

        Args:
            seen: Position and end by partition; what is missing is forgotten.
            now: Monotonic seconds.
        """
        kept: dict[TopicPartitionKey, Place] = {}
        for key, (position, end) in seen.items():
            place = self.places.get(key)
            if place is None or place.position != position:
                place = Place(position, end, now, place.empty_to if place else -1)
            place.end = end
            if not place.lag:
                place.since, place.is_stuck = now, False
            kept[key] = place
        self.places = kept

    def suspects(self, now: float, patience_s: float) -> list[tuple[TopicPartitionKey, Place]]:
        """Partitions that stand still before their end, of which nobody knows yet why."""
        return [
            (key, place)
            for key, place in self.places.items()
            if place.lag and not place.is_stuck and now - place.since > patience_s
        ]

    def proved(
        self, key: TopicPartitionKey, suspect: Place, now: float, *, is_readable: bool | None
    ) -> None:
        """Take what a reading of a suspect found.

        Args:
            key: The partition.
            suspect: As it was when the reading began; another by now means that it moved.
            now: Monotonic seconds.
            is_readable: Whether there is a record; None if the broker did not say.
        """
        if self.places.get(key) is not suspect:
            return
        if is_readable:
            suspect.is_stuck = True
            return
        suspect.since = now
        if is_readable is False:
            suspect.empty_to = suspect.end

    def stuck(self, now: float, patience_s: float = 0.0) -> list[str]:
        """Sentences about the partitions that do not move although there is something to read."""
        return [
            f"{topic}[{number}] stands at {place.position} for {now - place.since:.0f} s, its end"
            f" is {place.end}"
            for (topic, number), place in list(self.places.items())
            if place.is_stuck and now - place.since > patience_s
        ]
