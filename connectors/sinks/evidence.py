"""The evidence store as a target: records and the positions behind them in one transaction.

PostgreSQL 14 or later. Events are upserted by event id, so nothing is stored twice however often it
is delivered; the position of a partition only moves from where this writer last saw it, so a writer
that was replaced without noticing (a zombie) changes nothing. A record that cannot be decoded, or
that the database refuses, is kept with its bytes and does not stop the others.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import psycopg

from streams.errors import Poison, Transient
from streams.evidence.database import (
    ADVANCE,
    BOUNDS,
    STORE_DEAD_LETTER,
    STORE_EVENT,
    STORE_LOT,
    connected,
    judged,
)
from streams.evidence.records import (
    STORED,
    LotRow,
    dead_letter_row,
    event_row,
    lot_rows,
    undecodable_row,
)
from streams.evidence.tables import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from streams.contracts.topics import Topic
    from streams.evidence.database import ReadRecord

E = TypeVar("E")

Part = tuple[str, int]
"""A topic's full name and a partition."""


class Decoding(Protocol):
    """The part of the codec that a reader needs."""

    def decode(self, topic: Topic[E], payload: bytes) -> E:
        """Decode a record's value.

        Raises:
            Poison: The bytes can never be decoded.
            Transient: The schema registry cannot be reached.
        """
        ...


class Overtaken(Transient):
    """Another writer of the same group has stored records of a partition since this one began."""

    code = "overtaken"


@dataclass(slots=True)
class Prepared:
    """Rows that one batch of records becomes."""

    events: list[dict[str, Any]] = field(default_factory=list)
    letters: list[dict[str, Any]] = field(default_factory=list)

    def lots(self) -> list[LotRow]:
        """Return the lots that the events name, in one order for all writers."""
        return lot_rows(lot for row in self.events for lot in row["lots"])


class EvidenceStore:
    """Writes records of one consumer group into the evidence database.

    Args:
        dsn: Connection string of the database; never logged.
        group: Full name of the consumer group that owns the positions.
        topics: Topic values by their full names on the broker.
        codec: Decodes their records.
    """

    def __init__(
        self, dsn: str, group: str, topics: Mapping[str, Topic[Any]], codec: Decoding
    ) -> None:
        self._dsn = dsn
        self._group = group
        self._topics = topics
        self._codec = codec
        self._connection: psycopg.Connection[Any] | None = None
        self._stored: dict[Part, int | None] = {}

    def open(self) -> None:
        """Connect, and make the tables that are missing.

        Raises:
            Transient: The database cannot be reached.
            Misconfigured: Rights are missing, or the tables are newer than this build.
        """
        self.close()
        self._connection = connected(self._dsn, "lotgate-evidence")
        try:
            self._connection.execute(BOUNDS)
            migrate(self._connection)
        except psycopg.Error as error:
            self.close()
            raise judged(error) from error

    def close(self) -> None:
        """Disconnect; what was not committed is rolled back by the server."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._stored.clear()

    def positions(self, parts: Iterable[Part]) -> dict[Part, int | None]:
        """Read where each partition goes on; None for one that was never read.

        What is read here is what `write` expects to find: the promise that no other writer came in
        between.
        """
        wanted = list(parts)
        try:
            rows = self._open().execute(
                "select topic, partition, next_offset from evidence.offsets"
                " where consumer_group = %s",
                (self._group,),
            )
            known = {(topic, partition): following for topic, partition, following in rows}
        except psycopg.Error as error:
            raise judged(error) from error
        found = {part: known.get(part) for part in wanted}
        self._stored.update(found)
        return found

    def write(
        self, records: Sequence[ReadRecord], before_commit: Callable[[], None] = lambda: None
    ) -> None:
        """Store records and move the positions behind them, in one database transaction.

        Args:
            records: In offset order within each partition.
            before_commit: Called when all is written and nothing is committed.

        Raises:
            Transient: Nothing was stored; the same records can be given again after `open`.
            Overtaken: Another writer owns one of the partitions; nothing was stored.
        """
        prepared = self._prepare(records)
        try:
            try:
                self._commit(records, prepared, before_commit)
            except psycopg.DataError:
                self._commit(records, prepared, before_commit, one_by_one=True)
        except psycopg.Error as error:
            raise judged(error) from error
        self._stored.update(_following(records))

    def _prepare(self, records: Sequence[ReadRecord]) -> Prepared:
        prepared = Prepared()
        for record in records:
            topic = self._topics.get(record.topic)
            if topic is None:
                prepared.letters.append(dead_letter_row(record))
            elif record.value is not None:
                self._decode(topic, record, prepared)
            elif topic.cleanup != "compact":
                # Only a compacted topic has tombstones; elsewhere a record without value is bad.
                error = Poison(f"{record.topic} never has empty records", code="empty_record")
                prepared.letters.append(undecodable_row(record, self._group, error, error.code))
        return prepared

    def _decode(self, topic: Topic[Any], record: ReadRecord, prepared: Prepared) -> None:
        try:
            event = self._codec.decode(topic, record.value or b"")
            prepared.events.append(event_row(STORED[topic], event, record))
        except Poison as error:
            prepared.letters.append(undecodable_row(record, self._group, error, error.code))

    def _commit(
        self,
        records: Sequence[ReadRecord],
        prepared: Prepared,
        before_commit: Callable[[], None],
        *,
        one_by_one: bool = False,
    ) -> None:
        connection = self._open()
        with connection.transaction(), connection.cursor() as cursor:
            self._advance(cursor, _following(records))
            if one_by_one:
                prepared = self._sieve(connection, records, prepared)
            elif prepared.events:
                cursor.executemany(STORE_EVENT, prepared.events)
            lots = [dataclasses.asdict(row) for row in prepared.lots()]
            if lots:
                cursor.executemany(STORE_LOT, lots)
            if prepared.letters:
                cursor.executemany(STORE_DEAD_LETTER, prepared.letters)
            before_commit()

    def _advance(self, cursor: psycopg.Cursor[Any], following: Mapping[Part, int]) -> None:
        for (topic, partition), after in sorted(following.items()):
            cursor.execute(
                ADVANCE,
                {
                    "group": self._group,
                    "topic": topic,
                    "partition": partition,
                    "next": after,
                    "expected": self._stored.get((topic, partition)),
                },
            )
            if cursor.rowcount != 1:
                raise Overtaken(
                    f"another writer of {self._group} has moved {topic}/{partition}",
                    kept="all records; this writer stored nothing of this batch",
                )

    def _sieve(
        self,
        connection: psycopg.Connection[Any],
        records: Sequence[ReadRecord],
        prepared: Prepared,
    ) -> Prepared:
        """Store event by event; what the database refuses becomes a dead letter."""
        read = {(r.topic, r.partition, r.offset): r for r in records}
        kept = Prepared(letters=list(prepared.letters))
        for row in prepared.events:
            try:
                with connection.transaction():
                    connection.execute(STORE_EVENT, row)
                kept.events.append(row)
            except psycopg.DataError as error:
                record = read[row["topic"], row["partition"], row["record_offset"]]
                kept.letters.append(
                    undecodable_row(record, self._group, error, "refused_by_database")
                )
        return kept

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            raise Transient("the evidence database is not connected", code="database_unreachable")
        return self._connection


def _following(records: Sequence[ReadRecord]) -> dict[Part, int]:
    return {(record.topic, record.partition): record.offset + 1 for record in records}
