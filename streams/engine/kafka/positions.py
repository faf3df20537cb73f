"""A group's positions, and errors that come in the place of records."""

from __future__ import annotations

from concurrent.futures import wait as wait_for
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not declared as exported
    AdminClient,
    OffsetSpec,
)

from streams.engine.kafka import clients
from streams.engine.kafka.failures import StartPosition, Unreleased, fenced, judged
from streams.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Future

    from streams.engine.kafka.records import TopicPartitionKey
    from streams.runtime.connection import KafkaConnection

WAIT_S: Final = 10.0
LEAST_S: Final = 0.1
"""A coordinator that can answer does so in some milliseconds."""
OUT_OF_RANGE: Final = frozenset(
    {
        KafkaError.OFFSET_OUT_OF_RANGE,
        KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001 - the library's public constant
    }
)

UNRELEASED: Final = KafkaError(KafkaError.UNRELEASED_INSTANCE_ID).str()
"""The library reports it as a fatal error of no code of its own."""

MARK: Final = "lotgate"
"""Stands beside each position: what was committed here tells itself from what a person set."""


def marked(note: str) -> str:
    """What stands beside a position that is committed here.

    Args:
        note: What else is to be known of who committed it; empty for nothing.
    """
    return f"{MARK} {note}" if note else MARK


def is_marked(beside: str | None) -> bool:
    """Whether a position was committed here."""
    return beside == MARK or note_of(beside) != ""


def note_of(beside: str | None) -> str:
    """The note beside a position; empty if there is none."""
    mark, _, note = (beside or "").partition(" ")
    return note if mark == MARK else ""


def committed(
    consumer: Consumer, partitions: Iterable[TopicPartitionKey]
) -> dict[TopicPartitionKey, int | None]:
    """A group's committed positions, None where it has none.

    Raises:
        Transient: The coordinator does not answer, or a transaction on them is still open.
    """
    wanted = [TopicPartition(*each) for each in partitions]
    try:
        answers = consumer.committed(wanted, WAIT_S)
    except KafkaException as failure:
        raise judged(failure, "asking for committed positions") from failure
    return _offsets_of(answers)


def _offsets_of(answers: Iterable[TopicPartition]) -> dict[TopicPartitionKey, int | None]:
    found: dict[TopicPartitionKey, int | None] = {}
    for each in answers:
        if each.error is not None:
            raise Transient(
                f"the position of {each.topic}[{each.partition}] is not known: {each.error.str()}",
                code="broker_unavailable",
            )
        found[each.topic, each.partition] = each.offset if each.offset >= 0 else None
    return found


def raise_for(error: KafkaError, message: Message) -> None:
    """Raise what an error in the place of a record means; a passing one is ignored."""
    topic = message.topic()
    where = f"{topic}[{message.partition()}]" if topic else "as a member of the group"
    if UNRELEASED in error.str():
        raise Unreleased(
            f"the group still waits for the former process of this instance: {error.str()}",
            kept="nothing was read",
            advice="it goes on by itself when the group's session time-out has passed",
        )
    if error.code() in OUT_OF_RANGE:
        raise StartPosition(
            f"the position in {where} is outside of what the broker retains: {error.str()}",
            kept="nothing was skipped and nothing was applied",
            advice="find out what was lost, then set the group's position by hand",
        )
    if error.code() in {KafkaError.FENCED_INSTANCE_ID, KafkaError._FATAL}:  # noqa: SLF001
        raise fenced(error, where)
    if error.fatal() or not error.retriable():
        raise judged(KafkaException(error), f"reading {where}")


class Questions:
    """Asks the broker for offsets; other partitions flow meanwhile.

    Attributes:
        member: The consumer that asks for the group's positions. An admin client must not: when
            the group's coordinator moves or loads, librdkafka 2.16 then looks for the group that
            such a client does not have, and the process dies (`rd_kafka_handle_OffsetFetch`).
    """

    def __init__(self, connection: KafkaConnection) -> None:
        """Connect, so that the first answer comes soon.

        Args:
            connection: Where the broker is, and the group.
        """
        self.member: Consumer | None = None
        self._settings = clients.base(connection)
        self._connect()

    def _connect(self) -> None:
        self._admin = AdminClient(self._settings)
        self._admin.describe_cluster()

    def ends(self, keys: Iterable[TopicPartitionKey]) -> Answers:
        """Ask for the ends of partitions, open transactions included."""
        return self._offsets(keys, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def beginnings(self, keys: Iterable[TopicPartitionKey]) -> Answers:
        """Ask for the oldest offsets that are retained."""
        return self._offsets(keys, OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def positions(self, keys: Iterable[TopicPartitionKey]) -> Positions:
        """Ask for the group's positions, once no open transaction is about to change them."""
        return Positions(self, keys)

    def _offsets(self, keys: Iterable[TopicPartitionKey], spec: OffsetSpec) -> Answers:
        wanted = {TopicPartition(*key): spec for key in keys}
        answers = self._admin.list_offsets(
            wanted, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=WAIT_S
        )
        return Answers("offsets", answers, self._connect)


class Positions:
    """The group's positions, asked for in the thread of its member.

    Attributes:
        marks: What stands beside the positions that have something beside them.
    """

    def __init__(self, questions: Questions, keys: Iterable[TopicPartitionKey]) -> None:
        """Say which.

        Args:
            questions: Has the member that asks.
            keys: The partitions.
        """
        self._questions = questions
        self._wanted = [TopicPartition(*key) for key in keys]
        self.marks: dict[TopicPartitionKey, str] = {}

    def wait(self, seconds: float) -> dict[TopicPartitionKey, int | None]:
        """Ask, and wait a little for the answer.

        Args:
            seconds: Longest wait, but at least `LEAST_S`.

        Returns:
            Offsets by partition, None for one that has none.

        Raises:
            Transient: No answer yet: most often a transaction of the former owner is open.
        """
        member = self._questions.member
        if member is None:
            raise Transient("the group is not joined", code="broker_unavailable")
        try:
            answers = member.committed(self._wanted, max(seconds, LEAST_S))
        except KafkaException as failure:
            raise judged(failure, "asking for the group's positions") from failure
        found = _offsets_of(answers)
        self.marks = {(t.topic, t.partition): t.metadata for t in answers if t.metadata}
        return found


class Answers:
    """What was asked at once, and comes together."""

    def __init__(
        self, what: str, futures: Mapping[TopicPartition, Future[Any]], failed: Callable[[], None]
    ) -> None:
        """Keep the library's promises.

        Args:
            what: What was asked for, for messages.
            futures: One per partition.
            failed: Called when the broker refused. The library keeps the epoch of a leader that
                it once knew, and asks with it for ever (FENCED_LEADER_EPOCH after a broker was
                out of its cluster for a while); a new client asks for the leader first.
        """
        self._what = what
        self._failed = failed
        self._futures = futures

    def wait(self, seconds: float) -> dict[TopicPartitionKey, int | None] | None:
        """Give the answers when all are there.

        Args:
            seconds: Longest wait.

        Returns:
            Offsets by partition, None for one that has none; None while something is missing.

        Raises:
            Transient: The broker did not answer.
        """
        if wait_for(self._futures.values(), seconds).not_done:
            return None
        found: dict[TopicPartitionKey, int | None] = {}
        for asked, future in self._futures.items():
            try:
                answer = future.result()
            except KafkaException as failure:
                self._failed()
                raise judged(failure, f"asking for {self._what}") from failure
            found[asked.topic, asked.partition] = int(answer.offset)
        return found
