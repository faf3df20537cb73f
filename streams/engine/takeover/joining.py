"""When a worker asks its group to let it in, and when it asks anew. Pure: callers give the time."""

from __future__ import annotations

import logging
from typing import Final

log = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
PATIENT_SESSIONS: Final = 3
"""So many session time-outs a group may take to answer who joins; then another consumer asks."""


class Joining:
    """What is known between asking and the group's answer.

    Attributes:
        waiting: What the worker waits for, in words; empty for nothing.
    """

    def __init__(self, session_s: float) -> None:
        """Begin outside.

        Args:
            session_s: The group's session time-out.
        """
        self._patience_s = PATIENT_SESSIONS * session_s
        self._asked_at: float | None = None
        self._ask_at = 0.0
        self._pause_s = FIRST_PAUSE_S
        self.waiting = ""

    def rest_s(self, now: float) -> float:
        """How long not to ask; 0 or less if it is time."""
        return self._ask_at - now

    def asks(self, now: float) -> None:
        """From now on an assignment is waited for, be it an empty one."""
        self._asked_at = now

    def answered(self) -> None:
        """The group gave an assignment, be it an empty one."""
        self._asked_at = None
        self._pause_s = FIRST_PAUSE_S
        self.waiting = ""

    def refused(self, why: str, now: float) -> None:
        """The group does not let it in yet: ask again after a pause, longer each time.

        Args:
            why: In words.
            now: Monotonic seconds.
        """
        if self.waiting != why:
            log.warning("%s", why)
        self.waiting = why
        self._asked_at = None
        self._ask_at = now + self._pause_s
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)

    def is_forgotten(self, now: float) -> bool:
        """Whether the group answers nothing: then a new consumer is to ask in the old one's place.

        Who has no partition because there are more workers than partitions was told so. One that
        is told nothing would poll for ever, and nobody would be at work for it.
        """
        if self._asked_at is None or now - self._asked_at <= self._patience_s:
            return False
        self.waiting = (
            f"the group gave no assignment for {now - self._asked_at:.0f} s; asking it anew"
        )
        log.warning("%s", self.waiting)
        self._asked_at = None
        return True
