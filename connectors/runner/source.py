"""The one loop of all sources: changes and position in one Kafka transaction, then confirm."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import TYPE_CHECKING

from connectors.runner.contract.draining import Draining
from connectors.runner.ending import in_thread
from connectors.runner.health.source import SourceHealth
from connectors.runner.source_batch import Batch, transaction_frame
from connectors.runner.source_position import stored_position, transactional_id
from connectors.runner.source_signals import TopicSignals
from connectors.runner.source_topics import SourceTopics
from connectors.sources.postgres import PostgresSource
from connectors.sources.postgres.database.failures import SLOT_IN_USE
from streams.contracts.topics import TRANSLATE_INPUT
from streams.engine import Transaction, broker_answers, reach, unended, wait_for_broker
from streams.errors import LotgateError, Misconfigured, Transient
from streams.runtime import clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.base import Change, Position, Source
    from connectors.runner.source_config import SourceConfig
    from streams.contracts.codec import Codec
    from streams.runtime.connection import KafkaConnection

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 15.0
LINGER_MS = 20
"""How long a batch may wait for company: few large ones cost least. A commit waits for none."""
STOP_S = 0.3
"""How long a stop waits before it asks whether the broker is there to wait for."""
ANSWER_S = 0.6
"""How soon the broker must answer then; a wrong no costs what a killed process costs."""
_log = logging.getLogger(__name__)


class SourceLoop:
    """Runs one source until it is stopped.

    Whatever goes wrong for a while, the loop goes back to the stored position with a new producer
    and a new connection: there is one way to start, and it is taken every time.

    Args:
        config: The source.
        connection: Where the broker is.
        codec: Writes transaction records; its registry gives schemas their ids.
        health: Is kept up to date.
    """

    def __init__(
        self,
        config: SourceConfig,
        connection: KafkaConnection,
        codec: Codec,
        health: SourceHealth,
    ) -> None:
        self._config = config
        self._connection = connection
        self._codec = codec
        self._health = health
        self._topics = SourceTopics(config, connection, codec.registry)
        self._stop = threading.Event()
        self._source: Source | None = None
        self._wait = FIRST_WAIT_S
        self._held_since: float | None = None

    def stop(self) -> None:
        """Make `run` end soon; may be called from another thread."""
        self._stop.set()
        source = self._source
        if source is not None:
            source.stop()

    def run(self) -> None:
        """Read until stopped.

        Raises:
            Misconfigured: A person must change something; says what.
            LotgateError: Another process took this source over.
        """
        try:
            while not self._stop.is_set():
                try:
                    self._session()
                except Transient as error:
                    self._pause(error)
        finally:
            self._health.state = "ended"

    def _pause(self, error: Transient) -> None:
        if getattr(error, "record_fault", False):
            raise Misconfigured(
                f"The broker refuses a record of source {self._config.source}: {error.message}",
                code="record_refused",
                kept="nothing of the transaction is visible, the slot was not confirmed",
                advice="raise max.message.bytes of the source's topics to what preflight names",
            ) from error
        if self._stop.is_set():
            return
        self._refuse_if_held(error)
        self._health.state, self._health.detail = "waiting", str(error)
        self._health.retries += 1
        _log.warning("source %s goes back and tries again: %s", self._config.source, error)
        self._stop.wait(self._wait)
        self._wait = min(self._wait * 2, LONGEST_WAIT_S)

    def _refuse_if_held(self, error: Transient) -> None:
        """Stop by name once someone else has read the slot for too long."""
        if error.code != SLOT_IN_USE:
            self._held_since = None
            return
        now = time.monotonic()
        self._held_since = self._held_since or now
        if now - self._held_since > self._config.slot_wait_s:
            raise Misconfigured(
                f"{error.message}, for more than {self._config.slot_wait_s:g} s",
                code=SLOT_IN_USE,
                kept=error.kept,
                advice=error.advice or "end that reader, or give this source a slot of its own",
            ) from error

    def _session(self) -> None:
        config = self._config
        # Else the calls below wait for it by themselves: long, silently, and past a stop.
        if not wait_for_broker(self._connection, self._stop, f"source {config.source}"):
            return
        self._topics.prepare()
        name = transactional_id(self._connection, config.source)
        with Transaction(
            self._connection,
            name,
            timeout_ms=config.transaction_timeout_ms,
            extra={"linger.ms": LINGER_MS},
        ) as transaction:
            transaction.end_at(unended(self._connection, self._topics.written()))
            self._codec.prepare([TRANSLATE_INPUT], register=config.provision)
            frame = transaction_frame(self._codec, clock.now())
            self._topics.contract.read()
            since = stored_position(self._connection, self._topics, config)
            self._health.position = {} if since is None else since.fields
            batch = Batch(config, self._topics, transaction, frame)
            signals = TopicSignals(self._connection, self._topics.signals, config.partition)
            source = self._source = PostgresSource(
                config.postgres(self._connection.prefix), signals
            )
            if self._stop.is_set():
                source.stop()
            draining = Draining(self._topics, self._connection, config, transaction, batch.produce)
            try:
                self._carry(source, since, batch, draining)
            finally:
                self._source = None
                signals.close()
                source.close()

    def _carry(
        self, source: Source, since: Position | None, batch: Batch, draining: Draining
    ) -> None:
        parking = self._topics.contract.parking
        streams = since is not None and since.fields["phase"] == "stream"
        for change in self._whole(source.changes(since, self._topics), source, batch):
            self._health.seen_ms = clock.now_ms()
            if change is not None:
                batch.add(change)
            due = change is None or change.barrier or batch.full
            if due and batch.position is not None:
                streams = batch.position.fields["phase"] == "stream"
                self._commit(batch, source)
            if streams and parking.due and batch.position is None and draining.tend():
                return
            if change is None or not (change.barrier or change.snapshot):
                self._health.state, self._health.detail = "reading", parking.words

    def _whole(
        self, changes: Iterator[Change | None], source: Source, batch: Batch
    ) -> Iterator[Change | None]:
        """Give the changes; commit what came before a failure of the source."""
        try:
            yield from changes
        except LotgateError:
            # Parts of a snapshot are better read again than published twice.
            if batch.position is not None and not batch.snapshot:
                self._commit(batch, source)
            raise

    def _commit(self, batch: Batch, source: Source) -> None:
        rows, dead = batch.rows, batch.dead
        position = batch.commit()
        source.confirm(position)
        reach("after_confirm")
        self._wait, self._held_since = FIRST_WAIT_S, None
        self._health.commits += 1
        self._health.rows += rows
        self._health.dead += dead
        self._health.position = position.fields
        self._health.committed_ms = clock.now_ms()


async def run_source(
    config: SourceConfig,
    connection: KafkaConnection,
    codec: Codec,
    *,
    health: SourceHealth | None = None,
) -> None:
    """Run a source until cancelled.

    Args:
        config: The source.
        connection: Where the broker is.
        codec: Writes transaction records; its registry gives schemas their ids.
        health: Kept up to date for probes.

    Raises:
        Misconfigured: A person must change something; says what.
    """
    loop = SourceLoop(config, connection, codec, health or SourceHealth())
    running = in_thread(loop.run, f"source-{config.source}")
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        loop.stop()
        await _stopped(running, config, connection)
        raise


async def _stopped(
    running: asyncio.Future[None], config: SourceConfig, connection: KafkaConnection
) -> None:
    """Wait for the loop's end, unless it hangs on a broker that is away.

    What it leaves open then is what a killed process leaves: nothing of it is visible, and the next
    process of this name ends it.
    """
    while True:
        await asyncio.wait({running}, timeout=STOP_S)
        if running.done():
            running.result()
            return
        if not await asyncio.to_thread(broker_answers, connection, ANSWER_S):
            _log.warning("source %s ends without waiting for the broker", config.source)
            return
