"""The storm's rules: pure functions, run by the engine's workers and by the plain oracle alike."""

from __future__ import annotations

from dataclasses import dataclass, replace

from streams.model.verdict import Timer, Verdict

AGAIN_US = 400_000
"""The timer `again` sets itself anew so much later."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An input. Its producer repeats some and swaps some within a horizon."""

    lot: str
    seq: int
    value: int
    act: str
    timer: str
    due_us: int


@dataclass(frozen=True, slots=True)
class Lot:
    """A state: all up to `floor` was seen, and what is in `above` beyond it."""

    floor: int
    above: tuple[int, ...]
    n: int
    total: int
    fired: int


@dataclass(frozen=True, slots=True)
class Result:
    """An output: `n` numbers what happened to a lot, readings and timers alike."""

    lot: str
    n: int
    what: str
    seq: int
    total: int
    timer: str
    due_us: int


NEW = Lot(0, (), 0, 0, 0)


def decide(state: Lot | None, event: Reading) -> Verdict[Lot]:
    """Count each reading once, in whatever order it came; set, replace and cancel timers."""
    if event.act == "boom":
        raise ZeroDivisionError("the rule cannot take this")
    lot = state or NEW
    if event.seq <= lot.floor or event.seq in lot.above:
        return Verdict(state)
    floor, above = lot.floor, {*lot.above, event.seq}
    while floor + 1 in above:
        floor += 1
        above.remove(floor)
    counted = replace(
        lot, floor=floor, above=tuple(sorted(above)), n=lot.n + 1, total=lot.total + event.value
    )
    emits = (Result(event.lot, counted.n, "reading", event.seq, counted.total, "", 0),)
    if event.act == "end":
        # A removed state: what comes again later is new to the lot.
        return Verdict(None, emits)
    if event.act == "set":
        return Verdict(counted, emits, (Timer(event.timer, event.due_us),))
    if event.act == "cancel":
        return Verdict(counted, emits, (Timer(event.timer, None),))
    return Verdict(counted, emits)


def due(state: Lot | None, timer: Timer, now_us: int) -> Verdict[Lot]:  # noqa: ARG001
    """Count the firing; `again` sets itself three times of four, with a time that may be past."""
    lot = state or NEW
    at = timer.due_us or 0
    fired = replace(lot, n=lot.n + 1, fired=lot.fired + 1)
    emits = (Result(timer.key, fired.n, "fired", 0, fired.total, timer.name, at),)
    if timer.name == "again" and fired.fired % 4:
        return Verdict(fired, emits, (Timer("again", at + AGAIN_US),))
    return Verdict(fired, emits)
