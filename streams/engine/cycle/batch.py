"""One partition's share of a cycle, and how a share that the broker refuses is made smaller."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from streams.engine.state.table import Unencodable
from streams.errors import Poison

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.engine.control import Decision
    from streams.engine.cycle.partition import Partition
    from streams.engine.kafka.records import TopicPartitionKey
    from streams.engine.poison.suspects import Suspects


@dataclass(eq=False)
class Batch:
    """One partition's share of a cycle.

    Attributes:
        partition: Whose.
        records: What was read, in order.
        decisions: What people decided since.
        timers: Most timers that may fire; 0 when none is due.
        failure: Why it could not be done; None while it is well.
        suspects: Where it is noted what a rule is about to see; None notes nothing.
        is_done: Set by the stage itself: a batch that nobody completed is a failure.
    """

    partition: Partition
    records: list[Any]
    decisions: list[Decision] = field(default_factory=list)
    timers: int = 0
    left: list[Any] = field(default_factory=list)
    failure: BaseException | None = None
    suspects: Suspects | None = None
    is_done: bool = False

    def run(self, deadline: float) -> None:
        """Do the work, once; whatever goes wrong is kept in `failure`."""
        if self.is_done:
            return
        try:
            try:
                self._work(deadline)
            except Unencodable:
                self.partition.begin_strictly()
                self._work(deadline)
        except BaseException as failure:  # noqa: BLE001 - the cycle judges it
            self.failure = failure
        if self.suspects is not None:
            self.suspects.end()
        self.is_done = True

    def _work(self, deadline: float) -> None:
        self._note()
        for decision in self.decisions:
            self.partition.settling.decide(decision)
        if self.timers:
            self.partition.firing.run(self.timers, deadline, self.suspects)
            self._note()
        if self.timers and monotonic() > deadline:
            self.left = self.records
        elif self.records:
            self.left = self.partition.run(self.records, deadline)
        self.partition.finish()

    def _note(self) -> None:
        """Say what the rule is about to see; one by one where the last process died at it."""
        suspects, partition = self.suspects, self.partition
        if suspects is None:
            return
        partition.suspects = suspects if suspects.about(*partition.key) else None
        if partition.suspects is None and (self.records or self.decisions):
            last = self.records[-1].offset() if self.records else partition.position - 1
            # A decision may release any record that was consumed before.
            first = 0 if self.decisions else self.records[0].offset()
            suspects.begin(*partition.key, first, last)

    @property
    def size(self) -> int:
        """How many things were done that may have outputs."""
        return len(self.records) + len(self.partition.firing.fired) + len(self.decisions)


def shares(
    active: Mapping[TopicPartitionKey, Partition],
    read: Mapping[TopicPartitionKey, list[Any]],
    decided: Mapping[TopicPartitionKey, list[Decision]],
    due: Mapping[TopicPartitionKey, int],
) -> list[Batch]:
    """Divide a cycle's work among its partitions.

    Args:
        active: The partitions.
        read: What was read.
        decided: What people decided.
        due: How many timers may fire.
    """
    return [
        Batch(active[key], read.get(key, []), decided.get(key, []), due.get(key, 0))
        for key in {**read, **decided, **due}
    ]


def one_kind(
    active: Mapping[TopicPartitionKey, Partition],
    decided: Mapping[TopicPartitionKey, list[Decision]],
    due: Mapping[TopicPartitionKey, int],
) -> Batch:
    """One kind of work of one partition, while what the broker refuses is looked for."""
    for key, decisions in decided.items():
        return Batch(active[key], [], decisions[:1])
    key = next(iter(due))
    return Batch(active[key], [], timers=due[key])


def raise_failures(batches: Iterable[Batch]) -> None:
    """Raise what went wrong in a stage."""
    for batch in batches:
        if batch.failure is not None:
            raise batch.failure
        if not batch.is_done:
            raise RuntimeError(f"stage {batch.partition.stage.name} did not complete its batch")


def narrowed(batches: Iterable[Batch], why: str) -> int:
    """After the broker refused a record that it does not name: do less, until it stands alone.

    Args:
        batches: The cycle that was refused.
        why: What the broker said.

    Returns:
        How much the next cycle may do. At the end the one record, timer or decision whose
        outputs are refused is condemned: its next run fails, so that it becomes a dead letter.
    """
    batches = list(batches)
    count = sum(batch.size for batch in batches)
    if count > 1:
        return max(1, count // 2)
    refused = Poison(f"what follows from it is refused by the broker: {why}", code="output_refused")
    for batch in batches:
        for record in batch.records:
            batch.partition.condemned = (record.offset(), refused)
        for place in batch.partition.firing.fired:
            batch.partition.firing.condemn(place, refused)
        for decision in batch.decisions:
            if decision.timer:
                batch.partition.firing.condemn_decided(decision, refused)
            else:
                # A release stops at what is condemned. Taking the last of what ran each time,
                # the first that the broker takes ends just before the record at fault.
                last = [decision.offset, *batch.partition.settling.released][-1]
                batch.partition.condemned = (last, refused)
    return 1
