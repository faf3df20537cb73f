"""Operators' orders to a source, from the topic where the command puts them."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

from connectors.base import Signal
from streams.engine import StartPosition, Transaction, high_watermark, read_partition
from streams.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.runner.source_config import SourceConfig
    from connectors.runner.source_topics import SourceTopics
    from streams.runtime.connection import KafkaConnection

PAUSE_S = 2.0
TRIES = 10
_log = logging.getLogger(__name__)


class TopicSignals:
    """Orders as they come, read by a thread of its own.

    Args:
        connection: Where the broker is.
        topic: Full name of the topic.
        partition: The source's own partition.
    """

    def __init__(self, connection: KafkaConnection, topic: str, partition: int) -> None:
        self._connection = connection
        self._topic = topic
        self._partition = partition
        self._found: deque[Signal] = deque()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def end(self) -> int:
        """See `connectors.base.Signals.end`."""
        for _ in range(TRIES):
            try:
                return high_watermark(self._connection, self._topic, self._partition)
            except Transient:
                # A topic that was just made may have no leader yet.
                self._stop.wait(PAUSE_S / TRIES)
        return high_watermark(self._connection, self._topic, self._partition)

    def begin(self, offset: int) -> None:
        """See `connectors.base.Signals.begin`."""
        self._thread = threading.Thread(
            target=self._run, args=(offset,), name="signals", daemon=True
        )
        self._thread.start()

    def taken(self) -> Sequence[Signal]:
        """See `connectors.base.Signals.taken`."""
        if not self._found:
            return ()
        return [self._found.popleft() for _ in range(len(self._found))]

    def close(self) -> None:
        """Let the thread end; it looks up about once a second, which nobody waits for."""
        self._stop.set()

    def _run(self, offset: int | None) -> None:
        while not self._stop.is_set():
            try:
                offset = self._follow(offset)
            except StartPosition:
                _log.warning("orders in %s from %s on are no longer kept", self._topic, offset)
                offset = None
            except Transient as error:
                _log.info("orders wait for the broker: %s", error)
                self._stop.wait(PAUSE_S)

    def _follow(self, offset: int | None) -> int | None:
        records = read_partition(
            self._connection, self._topic, self._partition, offset=offset, follow=True
        )
        for record in records:
            if record is not None:
                offset = record.offset + 1
                self._found.append(Signal(record.offset, record.value or b""))
            if self._stop.is_set():
                break
        return offset


def give_order(
    connection: KafkaConnection, topics: SourceTopics, config: SourceConfig, text: bytes
) -> None:
    """Put an order where the source reads it.

    Raises:
        Transient: The broker does not answer; nothing was ordered.
    """
    name = f"{connection.group}-{config.source}-signals"
    with Transaction(connection, name) as transaction:
        transaction.begin()
        transaction.produce(
            topics.signals, config.source.encode(), text, partition=config.partition
        )
        transaction.commit()
