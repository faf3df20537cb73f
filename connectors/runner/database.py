"""The loop of targets that are databases: records and positions in one database transaction.

Kafka's own positions of the group are never used. Reading begins where the database says, a batch
and the new positions commit together, and after any failure the whole session ends and begins
again from the database. While the database is down this process is in no group and holds no
partition.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import tenacity

from connectors.runner.health.sink import SinkHealth
from connectors.sinks.evidence import EvidenceStore
from streams.contracts.provisioning import dead_letter_spec, topic_spec
from streams.contracts.topics import dead_letters, prefixed
from streams.engine import Reader, preflight, provision, reach
from streams.errors import LotgateError, Transient
from streams.evidence.records import STORED
from streams.runtime.telemetry import Counters, batch_span, extract

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from connectors.sinks.evidence import Decoding, Part
    from streams.contracts.topics import Topic
    from streams.runtime.connection import KafkaConnection

log = logging.getLogger("lotgate.evidence")

INTERFACE = "evidence"
LONGEST_WAIT_S = 30.0
DISCOVERY_MS = 10_000
"""How soon the dead letters of a new process are found."""


@dataclass(frozen=True, slots=True)
class EvidenceConfig:
    """What the evidence writer needs to know.

    Attributes:
        dsn: Connection string of the evidence database; never logged.
        provision: Create missing topics.
        batch_records: Most records in one database transaction.
        session_timeout_ms: How long a dead writer keeps its partitions.
    """

    dsn: str = field(repr=False)
    provision: bool = False
    batch_records: int = 500
    session_timeout_ms: int = 6_000


def evidence_topics(connection: KafkaConnection) -> dict[str, Topic[Any]]:
    """Every topic whose events are stored, by its full name."""
    return {topic.full_name(connection.prefix, connection.group): topic for topic in STORED}


def dead_letter_pattern(connection: KafkaConnection) -> str:
    """A subscription that matches the dead letters of this group's worker and connectors.

    A group `plant` must not read the dead letters of a group `plant2`. One pattern for all, because
    a pattern that matches no topic counts as an error.
    """
    name = prefixed(connection.prefix, dead_letters(connection.group)).replace(".", "[.]")
    return f"^{name}(-.*)?$"


async def run_evidence(
    config: EvidenceConfig,
    connection: KafkaConnection,
    codec: Decoding,
    counters: Counters | None = None,
    *,
    health: SinkHealth | None = None,
) -> None:
    """Fill the evidence store until cancelled.

    Args:
        config: Where the database is.
        connection: Where the broker is.
        codec: Decodes records.
        counters: Counts what was done; a new set unless given.
        health: Kept up to date for probes.

    Raises:
        Misconfigured: A person must act: rights, tables of a newer build, a wrong string.
        StartPosition: The topics no longer retain what was not read yet.
    """
    health = health or SinkHealth()
    writer = EvidenceWriter(config, connection, codec, counters or Counters(), health)
    work = asyncio.get_running_loop().run_in_executor(None, writer.run)
    try:
        await asyncio.shield(work)
    finally:
        writer.stop.set()
        await asyncio.gather(work, return_exceptions=True)
        health.state = "ended"


class EvidenceWriter:
    """Reads all evidence topics and writes them into the store, in a thread.

    Attributes:
        stop: Set it to end `run` after the running batch.
    """

    def __init__(
        self,
        config: EvidenceConfig,
        connection: KafkaConnection,
        codec: Decoding,
        counters: Counters,
        health: SinkHealth,
    ) -> None:
        self._health = health
        self._config = config
        self._connection = connection
        self._topics = evidence_topics(connection)
        self._group = f"{connection.group}-{INTERFACE}"
        self._store = EvidenceStore(
            config.dsn, prefixed(connection.prefix, self._group), self._topics, codec
        )
        self._counters = counters
        self._progressed = False
        self._checked = False
        self.stop = threading.Event()

    def run(self) -> None:
        """Work until `stop` is set; whatever is down is waited for."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Transient),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT_S),
            stop=tenacity.stop_when_event_set(self.stop),
            sleep=tenacity.sleep_using_event(self.stop),
            before_sleep=self._say_waiting,
            reraise=True,
        )
        while not self.stop.is_set():
            try:
                retrying(self._session)
            except Transient:
                # Only a stop ends the retrying; what was not stored stays in the topics.
                if not self.stop.is_set():
                    raise

    def _session(self) -> None:
        """One life of the database connection and the group membership.

        Returns when stopped, and when it fails after it made progress: the next failure is then
        the first of its kind again, and waits shortly.
        """
        self._progressed = False
        try:
            self._store.open()
            self._check()
            with self._reader() as reader:
                while not self.stop.is_set():
                    self._batch(reader)
        except Transient as error:
            self._counters.add("lotgate_aborts_total", interface=INTERFACE)
            if not self._progressed:
                raise
            log.warning("begins again from the stored positions: %s", error.message)
        finally:
            self._store.close()

    def _check(self) -> None:
        """Refuse to start on a broker that does not hold what is read here."""
        if self._checked:
            return
        specs = [topic_spec(topic, self._connection) for topic in STORED]
        specs.append(dead_letter_spec(self._connection.group, self._connection))
        if self._config.provision:
            provision(self._connection, specs)
        preflight(self._connection, specs)
        self._checked = True

    def _batch(self, reader: Reader) -> None:
        records = reader.poll(0.5, max_records=self._config.batch_records)
        self._health.turned(assigned=len(reader.assignment))
        if not records:
            return
        contexts = (context for record in records if (context := extract(record.headers)))
        with batch_span("process", self._group, size=len(records), links=contexts):
            self._store.write(records, lambda: reach("before_db_commit"))
        reach("after_db_commit")
        self._progressed = True
        self._counters.add("lotgate_records_read_total", len(records), interface=INTERFACE)
        self._counters.add("lotgate_commits_total", interface=INTERFACE)
        self._health.committed(len(records))

    def _reader(self) -> Reader:
        return Reader(
            self._connection,
            self._group,
            (*self._topics, dead_letter_pattern(self._connection)),
            start_positions=self._starts,
            session_timeout_ms=self._config.session_timeout_ms,
            extra={"topic.metadata.refresh.interval.ms": DISCOVERY_MS},
        )

    def _starts(self, parts: Iterable[Part]) -> Mapping[Part, int]:
        found = self._store.positions(parts)
        return {part: offset for part, offset in found.items() if offset is not None}

    def _say_waiting(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        wait = state.next_action.sleep if state.next_action is not None else 0.0
        self._counters.add("lotgate_retries_total", interface=INTERFACE)
        self._health.waits(error.message if isinstance(error, LotgateError) else str(error))
        log.warning(
            "waits %.1f s: %s",
            wait,
            error.message if isinstance(error, LotgateError) else error,
            extra={"interface": INTERFACE, "attempts": state.attempt_number},
        )
