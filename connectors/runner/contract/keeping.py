"""A source's contract with its readers, kept in the transactions that carry its rows."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from connectors.base import RawRecord
from connectors.runner.contract.announcing import (
    ACCEPTED,
    PARKED,
    RESUMED,
    as_json,
    changes_topic,
    told,
)
from connectors.runner.contract.history import History, Version
from connectors.runner.contract.parking import Parked, Parking, provisional
from connectors.runner.contract.subjects import REFUSALS, Subjects, frame
from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.engine import high_watermark, read_compacted
from streams.errors import Misconfigured
from streams.runtime import clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.base import TableShape
    from connectors.runner.source_config import SourceConfig
    from streams.contracts.registry import Registry
    from streams.runtime.connection import KafkaConnection

NO_FRAME = b""
_log = logging.getLogger(__name__)


class Places(NamedTuple):
    """Topics of the contract by their full names; `changes` is empty where none are told."""

    history: str
    parked: str
    changes: str = ""


class Contract:
    """What a source's tables look like, since when, and which of them wait for the registry.

    Args:
        config: The source.
        connection: Where the broker is.
        registry: Where schemas get their ids.
        places: The topics that it writes.
    """

    def __init__(
        self,
        config: SourceConfig,
        connection: KafkaConnection,
        registry: Registry,
        places: Places,
    ) -> None:
        self._config = config
        self._connection = connection
        self.places = places
        plain = config.compat == "debezium"
        self._avro = config.form.value_format == "avro"
        self._subjects = Subjects(registry, guard=self._avro and not plain)
        self._codec = Codec(Catalog.load(), registry, connection.prefix, connection.group)
        self._changes = changes_topic(config.source)
        self._frames: dict[str, list[tuple[Version, bytes]]] = {}
        self._load({})

    def read(self) -> None:
        """Read what is stored, past any transaction that a former process left open.

        Raises:
            Transient: Broker or registry are not available.
        """
        self.look()
        if self.places.changes and self._avro:
            self._codec.prepare([self._changes], register=True)

    def look(self) -> None:
        """Read what is stored, and nothing else.

        Raises:
            Transient: The broker is not available.
        """
        self._load(read_compacted(self._connection, self.places.history, self._config.partition))

    def _load(self, stored: dict[bytes, bytes]) -> None:
        config = self._config
        ours = {key: value for key, value in stored.items() if json.loads(key)[0] == config.source}
        waiting = {key: value for key, value in ours.items() if json.loads(key)[2] == "parked"}
        shapes = {key: value for key, value in ours.items() if key not in waiting}
        limits = (config.parked_records, config.parked_bytes)
        self.history = History(config.source, shapes)
        self.parking = Parking(
            config.source, (self.places.parked, config.partition), limits, waiting
        )
        self._frames.clear()

    def frames(
        self, topic: str, key: Any, value: Any, shape: TableShape | None
    ) -> tuple[bytes, bytes]:
        """The frames of a shape's keys and values; provisional ones while the table waits.

        Raises:
            Misconfigured: The registry refuses a schema, and there is no shape to keep rows by.
            Transient: The registry is not available.
        """
        if shape is None:
            return self._accepted(topic, key, value)
        version = self.history.version(topic, shape, key, value)
        if self.parking.table(topic) is not None:
            found = (provisional(version.number), provisional(version.number))
        else:
            try:
                found = self._accepted(topic, key, value)
            except Misconfigured as error:
                if error.code not in REFUSALS:
                    raise
                self._park(version, error)
                found = (provisional(version.number), provisional(version.number))
        self._frames.setdefault(topic, []).append((version, found[1]))
        return NO_FRAME if key is None else found[0], found[1]

    def _accepted(self, topic: str, key: Any, value: Any) -> tuple[bytes, bytes]:
        key_frame = NO_FRAME
        if key is not None:
            key_frame = frame(self._subjects.id_of(f"{topic}-key", key))
        return key_frame, frame(self._subjects.id_of(f"{topic}-value", value))

    def framed(self, version: Version) -> tuple[bytes, bytes]:
        """The frames of a version's keys and values.

        Raises:
            Misconfigured: With a code of `REFUSALS` while the registry refuses a schema.
            Transient: The registry is not available.
        """
        return self._accepted(version.topic, version.key_schema, version.value_schema)

    def _park(self, version: Version, error: Misconfigured) -> None:
        places = self.places
        at = high_watermark(self._connection, places.parked, self._config.partition)
        table = version.shape.table
        parked = Parked(version.topic, table, error.message, clock.now_ms(), at)
        self.parking.park(parked)
        _log.error(
            "source %s keeps the rows of %s aside, other tables flow: %s. They follow in order "
            "as soon as the registry takes the schema, which is tried again and again. Tell the "
            "readers of %s; then set the compatibility of its subjects to NONE in the registry, "
            "and back to FULL_TRANSITIVE when the table flows",
            self._config.source,
            table,
            error.message,
            version.topic,
        )

    def carried(self, records: list[RawRecord]) -> list[RawRecord]:
        """What is produced for a source's records: the same, at nearly all times.

        The first row of a new shape brings the shape's record and event along; rows of parked
        tables go aside.
        """
        if not self.history.fresh and not self.parking:
            return records
        beside = list(self._begun(records))
        return [*beside, *self.parking.divert(records)]

    def _begun(self, records: list[RawRecord]) -> Iterator[RawRecord]:
        for topic in list(self.history.fresh):
            first = self._first(topic, records)
            if first is None:
                continue
            for version in self.history.begun(topic, first):
                yield self._entry(self.history.key(version), version.record())
                parked = self.parking.table(topic)
                status, reason = (PARKED, parked.reason) if parked else (ACCEPTED, "")
                yield from self._told(version, status, reason)

    def _first(self, topic: str, records: list[RawRecord]) -> str | None:
        """The id of the first event of a topic's new shape, None if there is none yet."""
        fresh = self.history.fresh[topic][0]
        mark = next((mark for version, mark in self._frames[topic] if version == fresh), b"")
        for record in records:
            if record.topic == topic and record.value is not None and record.value.startswith(mark):
                return next(text for name, text in record.headers if name == "event_id").decode()
        return None

    def _told(self, version: Version, status: str, reason: str = "") -> Iterator[RawRecord]:
        """The event of a version, unless this source tells of none."""
        if not self.places.changes:
            return
        event = told(self._config, self.history.before(version), version, status, reason)
        key = self._changes.key(event).encode()
        value = self._codec.encode(self._changes, event) if self._avro else as_json(event)
        yield RawRecord(self.places.changes, key, value, [], 0)

    def states(self, *, resumed: str = "") -> list[RawRecord]:
        """Records of what changed among the parked tables since the last call.

        Args:
            resumed: Topic of a table that flows again, of which an event tells.
        """
        version = self.history.latest(resumed) if resumed else None
        told_of = [] if version is None else list(self._told(version, RESUMED))
        return [*told_of, *(self._entry(*state) for state in self.parking.states())]

    def _entry(self, key: bytes, value: bytes | None) -> RawRecord:
        return RawRecord(self.places.history, key, value, [], self._config.partition)
