"""Giving parked rows back, in order, a bounded part in each transaction."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING

from connectors.runner.contract.parking import (
    FRAME_BYTES,
    MOVED_KEYS,
    destination,
    framed,
    version_in,
)
from connectors.runner.contract.subjects import REFUSALS
from streams.engine import reach, read_partition
from streams.errors import Misconfigured, Transient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from connectors.base import RawRecord
    from connectors.runner.contract.history import Version
    from connectors.runner.contract.parking import Parked
    from connectors.runner.source_config import SourceConfig
    from connectors.runner.source_topics import SourceTopics
    from streams.engine import Record, Transaction
    from streams.runtime.connection import KafkaConnection

PART_RECORDS = 5_000
PART_BYTES = 16 * 1024 * 1024
_log = logging.getLogger(__name__)


class Draining:
    """Gives the rows of parked tables back when the registry takes their schemas.

    Args:
        topics: The source's topics.
        connection: Where the broker is.
        config: The source.
        transaction: The source's transactional producer.
        produce: Adds raw records to the open transaction.
    """

    def __init__(
        self,
        topics: SourceTopics,
        connection: KafkaConnection,
        config: SourceConfig,
        transaction: Transaction,
        produce: Callable[[list[RawRecord]], None],
    ) -> None:
        self._contract = topics.contract
        self._connection = connection
        self._partition = config.partition
        self._transaction = transaction
        self._produce = produce
        self._frames: dict[tuple[str, int], tuple[bytes, bytes]] = {}

    def tend(self) -> bool:
        """Ask the registry for the parked tables if it is time, and give a part back.

        Only between two transactions.

        Returns:
            Whether a table flows again: its frames have to be asked for anew.

        Raises:
            Misconfigured: The parking topic lacks what it must hold.
            Transient: The broker is not available.
        """
        parking = self._contract.parking
        if not parking.due:
            return False
        freed = False
        for parked in parking.tables:
            freed = self._part(parked) or freed
        return freed

    def _part(self, parked: Parked) -> bool:
        """Give a part of a table's rows back; whether it was the last one."""
        given: list[RawRecord] = []
        at = parked.offset
        refused = not parked.records and not self._takes_latest(parked)
        for record in self._waiting(parked):
            frames = self._frames_of(parked, record)
            if frames is None:
                refused = True
                break
            given.append(framed(record, frames))
            at = record.offset + 1
        if refused and not given:
            self._contract.parking.refused()
            return False
        if not given and parked.records:
            raise Misconfigured(
                f"The parking topic lacks {parked.records:,} records of {parked.table}",
                code="parked_records_missing",
                kept="nothing was given back out of order",
                advice="restore the topic, or forget the source's position to read the tables anew",
            )
        return self._finish(parked, at, given)

    def _finish(self, parked: Parked, at: int, given: list[RawRecord]) -> bool:
        parking = self._contract.parking
        self._transaction.begin()
        parking.given_back(parked.topic, at, given)
        done = len(given) == parked.records
        if done:
            parking.free(parked.topic)
        self._produce(given)
        self._produce(self._contract.states(resumed=parked.topic if done else ""))
        reach("in_drain")
        self._transaction.commit()
        reach("after_drain")
        if done:
            _log.warning("the registry takes the schema of %s: the table flows", parked.table)
        return done

    def _waiting(self, parked: Parked) -> Iterator[Record]:
        """The next records that wait for a table's topic, at most a part."""
        if not parked.records:
            return
        place = self._contract.places.parked
        size = 0
        found = (
            record
            for record in read_partition(
                self._connection, place, self._partition, offset=parked.offset
            )
            if record is not None and destination(record) == parked.topic
        )
        for record in islice(found, min(PART_RECORDS, parked.records)):
            yield record
            size += len(record.value or b"") + FRAME_BYTES
            if size >= PART_BYTES:
                return

    def _frames_of(self, parked: Parked, record: Record) -> dict[int, tuple[bytes, bytes]] | None:
        """The frames that a record needs; None while the registry refuses one."""
        moved = (content for name, content in record.headers if name in MOVED_KEYS)
        versions = (version_in(each) for each in (record.key, record.value, *moved))
        found = {}
        for number in {each for each in versions if each is not None}:
            frames = self._frames.get((parked.topic, number)) or self._asked(parked, number)
            if frames is None:
                return None
            found[number] = frames
        return found

    def _asked(self, parked: Parked, number: int) -> tuple[bytes, bytes] | None:
        version = self._contract.history.find(parked.topic, number)
        if version is None:
            raise Misconfigured(
                f"The history topic lacks version {number} of {parked.table}",
                code="history_missing",
                kept="the table's rows stay in the parking topic",
                advice="restore the topic, or forget the source's position to read the tables anew",
            )
        frames = self._taken(version)
        if frames is not None:
            self._frames[parked.topic, number] = frames
        return frames

    def _takes_latest(self, parked: Parked) -> bool:
        latest = self._contract.history.latest(parked.topic)
        return latest is None or self._taken(latest) is not None

    def _taken(self, version: Version) -> tuple[bytes, bytes] | None:
        """The frames of a version; None while the registry refuses a schema or does not answer.

        Other tables need no registry, so its absence must not stop them.
        """
        try:
            return self._contract.framed(version)
        except (Misconfigured, Transient) as error:
            if error.code not in REFUSALS:
                _log.warning("the registry cannot be asked for %s: %s", version.shape.table, error)
            return None
