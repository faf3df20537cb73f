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

    Example::

        def received(state: Lot | None, event: Receipt) -> Verdict[Lot]:
            due_us = event.received_us + 72 * HOUR_US
            return Verdict(Lot(open=True), timers=(Timer("inspection", due_us),))

        def overdue(state: Lot, timer: Timer, now_us: int) -> Verdict[Lot]:
            return Verdict(state, (Escalated(timer.key, late_us=now_us - timer.due_us),))

        app.stage(RECEIPTS, store=LOTS, emits=(ESCALATIONS,), due=overdue)(received)

    An inspection's result then cancels it: `Verdict(state, timers=(Timer("inspection", None),))`.

    Attributes:
        name: What it is for, within its key.
        due_us: When, in microseconds since 1970 UTC; None cancels the timer of that name.
        key: The key it belongs to. The engine fills it in for a rule that sees one key; a rule
            with scope `partition` says it.
    """

    name: str
    due_us: int | None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Verdict(Generic[S]):
    """The outcome of one event under one rule.

    Attributes:
        state: The state after the event; None removes it.
        emits: Events and messages that follow, in order. Their types choose their topics.
        timers: Timers to set, replace or cancel. They are part of the same transaction.
    """

    state: S | None
    emits: tuple[object, ...] = ()
    timers: tuple[Timer, ...] = ()
