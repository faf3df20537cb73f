"""A job with timers for the laws of the engine, and what a plain dictionary of timers does."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from streams.engine import Stage, Store, Timer, Topic, Verdict, View
from streams.engine.testing import POINTS
from tests.laws.engine_cases import record

LOTS = ("A", "B", "C")
NAMES = ("chain", "next", "once")
NOTHING = -1
"""In the place of a due time: the timer is cancelled."""
BAD = -2
"""In the place of a due time: the rule cannot take the event."""


@dataclass(frozen=True, slots=True)
class Ask:
    lot: str
    seq: int
    name: str
    due_us: int


@dataclass(frozen=True, slots=True)
class Asked:
    seq: int = 0
    fired: int = 0


@dataclass(frozen=True, slots=True)
class Fired:
    lot: str
    name: str
    due_us: int
    now_us: int


BY_LOT: Any = lambda event: event.lot  # noqa: E731 - one key for both topics
ASKS = Topic(
    "{group}-asks", Ask, record("Ask", lot="string", seq="long", name="string", due_us="long"),
    BY_LOT,
)  # fmt: skip
FIRED = Topic(
    "{group}-fired",
    Fired,
    record("Fired", lot="string", name="string", due_us="long", now_us="long"),
    BY_LOT,
)
STORE = Store("asked", Asked, record("Asked", seq="long", fired="long"))


def ask(state: Asked | None, event: Ask) -> Verdict[Asked]:
    """Set, replace or cancel one timer."""
    state = state or Asked()
    if event.seq <= state.seq:
        return Verdict(state)
    if event.due_us == BAD:
        raise ZeroDivisionError("the rule cannot take this")
    due_us = None if event.due_us == NOTHING else event.due_us
    return Verdict(replace(state, seq=event.seq), timers=(Timer(event.name, due_us),))


def due(state: Asked | None, timer: Timer, now_us: int) -> Verdict[Asked]:
    """Say that it fired; a timer of the name `chain` sets the next, perhaps in the past."""
    assert timer.due_us is not None
    state = replace(state or Asked(), fired=(state or Asked()).fired + 1)
    said = Fired(timer.key, timer.name, timer.due_us, now_us)
    follows = (Timer("next", timer.due_us + 3),) if timer.name == "chain" else ()
    return Verdict(state, (said,), follows)


def ask_in_view(view: View[Asked], event: Ask) -> tuple[object, ...]:
    """`ask` for a rule that sees the whole partition."""
    return _written(view, event.lot, ask(view.get(event.lot), event))


def due_in_view(view: View[Asked], timer: Timer, now_us: int) -> tuple[object, ...]:
    """`due` for a rule that sees the whole partition."""
    return _written(view, timer.key, due(view.get(timer.key), timer, now_us))


def _written(view: View[Asked], lot: str, verdict: Verdict[Asked]) -> tuple[object, ...]:
    assert verdict.state is not None
    view.put(lot, verdict.state)
    for timer in verdict.timers:
        view.set_timer(replace(timer, key=lot))
    return verdict.emits


BY_KEY = Stage("ask", ASKS, ask, STORE, (FIRED,), "key", True, due)
BY_PARTITION = Stage("ask", ASKS, ask_in_view, STORE, (FIRED,), "partition", True, due_in_view)


@dataclass
class Plain:
    """What should happen: a dictionary of timers, sorted whenever time passes."""

    pending: dict[tuple[str, str], int] = field(default_factory=dict)
    blocked: dict[str, deque[Ask]] = field(default_factory=dict)
    fired: list[Fired] = field(default_factory=list)

    def take(self, event: Ask) -> None:
        if event.lot in self.blocked:
            self.blocked[event.lot].append(event)
        elif event.due_us == BAD:
            self.blocked[event.lot] = deque()
        else:
            self._set(event)

    def drop(self, lot: str) -> None:
        """The head is given up; what waits behind it goes on, to the next that is bad."""
        waiting = self.blocked.pop(lot)
        while waiting:
            self.take(waiting.popleft())

    def settle(self, now_us: int) -> None:
        """One round is one cycle: what it sets, even in the past, is the next one's."""
        while ready := sorted(
            (at, *key)
            for key, at in self.pending.items()
            if at <= now_us and key[0] not in self.blocked
        ):
            for at, lot, name in ready:
                if self.pending.get((lot, name)) != at:
                    continue
                del self.pending[lot, name]
                self.fired.append(Fired(lot, name, at, now_us))
                if name == "chain":
                    self.pending[lot, "next"] = at + 3

    def _set(self, event: Ask) -> None:
        if event.due_us == NOTHING:
            self.pending.pop((event.lot, event.name), None)
        else:
            self.pending[event.lot, event.name] = event.due_us


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "ask", "pass", "pass", "cancel", "bad", "drop"]),
        st.sampled_from(LOTS),
        st.sampled_from(NAMES),
        st.integers(0, 12),
        st.sampled_from([None, None, "restart", "lose disk", *POINTS]),
    ),
    max_size=25,
)
"""What happens, to which lot and timer, how much later, and what befalls the process then."""
