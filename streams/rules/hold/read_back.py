"""A command counts as applied only when the target, read back, shows it.

What the target answered to the call does not count: it may say yes and stay as it was. The rule
looks at read-backs and at the time alone, so it gives the same answer whenever it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


class Standing(StrEnum):
    """Where a command stands."""

    SENT = "sent"
    VERIFIED = "verified"
    ESCALATED = "escalated"


@dataclass(frozen=True, slots=True)
class ReadBackClock:
    """How long a target may take.

    Attributes:
        retry_after: Time from the source commit, or from the last read-back, to the next try.
        breach_after: Time from the source commit until a person is called.
    """

    retry_after: timedelta = timedelta(seconds=60)
    breach_after: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What a target was seen to be.

    Attributes:
        observed_at: When it was read, aware.
        disposition: The disposition it showed.
    """

    observed_at: datetime
    disposition: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """Where a command stands at a moment.

    Attributes:
        standing: `verified` while the last read-back agrees; `escalated` once a person is needed.
        applied_at: First read-back that agreed, None if none did.
        breach_at: When the time was up without agreement, None if it was not.
        retry_at: When to try again, None if the target agrees.
    """

    standing: Standing
    applied_at: datetime | None = None
    breach_at: datetime | None = None
    retry_at: datetime | None = None


_DEFAULTS = ReadBackClock()


def judged(
    committed_at: datetime,
    wanted: str,
    read_backs: Iterable[ReadBack],
    now: datetime,
    clock: ReadBackClock = _DEFAULTS,
) -> Judgement:
    """Judge a command.

    A target that agreed and later shows something else has lost the hold: that is escalated at
    once, whatever the clock says.

    Args:
        committed_at: Commit of the root event at its source; both clocks start there.
        wanted: The disposition that the target must show.
        read_backs: Everything read so far, in any order. Later ones than `now` do not count.
        now: The moment asked about.
        clock: The limits.
    """
    seen = sorted(
        (back for back in read_backs if back.observed_at <= now), key=lambda b: b.observed_at
    )
    applied_at = next((back.observed_at for back in seen if back.disposition == wanted), None)
    limit = committed_at + clock.breach_after
    late = limit <= now and (applied_at is None or applied_at > limit)
    breach_at = limit if late else None
    if seen and seen[-1].disposition == wanted:
        return Judgement(Standing.VERIFIED, applied_at, breach_at)
    lost = applied_at is not None
    return Judgement(
        Standing.ESCALATED if late or lost else Standing.SENT,
        applied_at,
        breach_at,
        (seen[-1].observed_at if seen else committed_at) + clock.retry_after,
    )
