"""Follow one run from its start to the commit of its last record."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.bench.measure import procfs
from tests.bench.measure.window import Run, Sight, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.ground import Ground

LOOK_S: Final = 0.05
STOP_S: Final = 30.0


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
        window = Window(self._members, self._ends, self._start(began))
        sight = window.zero
        while sight.records < sum(self._ends):
            sight = self._look(roots)
            if window.wants_shares(sight):
                window.shares, window.marks = self._shares(), sight.done
            window.see(sight)
            self._check(processes, sight, began, limit_s)
            time.sleep(LOOK_S)
        self._asking.close()
        first, last = window.edges(sight)
        return Run(
            records=last.records - first.records,
            wall_s=last.at - first.at,
            cpu_s=last.cpu_s - first.cpu_s,
            broker_s=last.broker_s - first.broker_s,
            whole_s=sight.cpu_s,
            total=sight.records,
            start_s=window.began_work - began,
            rss_mb=max(procfs.peak_mb(root) for root in roots),
            threads=procfs.threads(roots[0]),
        )

    def _start(self, began: float) -> Sight:
        return Sight(began, (0,) * len(self._ends), 0.0, procfs.cpu_s(self._ground.broker_pid))

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
