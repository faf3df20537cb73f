"""The records beside the rows' in one session: what the assembler asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.base import Change, Position
from connectors.sources.encoding import primitives as avro
from connectors.sources.postgres.beside.messages import Emitted, MessageRecords
from connectors.sources.postgres.beside.transactions import Counted, TransactionMarks
from connectors.sources.postgres.shape.identity import mark_event, row_event

if TYPE_CHECKING:
    from connectors.base import RawRecord, TableTopics
    from connectors.sources.postgres.log.pgoutput import Message
    from connectors.sources.postgres.log.transaction import OpenTransaction, Origin
    from connectors.sources.postgres.settings import PostgresSettings


class Beside:
    """Writes what the settings ask for; nothing by default.

    Args:
        settings: The source's settings.
        topics: Makes topics ready.
        origin: Where the rows come from.
    """

    def __init__(self, settings: PostgresSettings, topics: TableTopics, origin: Origin) -> None:
        form = settings.form
        self._settings = settings
        self._origin = origin
        self._marks = (
            TransactionMarks(settings, topics, origin.system_id)
            if form.transaction_metadata
            else None
        )
        self._messages = (
            MessageRecords(settings, topics, origin.database) if form.messages else None
        )

    @property
    def wants_messages(self) -> bool:
        """Messages are written, so each takes an ordinal."""
        return self._messages is not None

    def around(self, opened: OpenTransaction, *, last: bool) -> None:
        """Put BEGIN in front of a transaction's first chunk and END behind its last."""
        if self._marks is None:
            return
        begin, blocks = opened.begin, opened.blocks
        counted = Counted(
            begin.xid, begin.commit_lsn, begin.committed_us, blocks.total, blocks.tables
        )
        if opened.chunk == 0:
            opened.records.insert(0, self._marks.begin(counted))
        if last:
            opened.records.append(self._marks.end(counted))

    def within(
        self, opened: OpenTransaction, message: Message, sequence: bytes, now_us: int
    ) -> RawRecord | None:
        """The record of a message that was emitted in a transaction.

        Args:
            opened: The transaction; its ordinal is the message's.
            message: The message.
            sequence: Its order, as the text of a JSON array.
            now_us: The clock in microseconds since 1970.
        """
        if self._messages is None:
            return None
        begin, origin = opened.begin, self._origin
        emitted = Emitted(
            event_id=row_event(
                origin.system_id, self._settings.source, begin.commit_lsn, opened.ordinal
            ),
            prefix=message.prefix,
            content=message.content,
            lsn=message.lsn,
            xid=begin.xid,
            instant_us=begin.committed_us,
            sequence=sequence,
            block=opened.blocks.of(self._messages.collection).next(),
        )
        return self._messages.record(emitted, now_us)

    def outside(self, message: Message, now_us: int) -> Change | None:
        """The change of a message that was emitted outside a transaction.

        The log gives the message's end as its place. A stream that starts there does not bring
        it again, and brings every transaction that commits later.
        """
        if self._messages is None:
            return None
        origin, lsn = self._origin, message.lsn
        emitted = Emitted(
            event_id=mark_event(origin.system_id, self._settings.source, lsn, "message"),
            prefix=message.prefix,
            content=message.content,
            lsn=lsn,
            xid=None,
            instant_us=now_us,
            sequence=b'["%d","%d"]' % (lsn, 0 if not self._settings.compat else lsn),
            block=avro.NULL,
        )
        record = self._messages.record(emitted, now_us)
        size = len(message.content)
        position = Position({**origin.base, "lsn": lsn})
        return Change(position=position, records=[record], rows=1, size=size)
