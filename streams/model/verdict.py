"""What a rule says: the new state, what follows from it, and what is to happen later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Timer:
    """Something that is to happen to a key at a time, once, unless it is cancelled before.

    A key has at most one timer of a name: setting it again replaces the one before. It fires in
    the first cycle at or after its due time, also when no event arrives, and once, whoever dies;
    several that are due fire in order of due time, key and name. After a downtime it fires late:
    `due` is given both the timer and the time that it is. While its key waits behind a dead
    letter, it waits too.

    Example:
        >>> hour_us = 3_600_000_000
        >>> def received(state: str | None, received_us: int) -> Verdict[str]:
        ...     return Verdict("waits", timers=(Timer("inspection", received_us + 72 * hour_us),))
        >>> def inspected(state: str | None) -> Verdict[str]:
        ...     return Verdict("done", timers=(Timer("inspection", None),))
        >>> def overdue(state: str | None, timer: Timer, now_us: int) -> Verdict[str]:
        ...     return Verdict(state, (f"{timer.key} is late by {now_us - timer.due_us} us",))
        >>> received(None, 0).timers
        (Timer(name='inspection', due_us=259200000000, key=''),)
        >>> overdue("waits", Timer("inspection", 5, "L1"), 7).emits
        ('L1 is late by 2 us',)

    `app.stage(..., store=LOTS, due=overdue)(rule)` says which function is called when one is due.

    Attributes:
        name: What it is for, within its key.
        due_us: When, in microseconds since 1970 UTC; None cancels the timer of that name.
        key: The key it belongs to. The engine fills it in for a rule that sees one key; a rule
            with scope `partition` says it.
    """

    name: str
    due_us: int | None
    key: str = ""


@dataclass(slots=True)
class Verdict(Generic[S]):
    """The outcome of one event under one rule. Nobody changes one that was given.

    A rule is a function, so it is tested as one; the engine is not needed for that.

    Example:
        >>> def second_failure(fails: int | None, event: str) -> Verdict[int]:
        ...     fails = (fails or 0) + (event == "failed")
        ...     return Verdict(fails, ("hold",) if fails == 2 else ())
        >>> second_failure(1, "failed")
        Verdict(state=2, emits=('hold',), timers=())
        >>> second_failure(2, "failed").emits
        ()

    Attributes:
        state: The state after the event; None removes it.
        emits: Events and messages that follow, in order. Their types choose their topics.
        timers: Timers to set, replace or cancel. They are part of the same transaction.
    """

    state: S | None
    emits: tuple[object, ...] = ()
    timers: tuple[Timer, ...] = ()
