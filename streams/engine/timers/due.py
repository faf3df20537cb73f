"""Run a stage's `due` on one timer. Everything is computed before anything is staged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.engine.cycle.rules import with_view
from streams.engine.timers.asked import KEY_ERRORS, asked
from streams.engine.timers.evidence import headers
from streams.model.verdict import Timer

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.engine.cycle.effects import Effects
    from streams.engine.declare import Stage
    from streams.engine.poison.letters import Output
    from streams.engine.state.table import Table
    from streams.engine.timers.pending import Pending
    from streams.engine.timers.places import Place
    from streams.errors import Poison

    Fire = Callable[[Place, int, int], tuple[list[Output], list[Poison]] | None]
    """Runs `due` on a timer, at a time and a position, and stages its state and timers."""


def bind_due(
    stage: Stage,
    effects: Effects,
    table: Table[Any] | None,
    pending: Pending,
    changes: dict[bytes, bytes | None],
    partition: int,
) -> Fire | None:
    """Make the function that fires a stage's timers.

    Args:
        stage: The stage.
        effects: Encodes what `due` emits.
        table: The stage's state.
        pending: Its timers.
        changes: The partition's staged store changes; the function adds to them.
        partition: Number of the partition, for the evidence.

    Returns:
        The function, None for a stage without timers.
    """
    if stage.due is None or table is None:
        return None
    if stage.scope == "partition":
        return _over_partition(stage, effects, table, pending, changes, partition)
    return _over_key(stage, effects, table, pending, partition)


def _over_key(
    stage: Stage,
    effects: Effects,
    table: Table[Any],
    pending: Pending,
    partition: int,
) -> Fire:
    due: Any = stage.due

    def fire(place: Place, now_us: int, position: int) -> tuple[list[Output], list[Poison]] | None:
        state = table.load(place.key)
        verdict = due(state, _timer(place), now_us)
        emitted = None
        if verdict.emits:
            told = headers(place, now_us, partition, position)
            emitted = effects.outputs(verdict.emits, None, told)
        timers = asked(stage, verdict.timers, place.key) if verdict.timers else ()
        new = verdict.state
        if new is not state:
            table.stage(place.key, new)
        for each in timers:
            pending.put(*each)
        return emitted

    return fire


def _over_partition(
    stage: Stage,
    effects: Effects,
    table: Table[Any],
    pending: Pending,
    changes: dict[bytes, bytes | None],
    partition: int,
) -> Fire:
    due: Any = stage.due

    def fire(place: Place, now_us: int, position: int) -> tuple[list[Output], list[Poison]] | None:
        def work() -> tuple[list[Output], list[Poison]] | None:
            emits = due(table, _timer(place), now_us)
            if not emits:
                return None
            told = headers(place, now_us, partition, position)
            return effects.outputs(emits, None, told)

        return with_view(stage, table, pending, changes, work)

    return fire


def _timer(place: Place) -> Timer:
    return Timer(place.name, place.due_us, place.key.decode(errors=KEY_ERRORS))
