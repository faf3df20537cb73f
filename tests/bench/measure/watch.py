"""Follow one run from its start to the commit of its last record."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.bench.measure import procfs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.ground import Ground

LOOK_S: Final = 0.05
STOP_S: Final = 30.0


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


class Watch:
    """Looks at a group's committed positions until all input is done.

    Args:
        ground: Where it runs.
        topic: The input.
        group: The consumer group.
        members: How many must share the work before the window opens.
    """

    def __init__(self, ground: Ground, topic: str, group: str, members: int = 1) -> None:
        self._ground, self._topic, self._group, self._members = ground, topic, group, members
        self._ends = ground.ends(topic)
        # Not the admin client: librdkafka 2.16 crashes in it when a group's coordinator moves.
        self._asking = Consumer(
            {
                "bootstrap.servers": ground.bootstrap,
                "group.id": group,
                # Else the answer waits for transactions that are open.
                "isolation.level": "read_uncommitted",
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )

    def follow(
        self, processes: Sequence[subprocess.Popen[bytes]], began: float, limit_s: float
    ) -> Run:
        """Wait for the end of the work.

        Args:
            processes: The run's processes.
            began: When the first was started.
            limit_s: When to give up.

        Raises:
            RuntimeError: A process ended, or the work was not done in time.
        """
        roots = [process.pid for process in processes]
        zero = Sight(began, (0,) * len(self._ends), 0.0, procfs.cpu_s(self._ground.broker_pid))
        start_s = 0.0
        first: Sight | None = None
        shares: list[list[int]] = []
        marks: tuple[int, ...] = ()
        while True:
            sight = self._look(roots)
            if not start_s and sight.records:
                start_s = sight.at - began
            if self._members > 1 and not shares and sight.records:
                shares, marks = self._shares(), sight.done
            if first is None and self._is_open(sight, shares, marks):
                first = sight
            if first is not None and self._is_over(sight, shares):
                break
            self._check(processes, sight, began, limit_s)
            time.sleep(LOOK_S)
        end = sight
        while end.records < sum(self._ends):
            self._check(processes, end, began, limit_s)
            time.sleep(LOOK_S)
            end = self._look(roots)
        self._asking.close()
        if first.done == sight.done:
            # All was committed at once: there is no window but the whole run.
            first = zero
        return Run(
            records=sight.records - first.records,
            wall_s=sight.at - first.at,
            cpu_s=sight.cpu_s - first.cpu_s,
            broker_s=sight.broker_s - first.broker_s,
            whole_s=end.cpu_s,
            total=end.records,
            start_s=start_s,
            rss_mb=max(procfs.peak_mb(root) for root in roots),
            threads=procfs.threads(roots[0]),
        )

    def _is_open(self, sight: Sight, shares: list[list[int]], marks: tuple[int, ...]) -> bool:
        if self._members == 1:
            return sight.records > 0
        return bool(shares) and all(now > then for now, then in zip(sight.done, marks, strict=True))

    def _is_over(self, sight: Sight, shares: list[list[int]]) -> bool:
        """All is done; with several members: one of them has nothing left to do."""
        if self._members == 1:
            return sight.records >= sum(self._ends)
        return any(all(sight.done[n] >= self._ends[n] for n in share) for share in shares)

    def _check(
        self,
        processes: Sequence[subprocess.Popen[bytes]],
        sight: Sight,
        began: float,
        limit_s: float,
    ) -> None:
        ended = [process.returncode for process in processes if process.poll() is not None]
        if ended:
            raise RuntimeError(f"{self._group} ended with {ended} after {sight.records} records")
        if sight.at - began > limit_s:
            raise RuntimeError(f"{self._group}: {sight.done} of {self._ends} after {limit_s:.0f} s")

    def _look(self, roots: list[int]) -> Sight:
        wanted = [TopicPartition(self._topic, number) for number in range(len(self._ends))]
        try:
            found = {
                each.partition: max(0, each.offset) for each in self._asking.committed(wanted, 5)
            }
        except KafkaException:
            # The group is not there yet, or its coordinator is not.
            found = {}
        return Sight(
            at=time.monotonic(),
            done=tuple(found.get(number, 0) for number in range(len(self._ends))),
            cpu_s=sum(procfs.cpu_s(root) for root in roots),
            broker_s=procfs.cpu_s(self._ground.broker_pid),
        )

    def _shares(self) -> list[list[int]]:
        """The partitions of each member, once all members have some."""
        answer: Any = self._ground.admin.describe_consumer_groups([self._group])[self._group]
        found = [
            [each.partition for each in member.assignment.topic_partitions]
            for member in answer.result(10).members
        ]
        whole = sum(map(len, found)) == len(self._ends)
        return found if len(found) == self._members and all(found) and whole else []


def ended(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End processes in order, then for certain."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
