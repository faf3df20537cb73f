"""Where in a run is measured, and what a run took."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import gt


@dataclass(frozen=True, slots=True)
class Sight:
    """How far a run was at one instant.

    Attributes:
        at: Seconds of a steady clock.
        done: Committed position of each partition.
        cpu_s: CPU seconds of the run's processes since their start.
        broker_s: CPU seconds of the broker.
    """

    at: float
    done: tuple[int, ...]
    cpu_s: float
    broker_s: float

    @property
    def records(self) -> int:
        """Records committed."""
        return sum(self.done)


@dataclass(frozen=True)
class Run:
    """What a run took, from the first committed records (or both workers at work) to the last.

    Attributes:
        records: Records within the window.
        wall_s: Seconds of the window.
        cpu_s: CPU seconds of the run's processes in the window.
        broker_s: CPU seconds of the broker in the window.
        whole_s: CPU seconds of the run's processes since their start.
        total: All records of the run.
        start_s: From the start of the process to the first committed record.
        rss_mb: Peak resident memory of the largest worker, its helpers included.
        threads: CPU seconds by thread in the first worker's whole run.
    """

    records: int
    wall_s: float
    cpu_s: float
    broker_s: float
    whole_s: float
    total: int
    start_s: float
    rss_mb: float
    threads: dict[str, float] = field(default_factory=dict)

    @property
    def cpu_per_million(self) -> float:
        """CPU seconds per million records."""
        return self.cpu_s * 1e6 / self.records

    @property
    def whole_per_million(self) -> float:
        """The same with the start."""
        return self.whole_s * 1e6 / self.total

    @property
    def broker_per_million(self) -> float:
        """The broker's CPU seconds per million records."""
        return self.broker_s * 1e6 / self.records

    @property
    def rate(self) -> float:
        """Records per second."""
        return self.records / self.wall_s


@dataclass
class Window:
    """Where in a run is measured.

    One worker: from the first look that saw committed records to the last. Several: from when each
    partition has moved since all members had some, to when a member has nothing left to do.

    Attributes:
        members: How many must share the work.
        ends: The input's end, by partition.
        zero: The start of the run.
        shares: The partitions of each member, once all have some.
        marks: Positions when `shares` was learnt.
        began_work: The instant of the first look that saw committed records.
    """

    members: int
    ends: list[int]
    zero: Sight
    shares: list[list[int]] = field(default_factory=list)
    marks: tuple[int, ...] = ()
    began_work: float = 0.0
    _first: Sight | None = None
    _last: Sight | None = None

    def wants_shares(self, sight: Sight) -> bool:
        """Whether it is time to ask who works on what."""
        return self.members > 1 and not self.shares and sight.records > 0

    def see(self, sight: Sight) -> None:
        """Take in a look."""
        if not self.began_work and sight.records:
            self.began_work = sight.at
        if self._first is None and self._is_open(sight):
            self._first = sight
        if self._first is not None and self._last is None and self._is_over(sight):
            self._last = sight

    def edges(self, end: Sight) -> tuple[Sight, Sight]:
        """The first and the last look of the window.

        Raises:
            RuntimeError: All was done before all members shared the work.
        """
        if self._first is None:
            raise RuntimeError(
                f"all {end.records} records were done before {self.members} members shared the "
                "work; it needs more records"
            )
        last = self._last or end
        if last.records == self._first.records:
            # All was committed at once: there is no window but the whole run.
            return self.zero, end
        return self._first, last

    def _is_open(self, sight: Sight) -> bool:
        if self.members == 1:
            return sight.records > 0
        return bool(self.shares) and all(map(gt, sight.done, self.marks))

    def _is_over(self, sight: Sight) -> bool:
        if self.members == 1:
            return sight.records >= sum(self.ends)
        return any(all(sight.done[n] >= self.ends[n] for n in share) for share in self.shares)
