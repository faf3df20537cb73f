"""The running stream: read where it is needed, and kept alive while the reader has other work.

Whoever takes frames reads them from the connection itself: a thread that read ahead would fight
with it for the interpreter. A guard looks in when nobody has for a while (the broker holds up the
reader): it answers the server with the confirmed position, and reads ahead up to a bound. Past the
bound the server is held up, but still answered.
"""

from __future__ import annotations

import select
import threading
import time
from typing import TYPE_CHECKING

import psycopg
from psycopg import pq

from connectors.sources.postgres.database.failures import judged, silent
from connectors.sources.postgres.log import frames
from connectors.sources.postgres.log.pgoutput import EPOCH_MICROS
from streams.errors import LotgateError
from streams.runtime import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg.pq.abc import PGconn

STATUS_S = 5.0
GUARD_S = 1.0
"""Without a look for this long the guard looks in."""
AHEAD_BYTES = 4 * 1024 * 1024
"""What the guard reads ahead at most."""
TAKE_BYTES = 512 * 1024
"""What one look takes, about: so much is in memory at once."""
_LOOKS = 2
"""Looks without a frame before nothing is there: an encrypted connection may hold bytes back."""


class Flow:
    """A stream that has begun.

    Args:
        connection: The connection; nobody else touches it any more.
        where: The server, for messages.
        confirmed: The position that counts as confirmed.
        silence_s: Without a word for this long the connection counts as dead.

    Attributes:
        confirmed: The confirmed position.
    """

    def __init__(self, connection: PGconn, where: str, confirmed: int, silence_s: float) -> None:
        self._connection = connection
        self._where = where
        self.confirmed = confirmed
        self._silence_s = silence_s
        self._lock = threading.Lock()
        self._frames: list[bytes] = []
        self._bytes = 0
        self._failure: LotgateError | None = None
        self._heard = self._taken_at = time.monotonic()
        self._told_at = 0.0
        self._closed = threading.Event()
        self._guarding = threading.Thread(target=self._guard, name="replication", daemon=True)
        self._guarding.start()

    def confirm(self, lsn: int) -> None:
        """Say up to where everything is durable; the server hears of it at once."""
        if lsn > self.confirmed:
            self.confirmed = lsn
            self._say(answer_wanted=False)

    def ask(self) -> None:
        """Ask the server for a keepalive: up to where it has sent everything."""
        self._say(answer_wanted=True)

    def take(self, timeout_s: float) -> Sequence[bytes]:
        """Take what has arrived.

        Args:
            timeout_s: How long to wait for the first frame; 0 to only look.

        Raises:
            Misconfigured: The server ended the stream for a reason that a person must remove.
            Transient: The connection broke.
        """
        taken = self._taken()
        if taken or timeout_s <= 0:
            return taken
        select.select([self._connection.socket], [], [], timeout_s)
        return self._taken()

    def close(self) -> None:
        """End the guard; the connection is the caller's to close."""
        self._closed.set()
        self._guarding.join(5.0)

    def _taken(self) -> Sequence[bytes]:
        with self._lock:
            self._taken_at = time.monotonic()
            if self._bytes < TAKE_BYTES:
                self._look()
            if self._frames:
                taken, self._frames, self._bytes = self._frames, [], 0
                return taken
            if self._failure is not None:
                raise self._failure
        return ()

    def _say(self, *, answer_wanted: bool) -> None:
        with self._lock:
            self._attempt(lambda: self._tell(answer_wanted=answer_wanted))

    def _guard(self) -> None:
        pause = min(GUARD_S, self._silence_s / 4)
        while not self._closed.wait(pause):
            with self._lock:
                now = time.monotonic()
                if now - self._taken_at < pause or self._failure is not None:
                    continue
                if self._bytes < AHEAD_BYTES:
                    self._look()
                else:
                    self._heard = now  # we are the slow side, the server is not
                    self._attempt(self._keep)

    def _look(self) -> None:
        """Read what has arrived, and let the server hear of us when it is time."""
        self._attempt(self._receive)
        self._attempt(self._keep)

    def _attempt(self, work: Callable[[], None]) -> None:
        """Do something with the connection; a failure is kept for whoever takes next."""
        if self._failure is not None:
            return
        try:
            work()
        except LotgateError as error:
            self._failure = error
        except (psycopg.Error, OSError, ValueError) as error:
            self._failure = judged(None, str(error), f"the stream from {self._where}")

    def _receive(self) -> None:
        connection, taken, empty, size = self._connection, self._frames, 0, 0
        take = connection.get_copy_data
        while size < TAKE_BYTES and empty < _LOOKS:
            connection.consume_input()
            length, data = take(1)
            empty += 1
            while length > 0:
                empty = 0
                taken.append(bytes(data))
                size += length
                self._bytes += length
                if data[0] == frames.KEEPALIVE and frames.read_keepalive(bytes(data))[1]:
                    self._tell(answer_wanted=False)
                length, data = take(1)
            if length == -1:
                self._ended()
        if size:
            self._heard = time.monotonic()

    def _keep(self) -> None:
        now = time.monotonic()
        if now - self._told_at >= STATUS_S:
            self._tell(answer_wanted=True)
        if now - self._heard > self._silence_s:
            raise silent(self._where, self._silence_s)

    def _tell(self, *, answer_wanted: bool) -> None:
        connection = self._connection
        self._told_at = time.monotonic()
        micros = clock.now_ms() * 1000 - EPOCH_MICROS
        connection.put_copy_data(
            frames.feedback(self.confirmed, micros, answer_wanted=answer_wanted)
        )
        while connection.flush():
            # It may be waiting for us to read before it reads.
            readable, _, _ = select.select([connection.socket], [connection.socket], [], STATUS_S)
            if readable:
                connection.consume_input()

    def _ended(self) -> None:
        result = self._connection.get_result()
        state = result.error_field(pq.DiagnosticField.SQLSTATE) if result is not None else None
        message = result.error_message.decode(errors="replace") if result is not None else ""
        raise judged(
            state.decode() if state else None,
            message or "the server ended it",
            f"the stream from {self._where}",
        )
