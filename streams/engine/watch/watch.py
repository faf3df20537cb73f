"""The worker's own watch: beats, marks and lags come together here, and end what hangs.

Whatever blocks the event loop, this included, is the supervising process's business; what stands
still while the loop runs is found here.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING, Final

from streams.engine.exit_codes import ExitCode
from streams.engine.plugin.ending import end_process
from streams.engine.watch.heart import TimerHeart
from streams.engine.watch.lag import Lags
from streams.engine.watch.marks import Marks, Phase
from streams.engine.watch.picture import Picture, taken
from streams.engine.watch.reading import Inquiry

if TYPE_CHECKING:
    import asyncio

    from streams.engine.cycle.engine import Engine
    from streams.engine.settings import EngineSettings
    from streams.engine.watch.heart import Heart
    from streams.engine.watch.lag import Place

log = logging.getLogger(__name__)

LONGEST_BEAT_S: Final = 1.0
LOOK_S: Final = 1.0
"""Between two looks at the partitions, in the cycle's thread."""
LOOP_S: Final = 10.0
"""A loop that did not run for so long is told to probes, whatever the limit."""
UNLIMITED_PATIENCE_S: Final = 30.0
"""Without a limit, after so long a partition that does not move is looked at."""


class Watch:
    """Watches one worker.

    Attributes:
        marks: What the cycle is at.
        lags: How far each consumed partition is.
        picture: What was seen at the last look.
        was_assigned: Whether the group has spoken: an assignment came, be it an empty one.
    """

    def __init__(self, settings: EngineSettings, heart: Heart | None) -> None:
        """Set the limits.

        Args:
            settings: `watchdog_s` above all.
            heart: What the supervising process listens to; None without one.
        """
        self._settings = settings
        limit = settings.watchdog_s
        if heart is None and limit > 0:
            heart = TimerHeart(limit)
        self._heart = heart
        self._pause_s = min(LONGEST_BEAT_S, limit / 10) if limit else LONGEST_BEAT_S
        self._next_look = 0.0
        self._inquiry = Inquiry(settings.connection)
        self._is_inquiring = False
        self.marks = Marks(limit)
        self.lags = Lags()
        self.picture = Picture()
        self.was_assigned = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Beat from now on, until the loop closes."""
        now = monotonic()
        late, marks = self.marks.beat(now, self._pause_s), self.marks
        if late or marks.waiting or marks.is_held_up(now):
            # Whoever waits for others, or was stopped, or has a commit to wait for, is not deaf.
            self.lags.excuse(now)
        if self._heart is not None:
            self._heart.beat()
        why = self.marks.overdue(now) or "; ".join(self._stuck(now, 1.0))
        if why:
            end_process(ExitCode.WATCHDOG, TimeoutError(why))
        self._suspect(loop, now)
        loop.call_later(self._pause_s, self.start, loop)

    def enter(self, phase: Phase, waits_s: float = 0.0) -> None:
        """Mark what the cycle does next; see `Marks.enter`."""
        self.marks.enter(phase, monotonic(), waits_s)

    def look(self, engine: Engine) -> None:
        """See how far the partitions are, now and then. Only in the cycle's thread."""
        now = monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_S
        self.picture = taken(engine)
        self.lags.observe(self.picture.places, now)

    def not_live(self) -> list[str]:
        """What does not move, in sentences, told before the process ends for it."""
        now, limit = monotonic(), self.marks.limit_s
        found = []
        silent = now - self.marks.beaten
        if silent > (min(LOOP_S, limit / 2) if limit else LOOP_S):
            found.append(f"the event loop did not run for {silent:.1f} s")
        overdue = self.marks.overdue(now, 0.5)
        return [*found, *([overdue] if overdue else []), *self._stuck(now, 0.0)]

    def _stuck(self, now: float, share: float) -> list[str]:
        if share and not self.marks.limit_s:
            return []
        return self.lags.stuck(now, share * self.marks.limit_s)

    def _suspect(self, loop: asyncio.AbstractEventLoop, now: float) -> None:
        """Have suspects looked into, in a thread that may wait."""
        suspects = self.lags.suspects(now, self.marks.limit_s / 2 or UNLIMITED_PATIENCE_S)
        if suspects and not self._is_inquiring:
            self._is_inquiring = True
            loop.run_in_executor(None, self._inquire, suspects)

    def _inquire(self, suspects: dict[tuple[str, int], Place]) -> None:
        try:
            self._inquiry.into(suspects)
        finally:
            self._is_inquiring = False
