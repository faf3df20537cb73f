"""All partitions on their way, side by side."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from streams.engine.faults import reach
from streams.engine.kafka.positions import is_marked
from streams.engine.state.feed import Feed
from streams.engine.state.restore import Restore
from streams.engine.takeover.tally import Progress, Tally
from streams.engine.takeover.way import Arrival, Takeover
from streams.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streams.engine.cycle.partition import Partition
    from streams.engine.kafka.admin import TopicFacts
    from streams.engine.kafka.positions import Answers, Questions
    from streams.engine.kafka.records import TopicPartitionKey
    from streams.runtime.connection import KafkaConnection

log = logging.getLogger(__name__)

DOUBTS: Final = 8
"""So many answers in a row, over some seconds, must say that a changelog is shorter than its store
before that is believed."""

CHUNK: Final = 2_000
"""Records of one write: some ten milliseconds of work."""
PATIENCE_S: Final = 0.01
"""Longest wait for a full chunk."""


class Takeovers:
    """All partitions on their way, side by side: each kind of question is asked once for all.

    Nothing here waits longer than the time it is given, so that other partitions flow meanwhile.

    Attributes:
        waiting: What some partition waits for, in words; empty when nothing is in the way.
        moved: Whether the last step found something to do.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        questions: Questions,
        opened: Callable[[TopicPartitionKey], Partition],
        now_ms: Callable[[], int],
    ) -> None:
        """Say how a partition is opened.

        Args:
            connection: Where the broker is.
            questions: Asks it for offsets.
            opened: Opens a partition with its disk.
            now_ms: The clock, milliseconds since 1970.
        """
        self._opened = opened
        self._now_ms = now_ms
        self._questions = questions
        self._feed = Feed(connection)
        self._all: dict[TopicPartitionKey, Takeover] = {}
        self._by_changelog: dict[TopicPartitionKey, Takeover] = {}
        self._ends: tuple[list[Takeover], Answers] | None = None
        self._tally = Tally()
        self.waiting = ""
        self.moved = False

    def __bool__(self) -> bool:
        return bool(self._all)

    def begin(
        self,
        key: TopicPartitionKey,
        changelog: str,
        facts: TopicFacts,
        partition: Partition | None = None,
    ) -> None:
        """Take a partition over.

        Args:
            key: The input partition.
            changelog: Full name of its changelog.
            facts: The changelog as the broker has it.
            partition: When it is open already.
        """
        if not self._all:
            self._tally = Tally()
        takeover = Takeover(key, (changelog, key[1]), facts, partition)
        if partition is not None and partition.disk.is_failed:
            takeover.put_off()
        self._all[key] = self._by_changelog[takeover.changelog] = takeover

    def drop(self, key: TopicPartitionKey) -> Partition | None:
        """The partition is another's now; gives it if it was open."""
        takeover = self._all.pop(key, None)
        if takeover is None:
            return None
        self._leave([takeover])
        del self._by_changelog[takeover.changelog]
        return takeover.partition

    def close(self) -> None:
        """Let go of the clients."""
        self._feed.close()

    def step(self, budget_s: float, *, patient: bool) -> list[Arrival]:
        """Go on for a while.

        Args:
            budget_s: Longest time.
            patient: Wait for what is not there yet; nothing else is to be done.

        Returns:
            Partitions that are restored.
        """
        until = monotonic() + budget_s
        self.moved = False
        try:
            self._open()
            self._ask_ends(until if patient else 0.0)
            self._read(until, patient=patient)
            self._ask_positions(until if patient else 0.0)
            self._ask_ends(until if patient else 0.0)
            self._read(until, patient=patient)
            ready = self._arrivals()
        except Transient as trouble:
            self._all_anew(trouble)
            return []
        self._tally.tell(self._all.values(), self.waiting)
        return ready

    @property
    def progress(self) -> Progress | None:
        """How far they are; None when nothing is on its way."""
        return self._tally.progress(self._all.values())

    def _open(self) -> None:
        now = monotonic()
        for each in self._all.values():
            if each.restore is not None or each.not_before > now:
                continue
            try:
                partition = each.partition = each.partition or self._opened(each.key)
                if partition.disk.is_failed:
                    partition.disk.reopen()
                each.restore = Restore(partition.disk, each.facts, self._now_ms)
                self.moved = True
            except Transient as trouble:
                self._put_off(each, trouble)

    def _ask_ends(self, until: float) -> None:
        """Where the changelogs end now that no former owner can begin a transaction."""
        if self._ends is None:
            now = monotonic()
            wanted = [
                e
                for e in self._all.values()
                if e.restore is not None and e.end is None and e.not_before <= now
            ]
            if not wanted:
                return
            self._ends = wanted, self._questions.ends(each.changelog for each in wanted)
        asked, answers = self._ends
        found = answers.wait(max(0.0, until - monotonic()))
        if found is None:
            return
        self._ends = None
        follow: dict[TopicPartitionKey, int | None] = {}
        for each in asked:
            if self._all.get(each.key) is each and each.restore is not None:
                self._bound(each, each.restore, found[each.changelog], follow)
        if follow:
            self._feed.follow(follow)

    def _bound(
        self,
        each: Takeover,
        restore: Restore,
        end: int | None,
        follow: dict[TopicPartitionKey, int | None],
    ) -> None:
        if end is None or end < restore.position:
            each.doubts += 1
            if end is None or end < 0 or each.doubts < DOUBTS:
                # Nothing, or too little, is said while a partition's leader changes.
                each.wait()
                return
            log.warning("%s[%d] ends before its store: restoring anew", *each.changelog)
            restore.again()
        each.doubts = 0
        each.end = end
        if restore.position < end:
            follow[each.changelog] = restore.position or restore.begin

    def _read(self, until: float, *, patient: bool) -> None:
        while monotonic() < until and any(each.is_reading for each in self._all.values()):
            found = self._feed.read(CHUNK, PATIENCE_S if patient else 0.0)
            for changelog, messages in found.items():
                each = self._by_changelog.get(changelog)
                if each is not None and each.restore is not None and each.is_reading:
                    self._take(each, each.restore, messages)
            self.moved = self.moved or bool(found)
            self._finish()
            if not found and not patient:
                return

    def _take(self, each: Takeover, restore: Restore, messages: list[Any]) -> None:
        try:
            if restore.take(messages):
                ended = messages[-1].error() is not None
                if ended and each.end is not None and restore.position < each.end:
                    reach("restore_waits_for_txn")
                return
            log.warning(
                "%s[%d] no longer has what its store is at: restoring anew", *each.changelog
            )
            self._leave([each])
            restore.again()
            each.ask_again()
        except Transient as trouble:
            self._put_off(each, trouble)

    def _finish(self) -> None:
        done = [
            each
            for each in self._all.values()
            if each.restore is not None and each.end is not None and not each.is_restored
            and each.restore.position >= each.end
        ]  # fmt: skip
        for each in done:
            try:
                if each.restore is not None:
                    each.restore.finish()
                    if each.restore.records and each.position is None:
                        reach("restored")
                each.is_restored = True
            except Transient as trouble:
                self._put_off(each, trouble)
        self._leave(done)

    def _ask_positions(self, until: float) -> None:
        """Where the group is; then the ends are asked for again."""
        now = monotonic()
        asked = [
            e
            for e in self._all.values()
            if e.is_restored and e.position is None and e.not_before <= now
        ]
        if not asked:
            return
        positions = self._questions.positions(each.key for each in asked)
        try:
            found = positions.wait(max(0.0, until - now))
        except Transient as trouble:
            # Most often a transaction of the former owner, which ends by itself.
            self.waiting = trouble.message
            for each in asked:
                each.wait()
            return
        for each in asked:
            each.position = found[each.key], is_marked(positions.marks.get(each.key))
            each.ask_again()
        self.moved = True

    def _arrivals(self) -> list[Arrival]:
        """Those whose disk is at the end that was given after the position."""
        return [
            Arrival(partition, *each.position)
            for each in list(self._all.values())
            if each.position is not None
            and each.is_restored
            and (partition := self._arrived(each)) is not None
        ]

    def _arrived(self, each: Takeover) -> Partition | None:
        self._tally.arrived(each)
        self.waiting = ""
        return self.drop(each.key)

    def _put_off(self, each: Takeover, trouble: Transient) -> None:
        self.waiting = trouble.message
        log.warning("taking over %s[%d], again in %.2f s: %s", *each.key, each.pause_s, trouble)
        self._leave([each])
        each.put_off()

    def _all_anew(self, trouble: Transient) -> None:
        """The broker does not answer: what is under way begins anew with new clients."""
        self._ends = None
        self._feed.close()
        under_way = [each for each in self._all.values() if each.restore is not None]
        log.warning("taking over %d partitions: %s", len(under_way), trouble)
        self.waiting = trouble.message
        for each in under_way:
            each.put_off()

    def _leave(self, those: Iterable[Takeover]) -> None:
        self._feed.leave([each.changelog for each in those])
