"""The exactly-once cycle: what is polled, done and committed together, and what follows a failure.

All methods are called from one thread, in order; Faust's event loop only waits for them.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from streams.engine.cycle.batch import Batch, narrowed, one_kind, raise_failures, shares
from streams.engine.cycle.committing import commit
from streams.engine.cycle.decisions import Decisions
from streams.engine.cycle.demands import checked, written
from streams.engine.cycle.membership import Membership
from streams.engine.cycle.partition import STARTED_KEY, Partition
from streams.engine.faults import reach
from streams.engine.kafka.failures import Aborted
from streams.engine.kafka.reading import undecided
from streams.engine.kafka.topics import unended
from streams.engine.kafka.transaction import Transaction
from streams.engine.poison.fuse import FuseTripped
from streams.engine.poison.suspects import Suspects

if TYPE_CHECKING:
    from streams.engine.control import Decision
    from streams.engine.declare import Encoding, Stage
    from streams.engine.settings import EngineSettings
    from streams.engine.state.disk import Checkpoint

POLL_S: Final = 0.1


class Engine:
    """One worker's cycles."""

    def __init__(self, stages: list[Stage], settings: EngineSettings) -> None:
        """Say what runs; `start` opens connections.

        Args:
            stages: The stages, one per input topic.
            settings: Limits, group, instance.
        """
        self.settings = settings
        connection = settings.connection
        self._names = {
            topic.name: topic.full_name(connection.prefix, connection.group)
            for stage in stages
            for topic in stage.topics
        }
        self.stages = {self._names[stage.topic.name]: stage for stage in stages}
        self._transaction = Transaction(
            connection,
            f"{connection.group}-{settings.instance_id}",
            timeout_ms=settings.transaction_timeout_ms,
            extra=settings.client,
        )
        self._membership: Membership | None = None
        self._decisions: Decisions | None = None
        self._suspects: Suspects | None = None
        self._codec: Encoding | None = None
        self._pending: dict[tuple[str, int], list[Any]] = {}
        self._most = settings.cycle_records
        self.cycles = 0
        self.records = 0
        self.last_cycle = 0.0
        self.is_ready = False

    def start(self) -> None:
        """Check the broker and the registry, open the transaction's producer, join the group.

        Raises:
            Misconfigured: Something is missing or wrong; says what to change.
            Transient: Broker or registry is not available; call again.
            Fenced: A newer process has this instance id.
        """
        if self._membership is not None:
            return
        codec = self._codec = self._codec or self.settings.codec()
        facts = checked(self.stages, self.settings)
        codec.prepare([topic for stage in self.stages.values() for topic in stage.topics])
        folder = self.settings.data_dir / self.settings.connection.group
        self._suspects = self._suspects or Suspects(folder)
        self._transaction.settle()
        mine = written(self.stages, self.settings, facts)
        connection = self.settings.connection
        inputs = [(name, part) for name in self.stages for part in range(facts[name].partitions)]
        self._transaction.end_at(
            unended(connection, mine), undecided(connection, connection.group, inputs)
        )
        self._decisions = self._decisions or Decisions(self.settings.connection)
        self._membership = Membership(self.stages, codec, self.settings, self._names, facts)
        self._membership.subscribe()

    @property
    def is_started(self) -> bool:
        """Whether the group was joined."""
        return self._membership is not None

    @property
    def membership(self) -> Membership:
        """The partitions of this worker."""
        if self._membership is None:
            raise AssertionError("the engine was not started")
        return self._membership

    def moved(self) -> frozenset[tuple[str, int]] | None:
        """The owned partitions if they changed since the last call."""
        if not self.membership.moved:
            return None
        self.membership.moved = False
        return self.membership.owned

    def poll(self) -> list[Batch]:
        """Give the next cycle's work, waiting a little for some."""
        membership = self.membership
        if membership.is_closed:
            # This poll was on its way to the thread when the worker was told to stop.
            return []
        read = membership.poll(self._wait_s(membership), self._most)
        pending, self._pending = self._pending, {}
        for key, records in pending.items():
            if key in membership.active:
                read[key] = records + read.get(key, [])
        self._introduce(membership)
        reach("after_poll")
        decided = self._decided(membership)
        self.is_ready = bool(membership.active) and not membership.is_restoring
        due = self._due(membership)
        if self._most < self.settings.cycle_records and (decided or due):
            self._pending = dict(read)
            batches = [one_kind(membership.active, decided, due)]
        else:
            batches = shares(membership.active, read, decided, due)
        for batch in batches:
            batch.suspects = self._suspects
        return batches

    def commit(self, batches: list[Batch]) -> None:
        """Make the cycle's work visible at once, then write the stores.

        Raises:
            Aborted: Nothing is visible; `recover` and go on.
            OutcomeUnknown: `recover` finds out.
            Fenced: Another process took over.
        """
        raise_failures(batches)
        partitions = [batch.partition for batch in batches]
        if not any(batch.records for batch in batches):
            reach("timer_cycle")
        try:
            checkpoints = self._commit(partitions)
        except Aborted as gone:
            if gone.record_fault:
                self._most = narrowed(batches, gone.message)
            raise
        for partition in partitions:
            partition.committed(checkpoints.get(partition.key))
            if self._suspects is not None:
                self._suspects.passed(*partition.key, partition.position)
        reach("after_write")
        for batch in batches:
            if batch.left:
                self._pending[batch.partition.key] = batch.left
            self.records += len(batch.records) - len(batch.left)
        self._most = min(self._most * 2, self.settings.cycle_records)
        self.cycles += 1
        self.last_cycle = monotonic()

    def recover(self) -> None:
        """After a failure: abort, forget what is staged, go back to what is committed.

        Raises:
            Transient: The broker is not available; call again.
            Fenced: Another process took over.
        """
        self._pending.clear()
        self._transaction.abort()
        self._transaction.settle()
        self.membership.again()

    def record_trip(self, batches: list[Batch], trip: FuseTripped) -> None:
        """Keep a tripped fuse in the store, so that a restart does not forget it."""
        self._transaction.abort()
        for batch in batches:
            if batch.failure is trip:
                partition, counters = batch.partition, batch.partition.fuse.dump()
                partition.reset()
                partition.fuse.restore(counters)
                partition.staged.counters()
                self._commit([partition])

    def close(self) -> None:
        """Abort what is open, leave the group, close the stores."""
        self._transaction.close()
        if self._membership is not None:
            self._membership.close()
        if self._decisions is not None:
            self._decisions.close()

    def _commit(self, partitions: list[Partition]) -> dict[tuple[str, int], Checkpoint]:
        return commit(self._transaction, self.membership, partitions)

    def _wait_s(self, membership: Membership) -> float:
        """How long to wait for records: not beyond the next timer."""
        if self._pending:
            return 0.0
        clock = self.settings.clock()
        waits = [each.firing.wait_s(clock) for each in membership.active.values()]
        return min([POLL_S, *waits])

    def _due(self, membership: Membership) -> dict[tuple[str, int], int]:
        """How many timers may fire, by partition that has due ones."""
        clock, most = self.settings.clock(), self._most
        return {key: most for key, each in membership.active.items() if each.firing.is_due(clock)}

    def _introduce(self, membership: Membership) -> None:
        """Commit the start of partitions that the group never consumed.

        From then on a missing position is a loss, not a beginning.
        """
        while membership.fresh:
            partition = membership.fresh[0]
            partition.changes[STARTED_KEY] = str(partition.position).encode()
            partition.committed(self._commit([partition]).get(partition.key))
            membership.fresh.pop(0)

    def _decided(self, membership: Membership) -> dict[tuple[str, int], list[Decision]]:
        if self._decisions is None:
            return {}
        self._decisions.look()
        found: dict[tuple[str, int], list[Decision]] = {}
        known = self._decisions.known
        for key, partition in membership.active.items():
            concerned = partition.settling.concerning(known)
            if concerned:
                found[key] = concerned
            if partition.fuse.tripped and not any(d.kind == "fuse_reset" for d in concerned):
                raise FuseTripped(
                    f"the fuse of {key[0]}[{key[1]}] is tripped: {partition.fuse.tripped}",
                    kept="nothing was consumed",
                    advice="repair the cause, then `lotgate dlq fuse reset` or start a new build",
                )
        return found
