"""The first reading of the published tables, as of the instant at which the slot starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg import pq

from connectors.base import Change, DeadRow, Position, RawRecord
from connectors.sources.encoding.transactions import TransactionHead, chunk_body
from connectors.sources.postgres.database.failures import of_psycopg, refused_connection
from connectors.sources.postgres.log.transaction import dead_row
from connectors.sources.postgres.names import place_of, qualified, quoted, session_dsn
from connectors.sources.postgres.shape.envelope import SourceBlock, SourceFacts, clock_part
from connectors.sources.postgres.shape.identity import snapshot_event
from connectors.sources.postgres.shape.rows import Carried, Place, RowWriter
from streams.errors import Poison
from streams.runtime import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from connectors.sources.postgres.database.catalog import Published
    from connectors.sources.postgres.log.pgoutput import Cells
    from connectors.sources.postgres.log.transaction import Origin
    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.shape.tables import Table, Tables

FETCH = 2_000


class _Read(NamedTuple):
    table: Table
    number: int
    cells: Cells


@dataclass(slots=True)
class _Chunk:
    number: int = 0
    filled: int = 0
    size: int = 0
    rows: int = 0
    changes: list[bytes] = field(default_factory=list)
    records: list[RawRecord] = field(default_factory=list)
    dead: list[DeadRow] = field(default_factory=list)


class Snapshot:
    """Reads all published tables in one transaction on an exported snapshot.

    Args:
        settings: The source's settings.
        origin: Where the rows come from.
        tables: The tables of this session.
        point: The slot's consistent point; the rows are as of there.
    """

    def __init__(
        self, settings: PostgresSettings, origin: Origin, tables: Tables, point: int
    ) -> None:
        self._settings = settings
        self._origin = origin
        self._tables = tables
        self._point = point
        self._writer = RowWriter(settings.record_bytes)
        self._now_us = clock.now_ms() * 1000
        self._head = TransactionHead(
            source=settings.source,
            translator=settings.translator,
            site=settings.site,
            database=origin.database,
            system_id=origin.system_id,
            tx_id=0,
            commit_lsn=point,
            committed_us=self._now_us,
            ingested_us=self._now_us,
            snapshot=True,
            connector_version=settings.version,
        )

    def changes(
        self, published: list[Published], name: str, stopped: Callable[[], bool]
    ) -> Iterator[Change]:
        """Read every table and yield bounded chunks; the last one opens the stream.

        Args:
            published: The tables.
            name: The exported snapshot.
            stopped: Tells whether to give up.

        Raises:
            Misconfigured: A table cannot be read.
            Transient: The connection broke.
        """
        chunk = _Chunk()
        reading = Position({**self._origin.base, "phase": "snapshot"})
        for read, mark in _marked(self._rows(published, name)):
            if stopped():
                return
            carried = self._carried(read, mark, chunk)
            if carried is None:
                continue
            if chunk.changes and chunk.filled + len(carried.change) > self._settings.chunk_bytes:
                yield self._finished(chunk, reading, last=False)
                chunk = _Chunk(chunk.number + 1)
            chunk.changes.append(carried.change)
            chunk.records.extend(carried.records)
            chunk.filled += len(carried.change)
            chunk.size += carried.size
            chunk.rows += 1
        streaming = Position({**self._origin.base, "lsn": self._point})
        yield self._finished(chunk, streaming, last=True)

    def _finished(self, chunk: _Chunk, position: Position, *, last: bool) -> Change:
        body = chunk_body(self._head, chunk.number, chunk.changes, last=last)
        return Change(
            position=position,
            records=chunk.records,
            transaction=body,
            dead=chunk.dead,
            rows=chunk.rows,
            size=chunk.size + len(body),
            snapshot=True,
            barrier=last,
        )

    def _carried(self, read: _Read, mark: str, chunk: _Chunk) -> Carried | None:
        """Encode a row; one that cannot be encoded goes to the chunk's dead rows."""
        plan = read.table.plan
        event_id = self._event_id(read, b"")
        try:
            key, _ = plan.key(read.cells)
            event_id = self._event_id(read, key or b"")
            source = SourceBlock(
                SourceFacts(
                    name=self._settings.name,
                    version=self._settings.version,
                    database=self._origin.database,
                    schema=plan.relation.schema,
                    table=plan.relation.table,
                    committed_us=self._now_us,
                    xid=None,
                    snapshot=mark,
                )
            )
            sequence = b'["%d","%d"]' % (self._point, read.number)
            place = Place(
                read.number,
                event_id,
                source.encode(sequence, self._point),
                clock_part(self._now_us * 1000),
            )
            return self._writer.read(read.table, place, read.cells)
        except Poison as error:
            raw = b"\t".join(b"\\N" if cell is None else cell for cell in read.cells)
            chunk.dead.append(dead_row(error, event_id, read.table.name, self._point, raw))
            return None

    def _event_id(self, read: _Read, key: bytes) -> str:
        system_id = self._origin.system_id
        return snapshot_event(system_id, self._point, read.table.name, key, read.number)

    def _rows(self, published: list[Published], name: str) -> Iterator[_Read]:
        try:
            connection = psycopg.connect(session_dsn(self._settings.dsn), autocommit=True)
        except psycopg.OperationalError as error:
            raise refused_connection(place_of(self._settings.dsn), str(error)) from error
        number = 0
        with connection:
            server = connection.pgconn
            _run(server, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            _run(server, f"SET TRANSACTION SNAPSHOT '{name}'")
            for each in published:
                table = self._tables.learn(each.relation)
                for cells in _table_rows(server, each):
                    yield _Read(table, number, cells)
                    number += 1
            _run(server, "COMMIT")


def _table_rows(server: pq.abc.PGconn, table: Published) -> Iterator[Cells]:
    columns = ", ".join(quoted(column.name) for column in table.relation.columns)
    # A parent of inherited tables is published for itself alone, a partitioned table as a whole.
    only = "ONLY " if table.kind == "r" else ""
    where = f" WHERE {table.row_filter}" if table.row_filter else ""
    query = f"SELECT {columns} FROM {only}{qualified(table.name)}{where}"  # noqa: S608 - quoted
    _run(server, f"DECLARE reading NO SCROLL CURSOR FOR {query}")
    while True:
        result = _run(server, f"FETCH {FETCH} FROM reading")
        width = range(result.nfields)
        for row in range(result.ntuples):
            yield [result.get_value(row, column) for column in width]
        if result.ntuples < FETCH:
            break
    _run(server, "CLOSE reading")


def _run(server: pq.abc.PGconn, command: str) -> pq.abc.PGresult:
    try:
        result = server.exec_(command.encode())
    except psycopg.Error as error:
        raise of_psycopg(error, "the snapshot") from error
    if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        raise of_psycopg(psycopg.errors.error_from_result(result), "the snapshot")
    return result


def _marked(rows: Iterator[_Read]) -> Iterator[tuple[_Read, str]]:
    """Say of each row where it stands in the snapshot, which needs a look at the next one."""
    previous: Table | None = None
    current = next(rows, None)
    first = True
    while current is not None:
        following = next(rows, None)
        if first:
            mark = "first"
        elif following is None:
            mark = "last"
        elif following.table is not current.table:
            mark = "last_in_data_collection"
        elif previous is not current.table:
            mark = "first_in_data_collection"
        else:
            mark = "true"
        yield current, mark
        first, previous, current = False, current.table, following
