"""The stream: frames become changes; keepalives move the position while nothing changes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from connectors.base import Change, Position
from streams.runtime import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from threading import Event

    from connectors.sources.postgres.beside.heartbeat import Heartbeat
    from connectors.sources.postgres.log.assembler import Assembler
    from connectors.sources.postgres.log.link import Link
    from connectors.sources.postgres.log.pgoutput import Message
    from connectors.sources.postgres.settings import PostgresSettings

WAIT_S = 0.5


class Streaming:
    """Reads a started link.

    Args:
        settings: The source's settings.
        link: The replication connection.
        assembler: Puts messages together.
        heartbeat: Says now and then that the source is alive.
        stored: The stored position.

    Attributes:
        reached: Up to here everything committed has been yielded; 0 inside a transaction. Right
            whenever None is yielded.
        wait_s: How long to wait for a frame; short while someone has other work to do.
        takes: Asked of each logical message before it is carried; true keeps it to the asked one.
    """

    def __init__(
        self,
        settings: PostgresSettings,
        link: Link,
        assembler: Assembler,
        heartbeat: Heartbeat,
        stored: int,
    ) -> None:
        self._settings = settings
        self._link = link
        self._assembler = assembler
        assembler.confirmed = lambda: link.confirmed
        self._heartbeat = heartbeat
        self._position = stored
        self._stored_at = time.monotonic()
        self._floor_s = settings.commit_floor_ms / 1000
        self._told_at, self._untold, self._pressed = 0.0, False, False
        self.reached = 0
        self.wait_s = WAIT_S
        self.takes: Callable[[Message], bool] | None = None

    def ask(self) -> None:
        """Ask the server how far it has sent everything."""
        self._link.ask()

    def changes(self, stop: Event, check: Callable[[], None]) -> Iterator[Change | None]:
        """Give changes until stopped; None whenever nothing more is at hand.

        Args:
            stop: Set when it should end.
            check: Called every few seconds; raises when something is not as it must be.

        Raises:
            Misconfigured: The server ended the stream for a reason that a person must remove.
            Transient: The connection broke.
        """
        checked = time.monotonic()
        while not stop.is_set():
            frames = self._link.take(0) or self._link.take(self._floor_left())
            if not frames:
                self._told_at, self._untold = time.monotonic(), False
                yield None
                frames = self._link.take(0)
                self._pressed = bool(frames)
                frames = frames or self._link.take(self.wait_s)
            yield from self._fed(frames)
            now = time.monotonic()
            yield from self._idle(now)
            if now - checked >= self._settings.check_s:
                checked = now
                check()

    def _floor_left(self) -> float:
        """How long a commit of what was yielded must wait, so that commits do not come too often.

        Yielding None has it committed. What comes when nothing else was waiting goes at once: only
        changes that come faster than commits are gathered.
        """
        if not (self._untold and self._pressed):
            return 0.0
        return max(0.0, self._floor_s - (time.monotonic() - self._told_at))

    def _fed(self, stream: Sequence[bytes]) -> Iterator[Change]:
        """Feed frames and take note of the positions of what they finish."""
        self._assembler.takes = self.takes
        for change in self._assembler.feed(stream, clock.now_us()):
            self._stored_at, self._untold = time.monotonic(), True
            self._position = int(change.position.fields["lsn"])
            yield change

    def _idle(self, now: float) -> Iterator[Change | None]:
        """Positions of a server that sends nothing to carry."""
        assembler = self._assembler
        self.reached = 0 if assembler.unsettled else max(assembler.sent, assembler.boundary)
        if not self.reached:
            return
        alive = self._heartbeat.due(now, clock.now_ms())
        moved = self.reached > self._position
        if alive or (moved and now - self._stored_at >= self._settings.idle_store_s):
            self._stored_at, self._position = now, self.reached
            position = Position({**assembler.origin.base, "lsn": self.reached})
            yield Change(position, records=alive)
            yield None
