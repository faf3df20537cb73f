"""The error tree: three kinds, because there are three things to do.

* `Poison`: this record can never work. It becomes a dead letter with its bytes; others flow on.
* `Transient`: the world is down for a while. The work is retried with back-off; nothing is lost.
* `Misconfigured`: a person must change something. The process refuses to start or stops.

Every error carries a stable `code` (programs match on it), says what happened and where, what was
kept safe, and what to do next. `outcome_of` is the one judge of what an exception means.
"""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What the caller does with a failure."""

    DEAD_LETTER = "dead_letter"
    RETRY = "retry"
    REFUSE = "refuse"
    STOP = "stop"


class LotgateError(Exception):
    """The root of all errors that Lotgate raises on purpose.

    Args:
        message: What happened, and where.
        code: Stable code, lower case with underscores; overrides the class's own.
        kept: What was kept safe (empty when nothing was at risk).
        advice: What the reader should do next.
    """

    code: str = "lotgate_error"

    def __init__(
        self, message: str, *, code: str | None = None, kept: str = "", advice: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.kept = kept
        self.advice = advice

    def __str__(self) -> str:
        parts = [self.message]
        if self.kept:
            parts.append(f"Kept safe: {self.kept}")
        if self.advice:
            parts.append(f"Next: {self.advice}")
        return f"[{self.code}] " + " ".join(part.rstrip(".") + "." for part in parts)


class Poison(LotgateError):
    """The record itself is at fault, now and on every retry."""

    code = "poison"


class Transient(LotgateError):
    """Something outside is unavailable; the same call may work later."""

    code = "transient"


class Unknown(Transient):
    """A foreign call ended without an answer: it may have worked, so read before acting."""

    code = "unknown_outcome"


class Misconfigured(LotgateError):
    """A person must change a setting, a right or a topic before this can work."""

    code = "misconfigured"


def outcome_of(error: BaseException) -> Outcome:
    """Judge an exception.

    Returns:
        The one thing to do. Anything that Lotgate did not raise on purpose stops the process
        (law E6: fail-stop, never fail-silent).
    """
    match error:
        case Poison():
            return Outcome.DEAD_LETTER
        case Transient():
            return Outcome.RETRY
        case Misconfigured():
            return Outcome.REFUSE
        case _:
            return Outcome.STOP
