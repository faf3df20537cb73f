"""How far the take-overs are, for the log and for health."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

    from streams.engine.takeover.way import Takeover

log = logging.getLogger(__name__)

TELL_S: Final = 2.0
"""Between two lines of progress."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the restores of a worker are.

    Attributes:
        partitions: Partitions that are not consumed yet.
        records: Changelog records applied for them.
        per_second: Records per second since the first of them began.
        share: How much of the way is done, 0 to 1.
        seconds_left: At this pace; None while it is not known.
    """

    partitions: int
    records: int
    per_second: float
    share: float
    seconds_left: float | None


class Tally:
    """Counts what has arrived since nothing was on its way."""

    def __init__(self) -> None:
        self._began = self._told = monotonic()
        self._gone = 0
        self._applied = 0

    def arrived(self, each: Takeover) -> None:
        """Count a partition that is through."""
        self._gone += 1
        self._applied += each.records

    def progress(self, known: Collection[Takeover]) -> Progress | None:
        """How far those are that are on their way; None when there are none."""
        if not known:
            return None
        records = self._applied + sum(each.records for each in known)
        share = (self._gone + sum(each.share for each in known)) / (self._gone + len(known))
        seconds = max(monotonic() - self._began, 0.001)
        left = seconds / share * (1 - share) if share > 0 else None
        return Progress(len(known), records, records / seconds, share, left)

    def tell(self, known: Collection[Takeover], waiting: str) -> None:
        """Log it, now and then, and when all have arrived."""
        now = monotonic()
        progress = self.progress(known)
        if progress is None and self._gone:
            log.info(
                "%d partitions restored, %d records in %.1f s",
                self._gone, self._applied, now - self._began,
            )  # fmt: skip
            self._gone = 0
        elif progress is not None and now - self._told >= TELL_S:
            self._told = now
            left = progress.seconds_left
            log.info(
                "restoring %d partitions: %d records, %.0f/s, %.0f %% done, %s left%s",
                progress.partitions, progress.records, progress.per_second, progress.share * 100,
                "?" if left is None else f"{left:.0f} s",
                f"; {waiting}" if waiting else "",
            )  # fmt: skip
