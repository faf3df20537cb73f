"""The replication connection: commands, and a stream that a thread keeps alive.

While the stream runs its thread alone touches the connection. It moves bytes, answers keepalives
with the confirmed position, and stops reading (but not answering) when the reader is behind.
"""

from __future__ import annotations

import os
import select
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
from psycopg import pq

from connectors.sources.postgres.database.connecting import connected
from connectors.sources.postgres.database.failures import Stopped, judged
from connectors.sources.postgres.log import frames
from connectors.sources.postgres.log.pgoutput import EPOCH_MICROS
from connectors.sources.postgres.names import place_of, quoted
from streams.errors import LotgateError, Transient
from streams.runtime import clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg.pq.abc import PGresult

STATUS_S = 5.0
SILENCE_S = 120.0
"""Without a word from the server for this long the connection counts as dead, unless told so."""
QUEUE_BYTES = 16 * 1024 * 1024
HANDOVER_BYTES = 256 * 1024
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
        self._closing = False
        self._ready = threading.Condition()
        self._frames: list[bytes] = []
        self._bytes = 0
        self._failure: LotgateError | None = None
        self._confirmed = 0
        self._silence_s = SILENCE_S
        self._asked = False
        self._heard = time.monotonic()
        self._thread: threading.Thread | None = None
        self._session = connected(dsn, replication=True)
        self._connection = self._session.pgconn
        self._connection.nonblocking = 1
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)

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
            while connection.is_busy():
                if self._stop.is_set():
                    raise Stopped(f"stopped while the server worked on {text.split(maxsplit=1)[0]}")
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
        """Stream from a position, in a thread of its own.

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
        self._confirmed = lsn
        self._silence_s = silence_s
        self._heard = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="replication", daemon=True)
        self._thread.start()

    def confirm(self, lsn: int) -> None:
        """Say up to where everything is durable; the server hears of it at once."""
        if lsn > self._confirmed:
            self._confirmed = lsn
            self._wake()

    def ask(self) -> None:
        """Ask the server for a keepalive: up to where it has sent everything."""
        self._asked = True
        self._wake()

    def take(self, timeout_s: float) -> Sequence[bytes]:
        """Take what has arrived.

        Args:
            timeout_s: How long to wait for the first frame; 0 to only look.

        Raises:
            Misconfigured: The server ended the stream for a reason that a person must remove.
            Transient: The connection broke.
        """
        with self._ready:
            if not self._frames and self._failure is None and timeout_s > 0:
                self._ready.wait(timeout_s)
            if self._frames:
                taken, self._frames, full = self._frames, [], self._bytes >= QUEUE_BYTES
                self._bytes = 0
            elif self._failure is not None:
                raise self._failure
            else:
                return ()
        if full:
            self._wake()
        return taken

    def close(self) -> None:
        """End the thread and the connection."""
        self._closing = True
        self._wake()
        if self._thread is not None:
            self._thread.join(5.0)
            self._thread = None
        self._session.close()
        for end in (self._wake_in, self._wake_out):
            with suppress(OSError):
                os.close(end)

    def _wake(self) -> None:
        with suppress(OSError):
            os.write(self._wake_in, b"\0")

    def _run(self) -> None:
        failure: LotgateError
        try:
            self._pump()
        except LotgateError as error:
            failure = error
        except (psycopg.Error, OSError, ValueError) as error:
            failure = judged(None, str(error), f"the stream from {self._where}")
        else:
            return
        with self._ready:
            self._failure = failure
            self._ready.notify_all()

    def _pump(self) -> None:
        told, told_at = -1, 0.0
        socket = self._connection.socket
        while not self._closing:
            now = time.monotonic()
            if self._asked or self._confirmed != told or now - told_at >= STATUS_S:
                wanted = self._asked or now - told_at >= STATUS_S
                self._asked = False
                told, told_at = self._confirmed, now
                self._tell(told, answer_wanted=wanted)
            if now - self._heard > self._silence_s:
                raise Transient(
                    f"{self._where} has been silent for {self._silence_s:g} s",
                    code="source_silent",
                    kept="nothing was confirmed that is not stored",
                )
            behind = self._bytes >= QUEUE_BYTES
            ends = [self._wake_out] if behind else [socket, self._wake_out]
            readable, _, _ = select.select(ends, [], [], min(STATUS_S, self._silence_s / 2))
            if self._wake_out in readable:
                os.read(self._wake_out, 4096)
            if behind:
                self._heard = time.monotonic()  # we are the slow side, the server is not
            if socket in readable:
                self._connection.consume_input()
                self._drain()

    def _drain(self) -> None:
        """Hand over everything that libpq has buffered."""
        take = self._connection.get_copy_data
        batch: list[bytes] = []
        size = 0
        length, data = take(1)
        while length > 0:
            frame = bytes(data)
            batch.append(frame)
            size += length
            if frame[0] == frames.KEEPALIVE and frames.read_keepalive(frame)[1]:
                self._tell(self._confirmed)
            if size >= HANDOVER_BYTES:
                self._hand_over(batch, size)
                batch, size = [], 0
            length, data = take(1)
        if batch:
            self._hand_over(batch, size)
        if length == -1:
            self._ended()

    def _hand_over(self, batch: list[bytes], size: int) -> None:
        self._heard = time.monotonic()
        with self._ready:
            self._frames.extend(batch)
            self._bytes += size
            self._ready.notify_all()

    def _tell(self, confirmed: int, *, answer_wanted: bool = False) -> None:
        micros = clock.now_ms() * 1000 - EPOCH_MICROS
        status = frames.feedback(confirmed, micros, answer_wanted=answer_wanted)
        self._connection.put_copy_data(status)
        while self._connection.flush():
            select.select([], [self._connection.socket], [], _ADMIN_S)

    def _ended(self) -> None:
        result = self._connection.get_result()
        state = result.error_field(pq.DiagnosticField.SQLSTATE) if result is not None else None
        message = result.error_message.decode(errors="replace") if result is not None else ""
        raise judged(
            state.decode() if state else None,
            message or "the server ended it",
            f"the stream from {self._where}",
        )
