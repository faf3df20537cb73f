"""What a rule says: the new state, what follows from it, and what is to happen later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Timer:
    """Something that is to happen to a key at a time, once, unless it is cancelled before.

    A key has at most one timer of a name: setting it again replaces the one before.

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
