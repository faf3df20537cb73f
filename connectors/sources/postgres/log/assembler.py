"""The log's messages put together into changes: whole transactions, or bounded chunks of them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from connectors.base import Change, Position
from connectors.sources.encoding import primitives as avro
from connectors.sources.encoding.blocks import Blocks
from connectors.sources.encoding.transactions import chunk_body, transaction_id
from connectors.sources.postgres.beside.session import Beside
from connectors.sources.postgres.log import frames, pgoutput
from connectors.sources.postgres.log.carrying import Carrying
from connectors.sources.postgres.log.transaction import OpenTransaction, Origin, head_of
from connectors.sources.postgres.shape.envelope import clock_part
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.shape.rows import Carried
    from connectors.sources.postgres.shape.tables import Tables

_BEGIN, _COMMIT, _RELATION, _TRUNCATE = b"BCRT"
_ROWS = b"IUD"
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
        self._carrying = Carrying(settings, origin, tables)
        self._carrying.boundary = start
        self._beside = Beside(settings, tables.topics, origin)
        self._open: OpenTransaction | None = None
        self._done: deque[Change] = deque()
        self.boundary = start
        """End of the last whole transaction, whether it had rows or not."""
        self.sent = 0
        """Up to here the server has sent everything, as it said between transactions."""
        self.confirmed: Callable[[], int] = lambda: start
        """The confirmed position."""
        self.takes: Callable[[pgoutput.Message], bool] | None = None
        """Asked of each logical message before it is carried; true keeps it to the asked one."""

    @property
    def in_transaction(self) -> bool:
        """A transaction has begun and not ended."""
        return self._open is not None

    @property
    def unsettled(self) -> bool:
        """Only a row's own position may be stored: in a transaction, or before a split one's."""
        return self._open is not None or self._middle is not None

    def feed(self, stream: Sequence[bytes], now_us: int) -> Iterator[Change]:
        """Take frames and give the changes that they finish.

        Args:
            stream: Frames of the stream, keepalives among them.
            now_us: The clock in microseconds since 1970.
        """
        at, end, done = 0, len(stream), self._done
        while at < end:
            frame = stream[at]
            if frame[0] != frames.DATA:
                if frame[0] == frames.KEEPALIVE and not self.unsettled:
                    self.sent = max(self.sent, frames.read_keepalive(frame)[0])
                at += 1
            elif frame[frames.DATA_HEAD] in _ROWS:
                at = self._rows(stream, at)
            else:
                self._other(frames.read_start(frame), frame[frames.DATA_HEAD :], now_us)
                at += 1
            while done:
                yield done.popleft()

    def _rows(self, stream: Sequence[bytes], at: int) -> int:
        """Carry rows from a frame on; give the place behind them."""
        current = self._current()
        if current.ordinal < current.skip:
            current.ordinal += 1
            return at + 1
        if current.filled >= self._settings.chunk_bytes:
            self._cut(current)
        carried = self._carrying.run(current, stream, at)
        if carried > at:
            return carried
        frame = stream[at]
        alone = self._carrying.one(current, frames.read_start(frame), frame[frames.DATA_HEAD :])
        if alone is not None:
            self._add(current, alone)
        current.ordinal += 1
        return at + 1

    def _other(self, lsn: int, message: bytes, now_us: int) -> None:
        kind = message[0]
        if kind == _BEGIN:
            self._begin(pgoutput.read_begin(message), now_us)
        elif kind == _COMMIT:
            self._commit(pgoutput.read_commit(message))
        elif kind == _RELATION:
            self._learn(pgoutput.read_relation(message))
        elif kind == _TRUNCATE:
            for oid in pgoutput.read_truncate(message):
                self._truncate(self._current(), lsn, oid)
        elif kind == _MESSAGE:
            self._message(pgoutput.read_message(message), now_us)
        elif kind not in _IGNORED:
            raise self._unforeseen(f"a message of kind {chr(kind)!r}")

    def _learn(self, relation: pgoutput.Relation) -> None:
        self._tables.learn(relation, refresh=True)
        if self._open is not None:
            # The table may have another shape, or name, from here on.
            self._open.spans.pop(relation.oid, None)
            self._open.sources.pop(relation.oid, None)

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
        named = self._settings.names_transactions
        name = avro.raw(b"%d:%d" % (begin.xid, begin.commit_lsn)) if named else b""
        head = head_of(self._settings, self.origin, begin, now_us)
        opened = OpenTransaction(begin, Blocks(name, 0, {}), head, clock_part(now_us * 1000))
        middle, self._middle = self._middle, None
        if middle is not None and middle["commit"] == begin.commit_lsn:
            opened.skip, opened.chunk = middle["ordinal"], middle["chunk"]
            opened.blocks = Blocks(name, middle["events"], dict(middle["tables"]))
        self._open = opened

    def _truncate(self, current: OpenTransaction, lsn: int, oid: int) -> None:
        if current.ordinal >= current.skip:
            self._add(current, self._carrying.truncated(current, oid, lsn))
        current.ordinal += 1

    def _message(self, message: pgoutput.Message, now_us: int) -> None:
        """Carry a message; like a row it has an ordinal, where messages are wanted."""
        current = self._open
        if self.takes is not None and self.takes(message):
            return
        if not self._beside.wants_messages:
            return
        if current is None or not message.transactional:
            change = self._beside.outside(message, now_us)
            if change is not None:
                self.boundary = max(self.boundary, change.position.fields["lsn"])
                self._carrying.boundary = self.boundary
                self._done.append(change)
            return
        if current.ordinal >= current.skip:
            sequence = self._carrying.sequence(current, current.ordinal, message.lsn)
            record = self._beside.within(current, message, sequence, now_us)
            if record is not None:
                current.records.append(record)
                current.size += len(message.content)
                current.rows += 1
        current.ordinal += 1

    def _add(self, current: OpenTransaction, carried: Carried) -> None:
        """Put a row into the chunk; one that does not fit begins the next."""
        translated = current.head is not None
        size = len(carried.change) if translated else carried.size - len(carried.change)
        if current.records and current.filled + size > self._settings.chunk_bytes:
            self._cut(current, carried)
        if translated:
            current.changes.append(carried.change)
        current.records.extend(carried.records)
        current.filled += size
        current.size += carried.size
        current.rows += 1

    def _cut(self, current: OpenTransaction, carried: Carried | None = None) -> None:
        """Finish a chunk in front of the row at hand, whose events may have been counted."""
        events = 0
        if carried is not None:
            events = sum(1 for record in carried.records if record.value is not None)
        middle = current.middle(without=events)
        # One that was confirmed between transactions may be further; it must not fall back.
        start = max(self.boundary, self.confirmed())
        position = Position({**self.origin.base, "lsn": start, "middle": middle})
        self._finish(current, position, last=False)

    def _commit(self, commit: pgoutput.Commit) -> None:
        current = self._current()
        self._open = None
        self.boundary = self._carrying.boundary = commit.end_lsn
        if current.rows or current.chunk:
            position = Position({**self.origin.base, "lsn": commit.end_lsn})
            self._finish(current, position, last=True)

    def _finish(self, current: OpenTransaction, position: Position, *, last: bool) -> None:
        self._beside.around(current, last=last)
        body, identity = None, ""
        if current.head is not None:
            body = chunk_body(current.head, current.chunk, current.changes, last=last)
            identity = transaction_id(current.head)
        self._done.append(
            Change(
                position=position,
                records=current.records,
                transaction=body,
                transaction_id=identity,
                dead=current.dead,
                rows=current.rows,
                size=current.size,
                xid=current.begin.xid,
            )
        )
        current.changes, current.records, current.dead = [], [], []
        current.filled = current.size = current.rows = 0
        current.chunk += 1
