"""The log's messages put together into changes: whole transactions, or bounded chunks of them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from connectors.base import Change, Position
from connectors.sources.encoding import primitives as avro
from connectors.sources.encoding.transactions import TransactionHead, chunk_body
from connectors.sources.postgres.beside.session import Beside
from connectors.sources.postgres.log import pgoutput
from connectors.sources.postgres.log.transaction import OpenTransaction, Origin, dead_row
from connectors.sources.postgres.shape.envelope import SourceBlock, SourceFacts, clock_part
from connectors.sources.postgres.shape.identity import row_event
from connectors.sources.postgres.shape.rows import Blocks, Carried, Place, RowWriter
from streams.errors import Misconfigured, Poison

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.shape.tables import Table, Tables

_BEGIN, _COMMIT, _RELATION, _TRUNCATE = b"BCRT"
_INSERT, _UPDATE, _DELETE = b"IUD"
_MESSAGE = ord("M")
_IGNORED = frozenset(b"OY")
"""Origin and type."""


class Assembler:
    """Feeds on messages and gives changes.

    Args:
        settings: The source's settings.
        origin: Where the rows come from.
        tables: The tables of this session.
        start: Where the stream starts: the end of the last whole transaction.
        middle: Where a split transaction goes on, as `Position` keeps it; None at a boundary.
    """

    def __init__(
        self,
        settings: PostgresSettings,
        origin: Origin,
        tables: Tables,
        start: int,
        middle: Mapping[str, Any] | None = None,
    ) -> None:
        self._settings = settings
        self.origin = origin
        self._tables = tables
        self._middle = middle
        self._writer = RowWriter(settings.record_bytes, tombstones=settings.form.tombstones)
        self._beside = Beside(settings, tables.topics, origin)
        self._open: OpenTransaction | None = None
        self._done: deque[Change] = deque()
        self.boundary = start
        """End of the last whole transaction, whether it had rows or not."""

    @property
    def in_transaction(self) -> bool:
        """A transaction has begun and not ended."""
        return self._open is not None

    @property
    def unsettled(self) -> bool:
        """Only a row's own position may be stored: in a transaction, or before a split one's."""
        return self._open is not None or self._middle is not None

    def feed(self, lsn: int, message: bytes, now_us: int) -> deque[Change]:
        """Take one message.

        Args:
            lsn: Where the message starts in the log.
            message: The message.
            now_us: The clock in microseconds since 1970.

        Returns:
            Finished changes; the caller empties the queue.
        """
        kind = message[0]
        if kind in (_INSERT, _UPDATE, _DELETE):
            self._row(self._current(), kind, lsn, message)
        elif kind == _BEGIN:
            self._begin(pgoutput.read_begin(message), now_us)
        elif kind == _COMMIT:
            self._commit(pgoutput.read_commit(message))
        else:
            self._rarely(kind, lsn, message, now_us)
        return self._done

    def _rarely(self, kind: int, lsn: int, message: bytes, now_us: int) -> None:
        if kind == _RELATION:
            self._tables.learn(pgoutput.read_relation(message))
        elif kind == _TRUNCATE:
            for oid in pgoutput.read_truncate(message):
                self._truncate(self._current(), self._tables.table(oid), lsn, oid)
        elif kind == _MESSAGE:
            self._message(pgoutput.read_message(message), now_us)
        elif kind not in _IGNORED:
            raise self._unforeseen(f"a message of kind {chr(kind)!r}")

    def _current(self) -> OpenTransaction:
        if self._open is None:
            raise self._unforeseen("a row outside a transaction")
        return self._open

    def _unforeseen(self, what: str) -> Misconfigured:
        return Misconfigured(
            f"Source {self._settings.source}: the log holds {what}",
            code="unforeseen_message",
            kept="nothing behind the stored position was confirmed",
            advice="report the server's version; this connector reads pgoutput protocol 1",
        )

    def _begin(self, begin: pgoutput.Begin, now_us: int) -> None:
        settings, origin = self._settings, self.origin
        head = TransactionHead(
            source=settings.source,
            translator=settings.translator,
            site=settings.site,
            database=origin.database,
            system_id=origin.system_id,
            tx_id=begin.xid,
            commit_lsn=begin.commit_lsn,
            committed_us=begin.committed_us,
            ingested_us=now_us,
            snapshot=False,
            connector_version=settings.version,
        )
        name = avro.raw(b"%d:%d" % (begin.xid, begin.commit_lsn))
        opened = OpenTransaction(begin, Blocks(name, 0, {}), head, clock_part(now_us * 1000))
        middle, self._middle = self._middle, None
        if middle is not None and middle["commit"] == begin.commit_lsn:
            opened.skip, opened.chunk = middle["ordinal"], middle["chunk"]
            opened.blocks = Blocks(name, middle["events"], dict(middle["tables"]))
        self._open = opened

    def _row(self, current: OpenTransaction, kind: int, lsn: int, message: bytes) -> None:
        ordinal = current.ordinal
        current.ordinal += 1
        if ordinal < current.skip:
            return
        oid = pgoutput.relation_of(message)
        table = self._tables.table(oid)
        place = self._place(current, ordinal, table, oid, lsn)
        blocks = current.blocks.of(table.name)
        before = blocks.total, blocks.tables.get(table.name, 0)
        try:
            carried = self._carry(kind, table, place, message, blocks)
        except Poison as error:
            blocks.total, blocks.tables[table.name] = before
            current.dead.append(dead_row(error, place.event_id, table.name, lsn, message))
            current.size += min(len(message), self._settings.record_bytes)
            current.rows += 1
        else:
            self._add(current, carried, ordinal)

    def _carry(
        self, kind: int, table: Table, place: Place, message: bytes, blocks: Blocks
    ) -> Carried:
        mark, old, new = pgoutput.read_row(message)
        if kind == _INSERT and new is not None:
            return self._writer.insert(table, place, new, blocks.next())
        if kind == _UPDATE and new is not None:
            return self._writer.update(table, place, mark, old, new, blocks)
        if kind == _DELETE and old is not None:
            return self._writer.delete(table, place, mark, old, blocks.next())
        raise Poison(
            f"A row message of kind {chr(kind)!r} lacks its row",
            code="malformed_row",
            advice="report it with the dead letter's bytes",
        )

    def _truncate(self, current: OpenTransaction, table: Table, lsn: int, oid: int) -> None:
        ordinal = current.ordinal
        current.ordinal += 1
        if ordinal >= current.skip:
            place = self._place(current, ordinal, table, oid, lsn)
            block = current.blocks.of(table.name).next()
            self._add(current, self._writer.truncate(table, place, block), ordinal)

    def _message(self, message: pgoutput.Message, now_us: int) -> None:
        """Carry a message; like a row it has an ordinal, where messages are wanted."""
        current = self._open
        if not self._beside.wants_messages:
            return
        if current is None or not message.transactional:
            change = self._beside.outside(message, now_us)
            if change is not None:
                self.boundary = max(self.boundary, change.position.fields["lsn"])
                self._done.append(change)
            return
        if current.ordinal >= current.skip:
            sequence = self._sequence(current, current.ordinal, message.lsn)
            record = self._beside.within(current, message, sequence, now_us)
            if record is not None:
                current.records.append(record)
                current.size += len(message.content)
                current.rows += 1
        current.ordinal += 1

    def _sequence(self, current: OpenTransaction, ordinal: int, lsn: int) -> bytes:
        """What orders events: by default it is unique, which Debezium's is not."""
        if self._settings.compat:
            return b'["%d","%d"]' % (self.boundary, lsn)
        return b'["%d","%d"]' % (current.begin.commit_lsn, ordinal)

    def _place(
        self, current: OpenTransaction, ordinal: int, table: Table, oid: int, lsn: int
    ) -> Place:
        begin = current.begin
        source = current.sources.get(oid)
        if source is None:
            relation = table.plan.relation
            source = current.sources[oid] = SourceBlock(
                SourceFacts(
                    name=self._settings.name,
                    version=self._settings.version,
                    database=self.origin.database,
                    schema=relation.schema,
                    table=relation.table,
                    committed_us=begin.committed_us,
                    xid=begin.xid,
                )
            )
        sequence = self._sequence(current, ordinal, lsn)
        event_id = row_event(
            self.origin.system_id, self._settings.source, begin.commit_lsn, ordinal
        )
        return Place(ordinal, event_id, source.encode(sequence, lsn), current.clock)

    def _add(self, current: OpenTransaction, carried: Carried, ordinal: int) -> None:
        if current.changes and current.filled + len(carried.change) > self._settings.chunk_bytes:
            self._finish(current, self._middle_position(current, ordinal, carried), last=False)
        current.changes.append(carried.change)
        current.records.extend(carried.records)
        current.filled += len(carried.change)
        current.size += carried.size
        current.rows += 1

    def _middle_position(
        self, current: OpenTransaction, ordinal: int, carried: Carried
    ) -> Position:
        """Where to go on in front of the row that no longer fits."""
        tables = dict(current.blocks.tables)
        events = sum(1 for record in carried.records if record.value is not None)
        name = current.blocks.current
        tables[name] -= events
        return Position(
            {
                **self.origin.base,
                "lsn": self.boundary,
                "middle": {
                    "commit": current.begin.commit_lsn,
                    "ordinal": ordinal,
                    "chunk": current.chunk + 1,
                    "events": current.blocks.total - events,
                    "tables": tables,
                },
            }
        )

    def _commit(self, commit: pgoutput.Commit) -> None:
        current = self._current()
        self._open = None
        self.boundary = commit.end_lsn
        if current.rows or current.chunk:
            position = Position({**self.origin.base, "lsn": commit.end_lsn})
            self._finish(current, position, last=True)

    def _finish(self, current: OpenTransaction, position: Position, *, last: bool) -> None:
        self._beside.around(current, last=last)
        body = chunk_body(current.head, current.chunk, current.changes, last=last)
        self._done.append(
            Change(
                position=position,
                records=current.records,
                transaction=body,
                dead=current.dead,
                rows=current.rows,
                size=current.size + len(body),
                xid=current.begin.xid,
            )
        )
        current.changes, current.records, current.dead = [], [], []
        current.filled = current.size = current.rows = 0
        current.chunk += 1
