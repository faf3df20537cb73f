"""When a flow may carry a record: at once, at the next tick of its cron, or once a person says so.

Whether a record may go is decided by its own time and the clock alone, so a restart, a rebalance
or a crash changes nothing, and the position in the topic needs no company.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from croniter import croniter

if TYPE_CHECKING:
    from streams.contracts.interfaces.document import Flow

ALL_MS = 2**63 - 1
NONE_MS = -1


@dataclass(frozen=True, slots=True)
class Release:
    """How a flow lets records go.

    Attributes:
        mode: `stream`, `batch` or `manual`.
        cron: With `batch`: five fields, in UTC.
    """

    mode: str = "stream"
    cron: str = ""

    @classmethod
    def of(cls, flow: Flow) -> Release:
        """The release of a flow."""
        return cls(flow.mode, flow.cron)

    def upto_ms(self, now_ms: int, ordered_ms: int = NONE_MS) -> int:
        """Records of this time and earlier may go.

        Args:
            now_ms: The time, milliseconds since 1970.
            ordered_ms: With `manual`: up to which time a person released records.
        """
        match self.mode:
            case "batch":
                return last_tick_ms(self.cron, now_ms)
            case "manual":
                return ordered_ms
            case _:
                return ALL_MS


def last_tick_ms(cron: str, now_ms: int) -> int:
    """The last time at or before a moment that a cron names, milliseconds since 1970."""
    # The search looks before its start, so a tick that is now needs a start just behind it.
    start = datetime.fromtimestamp(now_ms // 1000 + 1, UTC)
    tick: datetime = croniter(cron, start).get_prev(datetime)
    return int(tick.timestamp()) * 1000


def period_s(cron: str, around: datetime) -> float:
    """The longest pause between two ticks among the next thirty-two, seconds."""
    ticks = croniter(cron, around)
    times: list[datetime] = [ticks.get_next(datetime) for _ in range(33)]
    return max((after - before).total_seconds() for before, after in pairwise(times))
