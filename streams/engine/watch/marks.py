"""What the worker is at, since when, and whether that takes too long. Pure: callers give the time.

A call that waits for the broker may take as long as its own time-outs together; only what is past
them, and past the limit besides, is a hang. A broker that is away makes such a call fail, and the
next try is a new mark, so being away never adds up to a hang.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LONG_S: Final = 1.0
"""Whoever has been at something else for so long cannot have polled meanwhile."""


class Phase(StrEnum):
    """What the cycle is at."""

    NONE = "not begun"
    STARTING = "checking topics and joining the group"
    POLLING = "polling or restoring"
    STAGES = "running the stages"
    COMMITTING = "committing"
    RECOVERING = "going back to what is committed"
    RESTING = "waiting before the next try"
    ENDING = "ending"


@dataclass(slots=True)
class Marks:
    """Signs of movement.

    Attributes:
        limit_s: Longest time without movement; 0 for no limit.
        phase: What the cycle is at.
        waits_s: What the time-outs of the phase's calls add up to, and its pauses.
        since: When the phase was entered.
        beaten: When the event loop last ran; 0 before the first time.
        waiting: What the worker waits for, in the words of the error; empty if for nothing.
    """

    limit_s: float
    phase: Phase = Phase.NONE
    waits_s: float = 0.0
    since: float = 0.0
    beaten: float = 0.0
    waiting: str = ""

    def enter(self, phase: Phase, now: float, waits_s: float = 0.0) -> None:
        """Say what comes next.

        Args:
            phase: What.
            now: Monotonic seconds.
            waits_s: How long its calls may wait by their own time-outs.
        """
        self.phase, self.since, self.waits_s = phase, now, waits_s

    def beat(self, now: float, pause_s: float) -> bool:
        """Say that the event loop runs.

        Args:
            now: Monotonic seconds.
            pause_s: How long the loop was to wait between two beats. One that comes far later
                means that the whole process stood still, so that no phase can be blamed.

        Returns:
            Whether it came so late.
        """
        is_late = bool(self.beaten) and now - self.beaten > pause_s + max(1.0, pause_s)
        if is_late:
            self.since = max(self.since, now)
        self.beaten = now
        return is_late

    def is_held_up(self, now: float) -> bool:
        """Whether partitions stand because the cycle has long been at something else than reading.

        That has a limit of its own, see `overdue`.
        """
        return self.phase is not Phase.POLLING and now - self.since > LONG_S

    def overdue(self, now: float, share: float = 1.0) -> str:
        """What takes too long.

        Args:
            now: Monotonic seconds.
            share: Part of the limit; probes tell earlier than the process ends.

        Returns:
            A sentence, empty if all is well.
        """
        if not self.limit_s or self.phase is Phase.NONE:
            return ""
        took, allowed = now - self.since, share * self.limit_s + self.waits_s
        if took <= allowed:
            return ""
        return f"{self.phase.value} for {took:.1f} s (allowed: {allowed:g} s)"
