"""BEGIN and END of each transaction, with counts, on a topic of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.base import RawRecord
from connectors.sources.encoding import primitives as avro
from connectors.sources.postgres.beside.schemas import TRANSACTION_KEY, TRANSACTION_VALUE
from connectors.sources.postgres.shape.envelope import some_long
from connectors.sources.postgres.shape.identity import event_headers, mark_event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.base import TableTopics
    from connectors.sources.postgres.settings import PostgresSettings


@dataclass(frozen=True, slots=True)
class Counted:
    """A transaction, or the part of it that was read so far.

    Attributes:
        xid: Its number.
        commit_lsn: Its commit position.
        committed_us: Its commit time in microseconds since 1970.
        total: Its events.
        tables: Its events by table.
    """

    xid: int
    commit_lsn: int
    committed_us: int
    total: int
    tables: Mapping[str, int]


class TransactionMarks:
    """Writes BEGIN and END.

    Args:
        settings: The source's settings.
        topics: Makes the topic ready.
        system_id: The server's identity.
    """

    def __init__(self, settings: PostgresSettings, topics: TableTopics, system_id: str) -> None:
        self._topic = f"{settings.name}.transaction"
        self._source = settings.source
        self._system_id = system_id
        self._frames = topics.bind(self._topic, TRANSACTION_KEY, TRANSACTION_VALUE)

    def begin(self, counted: Counted) -> RawRecord:
        """The record in front of a transaction's first event."""
        return self._record(counted, "BEGIN", avro.NULL + avro.NULL)

    def end(self, counted: Counted) -> RawRecord:
        """The record behind a transaction's last event."""
        tables = [
            avro.SOME + avro.string(name) + avro.long(count)
            for name, count in sorted(counted.tables.items())
            if count
        ]
        counts = some_long(counted.total) + avro.SOME + avro.array(tables)
        return self._record(counted, "END", counts)

    def _record(self, counted: Counted, status: str, counts: bytes) -> RawRecord:
        name = avro.string(f"{counted.xid}:{counted.commit_lsn}")
        value = b"%b%b%b%b%b" % (
            self._frames[1],
            avro.string(status),
            name,
            counts,
            avro.long(counted.committed_us // 1000),
        )
        event = mark_event(self._system_id, self._source, counted.commit_lsn, status.lower())
        return RawRecord(self._topic, self._frames[0] + name, value, event_headers(event))
