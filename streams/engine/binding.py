"""How a job's rules are bound to topics, with the types that make a wrong rule visible at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from streams.engine.declare import Stage

if TYPE_CHECKING:
    from streams.contracts.topics import Topic
    from streams.engine.declare import Scope, Store, View
    from streams.model.verdict import Timer, Verdict

S = TypeVar("S")
E = TypeVar("E")
R = TypeVar("R", bound="Callable[..., Any]")
Free = Callable[[None, E], "Verdict[Any]"]
"""A rule without state."""
Keyed = Callable[["S | None", E], "Verdict[S]"]
"""A rule that sees the state of the record's key."""
KeyedDue = Callable[["S | None", "Timer", int], "Verdict[S]"]
"""What happens when a timer of a key is due: state, timer, and the instant in microseconds."""
Viewing = Callable[["View[S]", E], "tuple[object, ...]"]
"""A rule that sees the whole partition; it gives what it emits."""
ViewingDue = Callable[["View[S]", "Timer", int], "tuple[object, ...]"]
"""The same for a timer."""


class Stages:
    """The stages of a job, in the order in which they were bound."""

    stages: list[Stage]

    @overload
    def stage(
        self,
        topic: Topic[E],
        *,
        store: None = None,
        emits: tuple[Topic[Any], ...] = (),
        dedupes_by_position: bool = False,
        scope: Literal["key"] = "key",
        name: str | None = None,
        version: str = "",
    ) -> Callable[[Free[E]], Free[E]]: ...
    @overload
    def stage(
        self,
        topic: Topic[E],
        *,
        store: Store[S],
        emits: tuple[Topic[Any], ...] = (),
        dedupes_by_position: bool = False,
        scope: Literal["key"] = "key",
        name: str | None = None,
        due: KeyedDue[S] | None = None,
        version: str = "",
    ) -> Callable[[Keyed[S, E]], Keyed[S, E]]: ...
    @overload
    def stage(
        self,
        topic: Topic[E],
        *,
        store: Store[S],
        emits: tuple[Topic[Any], ...] = (),
        dedupes_by_position: bool = False,
        scope: Literal["partition"],
        name: str | None = None,
        due: ViewingDue[S] | None = None,
        version: str = "",
    ) -> Callable[[Viewing[S, E]], Viewing[S, E]]: ...
    def stage(  # noqa: PLR0913 - each says one thing about the stage
        self,
        topic: Topic[Any],
        *,
        store: Store[Any] | None = None,
        emits: tuple[Topic[Any], ...] = (),
        dedupes_by_position: bool = False,
        scope: Scope = "key",
        name: str | None = None,
        due: Callable[..., Any] | None = None,
        version: str = "",
    ) -> Any:
        """Bind a pure rule to an input topic.

        A rule takes no clock, draws no random number and calls nothing outside: what it gives
        depends on the state and the event alone, so that it may run again after a crash.

        Args:
            topic: The input. An application has one stage per input topic.
            store: The stage's state; None for a stateless stage, whose rule sees None.
            emits: Topics that outputs may go to, told apart by the type of the event.
            dedupes_by_position: The rule drops records older than its state; then a key waits
                behind its dead letter.
            scope: `key`: `rule(state, event) -> Verdict`. `partition`: `rule(view, event) ->
                tuple of events`, where the view gives and takes any state of the partition.
            name: Name of the stage; the function's own by default.
            due: What happens when one of the stage's timers is due: `due(state, timer, now_us) ->
                Verdict`, or with scope `partition` `due(view, timer, now_us) -> tuple of events`.
                `now_us` is when it fired, which after an outage is later than `timer.due_us`.
            version: Version of the rule, for dead letters.

        Returns:
            A decorator that gives the function back unchanged.

        Example:
            >>> from examples.lot_hold import HOLDS, INSPECTIONS, LOTS, LotState
            >>> from streams.engine import Lotgate, Verdict
            >>> app = Lotgate("lot-hold")
            >>> @app.stage(INSPECTIONS, store=LOTS, emits=(HOLDS,))
            ... def count(state, event):
            ...     return Verdict(LotState(n=(state.n if state else 0) + 1))
            >>> [(stage.name, stage.topic.name) for stage in app.stages]
            [('count', 'example.inspection.events')]
        """

        def bind(rule: R) -> R:
            called = name or rule.__name__.replace("_", "-")
            self.stages.append(
                Stage(called, topic, rule, store, emits, scope, dedupes_by_position, due, version)
            )
            return rule

        return bind
