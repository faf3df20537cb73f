"""Follow the control topic: every worker reads all of it, without a group."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING, Final

from streams.engine.control import Decision, control_topic, decode
from streams.engine.kafka.positions import raise_for
from streams.engine.kafka.reading import EOF, assigned, high_watermark
from streams.errors import Poison, Transient

if TYPE_CHECKING:
    from streams.runtime.connection import KafkaConnection

log = logging.getLogger(__name__)

PAUSE_S: Final = 0.25
"""Between two looks at the topic: a person does not notice, the cycle neither."""
SILENCE_S: Final = 30.0
"""Longest wait for the next decision of those that are there: longer than a broker's transaction
time-out, behind which they may stand."""


class Decisions:
    """All decisions of the group, in order."""

    def __init__(self, connection: KafkaConnection) -> None:
        """Read what was decided so far.

        Raises:
            Transient: The broker does not answer.
        """
        self._topic = control_topic(connection)
        self._consumer = assigned(connection, self._topic, 0, None)
        self.known: list[Decision] = []
        self._next_look = 0.0
        try:
            self._catch_up(high_watermark(connection, self._topic, 0))
        except BaseException:
            self._consumer.close()
            raise

    def _catch_up(self, end: int) -> None:
        at, moved = 0, monotonic()
        while at < end:
            reached = self._read(1.0)
            if reached > at:
                at, moved = reached, monotonic()
            elif monotonic() - moved > SILENCE_S:
                raise Transient(
                    f"{self._topic} is not read to its end, {end}: nothing came after {at} for"
                    f" {SILENCE_S:g} s",
                    code="broker_unavailable",
                    kept="nothing was consumed yet",
                    advice="look at the broker; it is tried again",
                )

    def look(self) -> bool:
        """Read what is new, at most every `PAUSE_S`.

        Returns:
            Whether something was.
        """
        now = monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + PAUSE_S
        before = len(self.known)
        self._read(0.0)
        return len(self.known) > before

    def close(self) -> None:
        """Stop following."""
        self._consumer.close()

    def _read(self, wait_s: float) -> int:
        """Take what is there; gives the offset that the reading has come to."""
        at = -1
        first = self._consumer.poll(wait_s)
        for message in [] if first is None else [first, *self._consumer.consume(1_000, 0)]:
            error, offset = message.error(), message.offset() or 0
            if error is None:
                at = offset + 1
                self._take(message.value() or b"", offset)
            elif error.code() == EOF:
                at = max(at, offset)
            else:
                raise_for(error, message)
        return at

    def _take(self, value: bytes | str, offset: int) -> None:
        octets = value.encode() if isinstance(value, str) else value
        try:
            self.known.append(decode(octets, offset))
        except Poison as poison:
            log.warning("control topic: %s", poison)
