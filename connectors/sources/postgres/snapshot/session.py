"""A connection that reads: one read-only view of the database at a time, by COPY."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg import pq

from connectors.sources.postgres.database.connecting import PATIENT_S, bounded, connected
from connectors.sources.postgres.database.failures import of_psycopg
from connectors.sources.postgres.log.frames import read_lsn
from connectors.sources.postgres.names import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg.pq.abc import PGresult

DOING = "the snapshot"
CANCEL_S = 5.0
"""How long a server may take to hear that it should give up; closing tells it as well, later."""
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_END_OF_LOG = """select (case when pg_is_in_recovery() then pg_last_wal_replay_lsn()
else pg_current_wal_insert_lsn() end)::text, current_setting('wal_block_size')"""
_PAGE_HEADS = (24, 40)
"""Bytes of a log page's head, and of a segment's first one."""


class View(NamedTuple):
    """Which transactions a reading sees, as `pg_current_snapshot()` tells it.

    Attributes:
        xmin: All before this are over.
        xmax: From this on nothing is seen.
        running: Transactions in between that were not over.
    """

    xmin: int
    xmax: int
    running: frozenset[int]

    def sees(self, xid: int) -> bool:
        """Whether a committed transaction is seen.

        Args:
            xid: Its 32-bit number, as the log has it.
        """
        # The log's numbers lack the epoch: the right one is the nearest to this view's end.
        whole = self.xmax + ((xid - self.xmax + (1 << 31)) % (1 << 32)) - (1 << 31)
        return whole < self.xmin or (whole < self.xmax and whole not in self.running)


def view_of(text: str) -> View:
    """Read `xmin:xmax:xip,…`."""
    xmin, xmax, running = text.split(":")
    return View(int(xmin), int(xmax), frozenset(int(xid) for xid in running.split(",") if xid))


class Session:
    """A plain connection.

    Args:
        dsn: Connection string.

    Raises:
        Misconfigured: The server refuses the connection.
        Transient: The server is not reachable.
    """

    def __init__(self, dsn: str) -> None:
        self._where = place_of(dsn)
        self._session = connected(dsn)
        self._server = self._session.pgconn

    def close(self) -> None:
        """Close the connection, whatever it is doing."""
        self._session.close()

    def cancel(self) -> None:
        """Ask the server to give up what this connection is doing; from another thread."""
        with suppress(psycopg.Error):
            self._session.cancel_safe(timeout=CANCEL_S)

    def begin(self, exported: str | None = None) -> None:
        """Begin a view.

        Args:
            exported: Name of an exported snapshot to look through; None for the present.
        """
        self.run(_BEGIN)
        if exported is not None:
            self.run(f"SET TRANSACTION SNAPSHOT '{exported}'")

    def view(self) -> View:
        """Which transactions the view sees."""
        return view_of(self.row("select pg_current_snapshot()::text")[0] or "")

    def end_of_log(self) -> int:
        """Where the log ends now: no transaction that the view sees committed behind it."""
        text, block = self.row(_END_OF_LOG)
        end, size = read_lsn(text or "0/0"), int(block or 8192)
        # Behind a page's head nothing may ever come; the stream's position then stays before it.
        return end - end % size if end % size in _PAGE_HEADS else end

    def end(self) -> None:
        """End the view."""
        self.run("COMMIT")

    def row(self, query: str) -> list[str | None]:
        """The first row of a query, as text; empty without one."""
        result = self.run(query)
        if not result.ntuples:
            return []
        cells = [result.get_value(0, column) for column in range(result.nfields)]
        return [None if cell is None else cell.decode() for cell in cells]

    def run(self, query: str) -> PGresult:
        """Run one statement; two in one text are refused by the server.

        Raises:
            Misconfigured: The server refuses it.
            Transient: The connection broke.
        """
        try:
            with bounded(self._server, PATIENT_S, self._where):
                result = self._server.exec_params(query.encode(), None)
        except psycopg.Error as error:
            raise of_psycopg(error, DOING) from error
        if result.status not in (
            pq.ExecStatus.TUPLES_OK,
            pq.ExecStatus.COMMAND_OK,
            pq.ExecStatus.COPY_OUT,
        ):
            raise of_psycopg(psycopg.errors.error_from_result(result), DOING)
        return result

    def copied(self, query: str, *, binary: bool) -> list[bytes]:
        """The rows of a query, each as COPY sends it.

        Args:
            query: A SELECT.
            binary: In the server's binary form (the file's head and end left out), else as text
                without the line's end.

        Raises:
            Misconfigured: The server refuses it.
            Transient: The connection broke.
        """
        rows = list(self._sent(f"COPY ({query}) TO STDOUT" + (" (FORMAT binary)" * binary)))
        return _tuples(rows) if binary else [row[:-1] for row in rows]

    def stream(self, query: str) -> Iterator[bytes]:
        """The rows of a query one by one, as COPY sends them in text form."""
        for row in self._sent(f"COPY ({query}) TO STDOUT"):
            yield row[:-1]

    def _sent(self, command: str) -> Iterator[bytes]:
        self.run(command)
        server = self._server
        try:
            while True:
                length, data = server.get_copy_data(0)
                if length < 0:
                    break
                yield bytes(data)
            result = server.get_result()
            while server.get_result() is not None:
                pass
        except psycopg.Error as error:
            raise of_psycopg(error, DOING) from error
        if result is None:
            raise of_psycopg(psycopg.OperationalError("the reading broke off"), DOING)
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise of_psycopg(psycopg.errors.error_from_result(result), DOING)


_SIGNATURE = 19
"""Bytes of a binary COPY's head: eleven of signature, flags, and the length of an extension."""
_TRAILER = b"\xff\xff"


def _tuples(rows: list[bytes]) -> list[bytes]:
    if rows and rows[-1] == _TRAILER:
        rows.pop()
    if rows:
        # The head comes with the first row, or by itself where there is none.
        rows[0] = rows[0][_SIGNATURE:]
        if not rows[0] or rows[0] == _TRAILER:
            rows.pop(0)
    return rows
