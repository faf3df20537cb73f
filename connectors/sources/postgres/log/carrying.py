"""Row changes of the log carried into the open transaction: in runs by generated code, else singly.

Generated code takes consecutive rows of a table in binary form as long as they are as foreseen.
The first one that is not goes the long way, over the server's text, which knows every case.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from connectors.sources.encoding import primitives as avro
from connectors.sources.postgres.generated.encoder import Span
from connectors.sources.postgres.log import frames, pgoutput
from connectors.sources.postgres.log.pgoutput import UNCHANGED
from connectors.sources.postgres.log.readable import readable
from connectors.sources.postgres.log.transaction import dead_row
from connectors.sources.postgres.shape.envelope import SourceBlock, SourceFacts
from connectors.sources.postgres.shape.identity import row_event, uuid_seed
from connectors.sources.postgres.shape.rows import (
    OP_CREATE,
    OP_DELETE,
    OP_UPDATE,
    Carried,
    Place,
    RowWriter,
)
from streams.errors import Poison

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.sources.encoding.blocks import Blocks
    from connectors.sources.postgres.log.transaction import OpenTransaction, Origin
    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.shape.tables import Table, Tables

_INSERT, _UPDATE, _DELETE = b"IUD"
_KEY = ord("K")
"""The old image is of the key alone, which only a change of the key brings."""
_PLACE_DIGITS, _ORDINAL_DIGITS = 21, 11
"""Digits of the longest number that orders events, and one: a place in the log, or an ordinal."""


class Carrying:
    """Carries the rows of one session.

    Args:
        settings: The source's settings.
        origin: Where the rows come from.
        tables: The tables of the session.
    """

    def __init__(self, settings: PostgresSettings, origin: Origin, tables: Tables) -> None:
        self._settings = settings
        self._origin = origin
        self._tables = tables
        self._writer = RowWriter(settings.record_bytes, tombstones=settings.form.tombstones)
        # A transaction record needs each cell's text, which generated code does not make.
        self._generated = not settings.translator
        self.boundary = 0
        """End of the last whole transaction, part of the order that Debezium gives events."""

    def run(self, current: OpenTransaction, stream: Sequence[bytes], at: int) -> int:
        """Carry rows from a frame on.

        Args:
            current: The open transaction; what is counted in it is exact afterwards.
            stream: Frames.
            at: The first row's place in them.

        Returns:
            The place behind the last row that was carried; `at` if that one goes the long way.
        """
        oid = frames.relation_of(stream[at])
        table = self._tables.table(oid)
        encoder = table.encoder
        if encoder is None or not self._generated:
            return at
        settings, blocks, name = self._settings, current.blocks, table.name
        span = current.spans.get(oid) or self._span(current, table, oid)
        begun, filled = current.ordinal, current.filled
        at, current.ordinal, blocks.total, blocks.tables[name], current.filled = encoder.run(
            stream,
            at,
            len(stream),
            span,
            begun,
            blocks.total,
            blocks.tables.get(name, 0),
            filled,
            settings.chunk_bytes,
            settings.record_bytes,
            current.records.append,
        )
        current.size += current.filled - filled
        current.rows += current.ordinal - begun
        return at

    def one(self, current: OpenTransaction, lsn: int, message: bytes) -> Carried | None:
        """Carry one row the long way; None if it became a dead row. The caller counts it."""
        ordinal, oid = current.ordinal, pgoutput.relation_of(message)
        table = self._tables.table(oid)
        place = self._place(current, ordinal, table, oid, lsn)
        blocks = current.blocks.of(table.name)
        before = blocks.total, blocks.tables.get(table.name, 0)
        try:
            carried = self._carried(table, place, message, blocks)
            if not table.plan.outdated():
                return carried
            blocks.total, blocks.tables[table.name] = before
            return self._carried(self._tables.renewed(table), place, message, blocks)
        except Poison as error:
            blocks.total, blocks.tables[table.name] = before
            raw = message if table.mask is None else table.mask.message(message)
            dead = dead_row(error, place.event_id, table.name, lsn, raw, table.shape)
            current.dead.append(replace(dead, row=readable(table, raw)))
            size = min(len(message), self._settings.record_bytes)
            current.size += size
            current.filled += size
            current.rows += 1
            return None

    def truncated(self, current: OpenTransaction, oid: int, lsn: int) -> Carried:
        """Carry a truncate of one table."""
        table = self._tables.table(oid)
        place = self._place(current, current.ordinal, table, oid, lsn)
        return self._writer.truncate(table, place, current.blocks.of(table.name).next())

    def sequence(self, current: OpenTransaction, ordinal: int, lsn: int) -> bytes:
        """What orders events: by default it is unique, which Debezium's is not."""
        if self._settings.compat:
            return b'["%d","%d"]' % (self.boundary, lsn)
        return b'["%d","%d"]' % (current.begin.commit_lsn, ordinal)

    def _carried(self, table: Table, place: Place, message: bytes, blocks: Blocks) -> Carried:
        kind = message[0]
        mark, old, new = pgoutput.read_row(message, table.renders)
        if mark == _KEY and new is not None and UNCHANGED in new and not self._settings.compat:
            new = self._tables.refilled(table, new)
        if table.mask is not None:
            old, new = (None if row is None else table.mask.cells(row) for row in (old, new))
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

    def _source(self, current: OpenTransaction, table: Table, oid: int) -> SourceBlock:
        source = current.sources.get(oid)
        if source is None:
            begin, relation = current.begin, table.plan.relation
            source = current.sources[oid] = SourceBlock(
                SourceFacts(
                    name=self._settings.name,
                    version=self._settings.version,
                    database=self._origin.database,
                    schema=relation.schema,
                    table=relation.table,
                    committed_us=begin.committed_us,
                    xid=begin.xid,
                )
            )
        return source

    def _place(
        self, current: OpenTransaction, ordinal: int, table: Table, oid: int, lsn: int
    ) -> Place:
        source = self._source(current, table, oid)
        event_id = row_event(
            self._origin.system_id, self._settings.source, current.begin.commit_lsn, ordinal
        )
        sequence = self.sequence(current, ordinal, lsn)
        return Place(ordinal, event_id, source.encode(sequence, lsn), current.clock)

    def _span(self, current: OpenTransaction, table: Table, oid: int) -> Span:
        """Encode what a table's rows share in this transaction."""
        head, middle = self._source(current, table, oid).pieces
        mirror, commit = table.plan.mirror, current.begin.commit_lsn
        opening = b'["%d","' % (self.boundary if mirror else commit)
        event = row_event(self._origin.system_id, self._settings.source, commit, 0)[:-1]
        ends = [op + current.clock for op in (OP_CREATE, OP_UPDATE, OP_DELETE)]
        span = current.spans[oid] = Span(
            heads=[
                b"%b%b%b" % (head, avro.long(len(opening) + digits + 2), opening)
                for digits in range(_PLACE_DIGITS if mirror else _ORDINAL_DIGITS)
            ],
            middle=b'"]' + middle,
            block=b"\0\0\0" + current.blocks.opening,
            tails=ends if mirror else [end + avro.NULL + avro.NULL for end in ends],
            lost_tails=ends,
            event=event.encode(),
            seed=uuid_seed(event),
        )
        return span
