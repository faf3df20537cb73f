"""Whether every consumed partition moves while there is something to read. Pure.

The consumer's own idea of a partition's end is as old as its last fetch, and a fetcher that stopped
fetches nothing; so of a partition that stands still the broker is asked. An end beyond the position
proves nothing either: transactions leave markers there that nobody reads. Only a reading of its own
tells whether there is a record.
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
        end: The end of the partition as far as it is known; -1 if it is not.
        since: When it last moved, or was found to have nothing to read.
        empty_to: Nothing can be read before this offset: a reading found it out.
        is_stuck: A reading found a record that the cycle did not get.
        found: When that reading found it. A limit counts from here: what came before may have
            been the broker's, whose answer a suspicion waits for.
    """

    position: int
    end: int
    since: float
    empty_to: int = -1
    is_stuck: bool = False
    found: float = 0.0

    @property
    def lag(self) -> int:
        """Offsets before the end, markers of transactions included unless found out."""
        return max(0, self.end - max(self.position, self.empty_to))

    def excuse(self, now: float) -> None:
        """Count anew."""
        self.since, self.is_stuck = now, False


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
            place.end = max(place.end, end)
            kept[key] = place
        self.places = kept

    def excuse(self, now: float) -> None:
        """Count anew for all: the worker waits for somebody else, or was stopped itself."""
        for place in list(self.places.values()):
            place.excuse(now)

    def suspects(self, now: float, patience_s: float) -> dict[TopicPartitionKey, Place]:
        """Partitions that stand still, of which nobody knows yet why."""
        return {
            key: place
            for key, place in list(self.places.items())
            if not place.is_stuck and now - place.since > patience_s
        }

    def stuck(self, now: float, patience_s: float = 0.0) -> list[str]:
        """Sentences about the partitions that do not move although there is something to read."""
        return [
            f"{topic}[{number}] stands at {place.position} for {now - place.since:.0f} s, its end"
            f" is {place.end}"
            for (topic, number), place in list(self.places.items())
            if place.is_stuck and now - place.found > patience_s
        ]


def judge(place: Place, end: int | None, now: float, *, is_readable: bool | None = None) -> bool:
    """Take what was found out about a suspect.

    Args:
        place: The suspect.
        end: Its end; None if the broker did not say.
        now: Monotonic seconds.
        is_readable: Whether a reading found a record; None if there was none yet, or no answer.

    Returns:
        Whether only a reading can tell more.
    """
    if end is None:
        place.excuse(now)
        return False
    place.end = max(place.end, end)
    if not place.lag or is_readable is False:
        place.empty_to = place.end
        place.excuse(now)
        return False
    if is_readable:
        place.is_stuck, place.found = True, now
        return False
    return True
