"""One partition on its way from its assignment to its first record."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streams.engine.cycle.partition import Partition
    from streams.engine.kafka.admin import TopicFacts
    from streams.engine.kafka.records import TopicPartitionKey
    from streams.engine.state.restore import Restore

FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A partition that is restored.

    Attributes:
        partition: Which.
        position: The group's position in it; None for none.
        is_ours: Whether a cycle committed it; otherwise a person set it.
    """

    partition: Partition
    position: int | None
    is_ours: bool


@dataclass(eq=False)
class Takeover:
    """One partition's way: opened, restored, its position asked for, restored to the end again.

    A former owner's transaction may hold its positions before its records are on the broker, and
    be committed after an end was given: the end that counts is the one given after the position.

    Attributes:
        key: The input partition.
        changelog: Its changelog partition.
        facts: The changelog as the broker has it.
        partition: Once it is open.
        restore: Once it is under way.
        end: Where the changelog ends, once it is known.
        is_restored: Whether the disk is there.
        position: The group's position and whether it is ours, once they are known.
        doubts: How often the changelog was said to end before what the disk has of it.
        pause_s: How long it is put off next time.
        not_before: When it may go on, monotonic seconds.
    """

    key: TopicPartitionKey
    changelog: TopicPartitionKey
    facts: TopicFacts
    partition: Partition | None = None
    restore: Restore | None = None
    end: int | None = None
    is_restored: bool = False
    position: tuple[int | None, bool] | None = None
    doubts: int = 0
    pause_s: float = FIRST_PAUSE_S
    not_before: float = 0.0

    @property
    def records(self) -> int:
        """Changelog records applied so far."""
        return self.restore.records if self.restore is not None else 0

    @property
    def share(self) -> float:
        """How much of the way is done, 0 to 1."""
        if self.restore is None or self.end is None:
            return 0.0
        return self.restore.share(self.end)

    @property
    def is_reading(self) -> bool:
        """Whether its changelog's end is known and not reached."""
        return self.end is not None and not self.is_restored

    def wait(self) -> None:
        """Go on after a while, longer each time."""
        self.not_before = monotonic() + self.pause_s
        self.pause_s = min(self.pause_s * 2, LONGEST_PAUSE_S)

    def put_off(self) -> None:
        """Begin anew after a while."""
        self.restore, self.position = None, None
        self.ask_again()
        self.wait()

    def ask_again(self) -> None:
        """Its changelog may have grown: ask for its end once more."""
        self.end, self.is_restored = None, False
