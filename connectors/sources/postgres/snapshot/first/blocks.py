"""Tables read range by range through one exported snapshot, by several connections at once."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self

from connectors.sources.postgres.snapshot.first.process import CopyProcess
from connectors.sources.postgres.snapshot.first.wire import ORDERS
from connectors.sources.postgres.snapshot.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from connectors.sources.postgres.shape.tables import Table
    from connectors.sources.postgres.snapshot.first.wire import Encoded, Setup
    from connectors.sources.postgres.snapshot.ranges import Key, Range, Readable
    from connectors.sources.postgres.snapshot.state import TableCursor

AHEAD = 2
"""Ranges that wait for each connection, read or being read."""
KEYLESS_ROWS = 1 << 20
"""More rows than a range of a table without a key has: how many is not known beforehand."""


@dataclass(slots=True)
class Wanted:
    """A table to be read.

    Attributes:
        cursor: Where it stands in the run.
        readable: What to select.
        table: How its rows become records.
        rows: Rows of a range, about.
        binary: Its rows are read in the server's binary form.
        with_key: The key's values stand as text behind the row's.
        place: Its place among the tables that processes read; None if threads read it.
    """

    cursor: TableCursor
    readable: Readable
    table: Table
    rows: int
    binary: bool
    with_key: bool
    place: int | None = None


@dataclass(slots=True)
class Block:
    """The rows of one range.

    Attributes:
        wanted: Their table.
        part: The range.
        number: The first row's number in the run.
        rows: The rows as COPY sent them; never empty, if not encoded.
        encoded: The rows as a process encoded them.
        following: The table of the next block; None at the end.
    """

    wanted: Wanted
    part: Range
    number: int
    rows: list[bytes]
    encoded: Encoded | None = None
    following: Wanted | None = None

    @property
    def count(self) -> int:
        """How many rows it has."""
        found = self.encoded
        if found is None:
            return len(self.rows)
        return len(found.rows) + len(found.ends) + len(found.odd)


class Marks:
    """Says of each row of a block where it stands in the snapshot, in Debezium's words."""

    def __init__(self, block: Block, *, first: bool, opened: bool) -> None:
        self._final = block.count - 1
        self._head = "first" if first else "true" if opened else "first_in_data_collection"
        if block.following is None:
            self._tail = "last"
        elif block.following is not block.wanted:
            self._tail = "last_in_data_collection"
        else:
            self._tail = "true"

    def at(self, index: int) -> str:
        """The mark of a row of the block."""
        if index == 0 and self._head == "first":
            return "first"
        if index == self._final and self._tail != "true":
            return self._tail
        return self._head if index == 0 else "true"


class Readers:
    """Connections that look through one exported snapshot. Use as a context manager.

    Ranges are read ahead in parallel and handed over in their order: keys of a table in the order
    of its index, table after table.

    Args:
        dsn: Connection string.
        exported: Name of the snapshot; its exporter must stay idle until all have begun.
        count: Connections that read; one more finds the ranges.
    """

    def __init__(self, dsn: str, exported: str, count: int) -> None:
        self._count = count
        self._depth = count * AHEAD
        self._processes: list[CopyProcess] = []
        self._idle: SimpleQueue[CopyProcess] = SimpleQueue()
        self._sessions: list[Session] = []
        self._free: SimpleQueue[Session] = SimpleQueue()
        # As many as wait for a connection or for a process's answer.
        self._pool = ThreadPoolExecutor(count * ORDERS, thread_name_prefix="snapshot")
        self._planning = ThreadPoolExecutor(1, thread_name_prefix="ranges")
        try:
            for _ in range(count + 1):
                session = Session(dsn)
                self._sessions.append(session)
                session.begin(exported)
        except BaseException:
            self.__exit__()
            raise
        for session in self._sessions[1:]:
            self._free.put(session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._sessions:
            session.cancel()
        for process in self._processes:
            process.end()
        # A thread must have left its connection before that is closed.
        for pool in (self._pool, self._planning):
            pool.shutdown(wait=True, cancel_futures=True)
        for process in self._processes:
            process.close()
        for session in self._sessions:
            session.close()

    @property
    def planner(self) -> Session:
        """The connection that finds ranges; not used by the others."""
        return self._sessions[0]

    def start(self, setup: Setup) -> None:
        """Let processes read the tables that are worth it: one for each connection."""
        for _ in range(self._count):
            process = CopyProcess(setup)
            self._processes.append(process)
        for process in self._processes * ORDERS:
            self._idle.put(process)

    def blocks(self, tables: Sequence[Wanted], stopped: Callable[[], bool]) -> Iterator[Block]:
        """Read tables and give the blocks that have rows.

        Args:
            tables: The tables, each from its beginning.
            stopped: Tells whether to give up.

        Raises:
            Misconfigured: A table cannot be read.
            Transient: A connection broke.
        """
        held: Block | None = None
        for block in self._read(tables):
            if stopped():
                return
            if block.count:
                if held is not None:
                    held.following = block.wanted
                    yield held
                held = block
        if held is not None:
            yield held

    def _read(self, tables: Sequence[Wanted]) -> Iterator[Block]:
        waiting: deque[Future[Block]] = deque()
        number = 0
        for wanted in tables:
            # The next range is looked for while this one is read and handed over.
            ahead = self._planned(wanted, None)
            while True:
                part = ahead.result()
                if part.upto is not None:
                    ahead = self._planned(wanted, part.upto)
                waiting.append(self._pool.submit(self._copy, wanted, part, number))
                number += wanted.rows if wanted.readable.key else KEYLESS_ROWS
                if len(waiting) > self._depth:
                    yield waiting.popleft().result()
                if part.upto is None:
                    break
        while waiting:
            yield waiting.popleft().result()

    def _planned(self, wanted: Wanted, after: Key | None) -> Future[Range]:
        return self._planning.submit(wanted.readable.next_range, self.planner, after, wanted.rows)

    def _copy(self, wanted: Wanted, part: Range, number: int) -> Block:
        if wanted.place is not None:
            return self._encoded(wanted, part, number, wanted.place)
        session = self._free.get()
        try:
            query = wanted.readable.rows(part, with_key=wanted.with_key)
            return Block(wanted, part, number, session.copied(query, binary=wanted.binary))
        finally:
            self._free.put(session)

    def _encoded(self, wanted: Wanted, part: Range, number: int, place: int) -> Block:
        process = self._idle.get()
        try:
            query = wanted.readable.rows(part)
            return Block(wanted, part, number, [], process.copied(place, query, number))
        finally:
            self._idle.put(process)
