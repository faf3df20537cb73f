"""Kafka transactions, written once: for the engine's cycles and for the connectors' runners."""

from __future__ import annotations

from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Self

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from streams.engine.faults import reach
from streams.engine.kafka import clients
from streams.engine.kafka.failures import (
    DENIED,
    FENCING,
    FORMER_MEMBER,
    RECORD_FAULTS,
    Aborted,
    Fenced,
    OutcomeUnknown,
    error_of,
    fenced,
    judged,
)
from streams.engine.kafka.positions import marked
from streams.engine.kafka.producing import Producing
from streams.errors import LotgateError, Misconfigured, Transient

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.runtime.connection import KafkaConnection
NO_NOTES: Final[Mapping[str, str]] = {}


class Transaction(Producing):
    """A transactional producer that is replaced whenever its state is in doubt.

    A producer whose transactional call timed out must not be used again: its late request could
    end a later transaction. So every such error throws the producer away; initialising the next
    one ends or aborts what the last one left open, and fences its stray requests.

    Use as a context manager, or call `open` and `close`::

        with Transaction(connection, "lotgate-erp-cdc") as transaction:
            transaction.begin()
            transaction.produce("topic", b"key", b"value")
            transaction.commit()
    """

    def __init__(
        self,
        connection: KafkaConnection,
        transactional_id: str,
        *,
        timeout_ms: int = clients.TRANSACTION_TIMEOUT_MS,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Say who this is; nothing is opened yet.

        Args:
            connection: Where the broker is.
            transactional_id: Stable name of this writer, without prefix.
            timeout_ms: After this time the broker aborts a transaction left open.
            extra: Further librdkafka settings.
        """
        super().__init__(transactional_id)
        self._settings = clients.producer(
            connection, transactional_id, timeout_ms=timeout_ms, extra=extra
        )
        self._patience = timeout_ms / 1000
        self._is_open = False
        self._began = 0.0

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether a transaction has begun and not ended."""
        return self._is_open

    def open(self) -> None:
        """Make the producer and end what an earlier process of this name left open.

        Raises:
            Transient: The broker is not available; call again.
            Fenced: A newer process of this name exists.
            Misconfigured: A right is missing.
        """
        producer = Producer(self._settings)
        try:
            # With a connection there it finds its coordinator at once, else often half a second
            # later.
            producer.list_topics(timeout=self._patience)
            producer.init_transactions(self._patience)
        except KafkaException as failure:
            _discard(producer)
            raise judged(failure, f"opening transactions as {self.transactional_id}") from failure
        self._producer = producer
        self._is_open = False
        self._end_lost()

    def close(self) -> None:
        """Abort what is open and let the producer go."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        if self._is_open:
            self._is_open = False
            with suppress(KafkaException):
                # Else the broker aborts it by its own time-out, or the next `open` does.
                producer.abort_transaction(self._patience)
        _discard(producer)

    def begin(self) -> None:
        """Begin a transaction, making a new producer first if the last one was discarded."""
        if self._producer is None:
            self.open()
        try:
            self._live.begin_transaction()
        except KafkaException as failure:
            raise self._failed(failure, "begin", committing=False) from failure
        self._is_open = True
        self._began = monotonic()
        self._traces.begin()

    def flush(self) -> None:
        """Wait until the broker has every record of the transaction.

        Raises:
            Aborted: Some were not delivered in time.
            Fenced: Another process took over.
        """
        try:
            left = self._live.flush(self._patience)
        except KafkaException as failure:
            raise self._failed(failure, "flush", committing=False) from failure
        if left:
            reach("txn_aborted")
            self._discard_producer()
            raise Aborted(
                f"{left} records of {self.transactional_id} were not delivered in"
                f" {self._patience:g} s",
                kept="the transaction was given up, nothing of it is visible",
            )

    def send_offsets(
        self,
        positions: Mapping[tuple[str, int], int],
        group_metadata: Any,
        notes: Mapping[str, str] = NO_NOTES,
    ) -> None:
        """Make the consumed positions part of the transaction.

        Called while the records are still on their way: their round trips and these overlap.

        Args:
            positions: Next offset to read, by topic and partition. Never empty: it is what makes
                the group refuse a member that lost its partitions.
            group_metadata: `Reader.group_metadata()`.
            notes: What is to stand beside the positions of a topic, by topic.
        """
        if not positions:
            raise Misconfigured(
                "a transaction without positions is not checked by its group",
                code="no_positions",
                advice="send the position of every partition that the transaction touched",
            )
        offsets = [
            TopicPartition(*key, at, marked(notes.get(key[0], ""))) for key, at in positions.items()
        ]
        self._traces.sends(offsets, group_metadata)
        try:
            self._live.send_offsets_to_transaction(offsets, group_metadata, self._patience)
        except KafkaException as failure:
            if error_of(failure).code() in FORMER_MEMBER:
                reach("offsets_refused")
            raise self._failed(failure, "send offsets", committing=False) from failure

    def commit(self) -> None:
        """Commit; afterwards everything in the transaction is visible at once.

        Raises:
            Aborted: Nothing is or will be visible.
            OutcomeUnknown: No answer came; a new producer has settled it, but which way is not
                known: read what was committed before going on.
            Fenced: Another process took over.
        """
        try:
            self._live.commit_transaction(self._patience)
        except KafkaException as failure:
            raise self._failed(failure, "commit", committing=True) from failure
        self._is_open = False

    def abort(self) -> None:
        """Give the transaction up. Never fails for a reason that a new producer settles."""
        if not self._is_open or self._producer is None:
            self._is_open = False
            return
        reach("txn_aborted")
        try:
            self._producer.abort_transaction(self._patience)
        except KafkaException as failure:
            error = error_of(failure)
            expired = self._has_expired
            self._discard_producer()
            if error.code() in FENCING and not expired:
                raise fenced(error, self.transactional_id) from failure
        self._is_open = False

    @property
    def _has_expired(self) -> bool:
        """Whether the broker may have aborted the transaction by its time-out.

        It does so by a new epoch, which looks the same here as a newer process of this name.
        """
        return self._is_open and monotonic() - self._began > 0.8 * self._patience

    def _failed(self, failure: KafkaException, what: str, *, committing: bool) -> LotgateError:
        """Bring the producer into a known state and say what became of the transaction."""
        error = error_of(failure)
        message = f"{what} of {self.transactional_id}: {error.str()}"
        if error.code() in FENCING and not self._has_expired:
            self._discard_producer()
            return fenced(error, self.transactional_id)
        if error.code() in DENIED:
            self.abort()
            return Misconfigured(message, code="denied", advice="grant the right that is named")
        if error.txn_requires_abort() or (not error.fatal() and not committing):
            return self._aborted(error, message)
        self._discard_producer()
        if committing:
            return OutcomeUnknown(
                message, kept="either all of the transaction is visible or nothing of it"
            )
        return Aborted(message, kept="nothing of the transaction is visible")

    def _aborted(self, error: KafkaError, message: str) -> LotgateError:
        if error.retriable() or error.code() == KafkaError._TIMED_OUT:  # noqa: SLF001
            reach("txn_aborted")
            self._discard_producer()
        else:
            try:
                self.abort()
            except Fenced as other:
                return other
        gone = Aborted(message, kept="nothing of the transaction is visible")
        gone.record_fault = error.code() in RECORD_FAULTS
        return gone

    def end_at(
        self,
        places: Iterable[tuple[str, int]],
        sent: tuple[list[TopicPartition], Any] | None = None,
    ) -> None:
        """Make sure that nothing of this name is open in some partitions, or in some positions.

        An earlier process of this name may have died while the broker forgot to end its
        transaction there: see `Traces`. Nobody remembers where it wrote, so whoever starts anew
        asks for all partitions that hold something open.

        Args:
            places: Topics and partitions; another writer's open transaction there stays open.
            sent: One position of a group, which stays as it is, and the group; see `undecided`.

        Raises:
            Transient: It is not certain yet; call again.
        """
        self._traces.suspect(places, sent)
        self.settle()
        self._end_lost()

    def _end_lost(self) -> None:
        if self._traces.are_ended:
            return
        try:
            self._traces.end(self._live, self._patience)
        except (KafkaException, BufferError) as failure:
            self._discard_producer()
            raise Transient(
                f"ending what {self.transactional_id} left open failed: {failure}",
                code="broker_unavailable",
            ) from failure

    def _discard_producer(self) -> None:
        producer, self._producer = self._producer, None
        if self._is_open:
            self._traces.lose()
        self._is_open = False
        if producer is not None:
            _discard(producer)

    def settle(self) -> None:
        """Make sure that a live producer exists, so that the last transaction's fate is fixed.

        Raises:
            Transient: The broker is not available; call again.
        """
        if self._producer is None:
            self.open()


def _discard(producer: Producer) -> None:
    """Drop what is queued, so that letting go does not wait for a broker that is away.

    The producer's own `close` is not called: it would end the open transaction, and a request of
    a discarded producer is exactly what must not reach the broker any more.
    """
    producer.purge()
