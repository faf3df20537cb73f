"""What a rule says: the new state, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Verdict(Generic[S]):
    """The outcome of one event under one rule.

    Attributes:
        state: The state after the event; None removes it.
        emits: Events and messages that follow, in order. Their types choose their topics.
    """

    state: S | None
    emits: tuple[object, ...] = ()
