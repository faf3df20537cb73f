"""What a rule asks about timers, checked before anything of it is staged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from streams.engine.cycle.effects import Undeclared
from streams.engine.timers.places import NEVER
from streams.errors import Poison

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.engine.declare import Stage
    from streams.model.verdict import Timer

KEY_ERRORS: Final = "surrogateescape"
"""A record's key may be any bytes; as text, and back, it stays what it is."""


class Asked(NamedTuple):
    """One timer to set, replace or cancel: key, name, and when it is due (None: never)."""

    key: bytes
    name: str
    due_us: int | None


class UndeclaredTimer(Undeclared):
    """A rule asked for a timer, but its stage does not say what happens when one is due."""

    code = "undeclared_timer"


def asked(stage: Stage, timers: Iterable[Timer], key: bytes | None) -> list[Asked]:
    """Check what a rule asked.

    Args:
        stage: The rule's stage.
        timers: What it asked.
        key: The key that the rule saw; None for a rule that sees the whole partition.

    Raises:
        UndeclaredTimer: The stage has no `due`.
        Poison: A timer has no usable due time or name, or is another key's.
    """
    if stage.due is None:
        raise UndeclaredTimer(
            f"the rule of stage {stage.name} asked for a timer, and the stage has no `due`",
            kept="the record was not consumed",
            advice=f"give stage {stage.name} a store and due=: what happens when a timer is due",
        )
    return [_checked(timer, key, stage.name) for timer in timers]


def _checked(timer: Timer, key: bytes | None, stage: str) -> Asked:
    own = timer.key.encode(errors=KEY_ERRORS)
    if key is None and not own:
        raise _wrong(timer, stage, "names no key, and its rule sees a whole partition")
    if key is not None and own not in (b"", key):
        raise _wrong(timer, stage, f"belongs to another key than the record's, {key!r}")
    if not timer.name:
        raise _wrong(timer, stage, "has no name")
    due = timer.due_us
    if due is not None and (type(due) is not int or not 0 <= due < NEVER):
        raise _wrong(timer, stage, "is not due at a number of microseconds since 1970")
    return Asked(own or key or b"", timer.name, due)


def _wrong(timer: Timer, stage: str, what: str) -> Poison:
    return Poison(f"a timer that stage {stage} asked for {what}: {timer!r}", code="bad_timer")
