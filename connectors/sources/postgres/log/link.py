"""The replication connection: commands, then the stream."""

from __future__ import annotations

import math
import select
import time
from typing import TYPE_CHECKING

import psycopg
from psycopg import pq

from connectors.sources.postgres.database.connecting import connected
from connectors.sources.postgres.database.failures import Stopped, judged, silent
from connectors.sources.postgres.log import frames
from connectors.sources.postgres.log.flow import Flow
from connectors.sources.postgres.names import place_of, quoted

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from psycopg.pq.abc import PGresult

SILENCE_S = 120.0
"""Without a word from the server for this long the connection counts as dead, unless told so."""
_ADMIN_S = 0.5


class Link:
    """A replication connection.

    Args:
        dsn: Connection string of the source.
        stop: Set when everything should end.
    """

    def __init__(self, dsn: str, stop: threading.Event) -> None:
        self._where = place_of(dsn)
        self._stop = stop
        self._flow: Flow | None = None
        self._session = connected(dsn, replication=True)
        self._connection = self._session.pgconn
        self._connection.nonblocking = 1

    def command(self, text: str) -> list[str | None]:
        """Run a replication command and return its first row.

        Raises:
            Stopped: The source was asked to stop while the server was busy.
            Misconfigured: The server refuses the command.
            Transient: The connection broke.
        """
        connection = self._connection
        try:
            connection.send_query(text.encode())
            while connection.flush():
                select.select([], [connection.socket], [], _ADMIN_S)
            # Making a slot waits for the server's open transactions, however old.
            until = math.inf if text.startswith("CREATE") else time.monotonic() + SILENCE_S
            while connection.is_busy():
                if self._stop.is_set():
                    raise Stopped(f"stopped while the server worked on {text.split(maxsplit=1)[0]}")
                if time.monotonic() > until:
                    raise silent(self._where, SILENCE_S)
                select.select([connection.socket], [], [], _ADMIN_S)
                connection.consume_input()
            result = connection.get_result()
        except psycopg.OperationalError as error:
            raise judged(None, str(error), text.split(" (", maxsplit=1)[0]) from error
        if result is None:
            raise judged(None, "no answer", text)
        return self._row(result, text)

    def _row(self, result: PGresult, text: str) -> list[str | None]:
        if result.status == pq.ExecStatus.COPY_BOTH:
            return []
        while self._connection.get_result() is not None:
            pass
        if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
            state = result.error_field(pq.DiagnosticField.SQLSTATE)
            message = result.error_message.decode(errors="replace")
            raise judged(
                state.decode() if state else None, message, text.split(" (", maxsplit=1)[0]
            )
        cells: list[str | None] = []
        for column in range(result.nfields if result.ntuples else 0):
            value = result.get_value(0, column)
            cells.append(None if value is None else value.decode())
        return cells

    def start(
        self,
        slot: str,
        publication: str,
        lsn: int,
        *,
        messages: bool = False,
        binary: bool = False,
        silence_s: float = SILENCE_S,
    ) -> None:
        """Stream from a position.

        Args:
            slot: The slot.
            publication: The publication.
            lsn: The first position wanted; everything before it counts as confirmed.
            messages: Ask also for what `pg_logical_emit_message` was given.
            binary: Ask for values in their types' binary form.
            silence_s: Without a word for this long the connection counts as dead.

        Raises:
            Misconfigured: The slot or the publication cannot be used.
            Transient: The slot is in use, or the connection broke.
        """
        names = publication.replace("'", "''").replace('"', '""')
        options = f"proto_version '1', publication_names '\"{names}\"'"
        if messages:
            options += ", messages 'true'"
        if binary:
            options += ", binary 'true'"
        self.command(
            f"START_REPLICATION SLOT {quoted(slot)} LOGICAL {frames.lsn_text(lsn)} ({options})"
        )
        self._flow = Flow(self._connection, self._where, lsn, silence_s)

    def confirm(self, lsn: int) -> None:
        """Say up to where everything is durable; the server hears of it at once."""
        if self._flow is not None:
            self._flow.confirm(lsn)

    @property
    def confirmed(self) -> int:
        """The confirmed position; 0 before the stream."""
        return 0 if self._flow is None else self._flow.confirmed

    def ask(self) -> None:
        """Ask the server for a keepalive: up to where it has sent everything."""
        if self._flow is not None:
            self._flow.ask()

    def take(self, timeout_s: float) -> Sequence[bytes]:
        """Take what has arrived of a started stream; see `Flow.take`."""
        if self._flow is None:
            raise RuntimeError("nothing is streamed yet")
        return self._flow.take(timeout_s)

    def close(self) -> None:
        """End the stream and the connection."""
        if self._flow is not None:
            self._flow.close()
            self._flow = None
        self._session.close()
