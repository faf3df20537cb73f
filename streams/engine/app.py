"""The Faust application of a job: configured so that nothing bypasses the cycle."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import faust
from faust.app.base import BootStrategy

from streams.engine.binding import Stages
from streams.engine.cycle.demands import refuse_shared_inputs
from streams.engine.cycle.engine import Engine
from streams.engine.faults import arm
from streams.engine.plugin.batches import BatchSchema
from streams.engine.plugin.ending import bound_shutdown, end_process, exit_code_of
from streams.engine.plugin.tables import NoTables
from streams.engine.watch.report import report
from streams.engine.watch.serving import served
from streams.engine.watch.watch import Watch
from streams.errors import Misconfigured

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from faust.types import StreamT
    from mode.utils.queues import ThrowableQueue

    from streams.engine.declare import Stage
    from streams.engine.settings import EngineSettings
    from streams.engine.watch.heart import Heart
    from streams.runtime.health import HealthServer

NOWHERE = "lotgate://"
"""The broker URL of an application that takes the broker from its settings."""


class NoWeb(BootStrategy):
    """Starts no web server: its fixed port would let one worker per machine start."""

    enable_web = False

    def web_server(self) -> list[Any]:
        """Start none, whatever the command line's flags say."""
        return []


class Lotgate(Stages, faust.App):
    """A job: stages that read topics, keep state and emit events, exactly once.

    Importing a module that makes one opens nothing. The worker configures it, by `configure` or
    through the function given to `configure_from`, and starts it; `streams.app.application` makes
    one that takes its settings from the environment. `stage` binds a rule, and
    `streams.engine.testing.Driver` runs all of them without a broker.

    Example:
        >>> from examples.lot_hold import HOLDS, INSPECTIONS, LOTS, hold
        >>> app = Lotgate("lot-hold")
        >>> rule = app.stage(INSPECTIONS, store=LOTS, emits=(HOLDS,), dedupes_by_position=True)
        >>> rule(hold) is hold
        True
        >>> [stage.name for stage in app.stages]
        ['hold']
    """

    BootStrategy = NoWeb

    def __init__(self, name: str, *, broker: str = NOWHERE, **options: Any) -> None:
        """Name a job.

        Args:
            name: Name of the application.
            broker: `lotgate://host:port[;…]`; without a host the settings' bootstrap is used.
            options: Further Faust settings.
        """
        super().__init__(
            name,
            broker=broker,
            topic_disable_leader=True,
            web_enabled=False,
            stream_wait_empty=False,
            topic_allow_declare=False,
            TableManager=NoTables,
            **options,
        )
        self.stages: list[Stage] = []
        self.owned: frozenset[tuple[str, int]] = frozenset()
        self._settings: EngineSettings | None = None
        self._settings_from: Callable[[], EngineSettings] | None = None
        self._engine: Engine | None = None
        self._last_resort: threading.Timer | None = None
        self._watch: Watch | None = None
        self._heart: Heart | None = None
        self._health_server: HealthServer | None = None

    def FlowControlQueue(  # noqa: N802 - Faust's name
        self, maxsize: int | None = None, **_: Any
    ) -> ThrowableQueue[Any]:
        """A queue that keeps what is in it.

        Some moments after each assignment Faust opens its flow anew, and empties its queues at
        that. By then a batch of the next cycle may be in one, and would never come to its stage.
        """
        return super().FlowControlQueue(maxsize, clear_on_resume=False)

    def configure(self, settings: EngineSettings) -> None:
        """Give the settings."""
        self._settings = settings

    def configure_from(self, give: Callable[[], EngineSettings]) -> None:
        """Give a function that makes the settings when a worker starts without `configure`."""
        self._settings_from = give

    @property
    def engine(self) -> Engine:
        """The engine, once the application has begun to start."""
        if self._engine is None:
            raise Misconfigured(
                "the application was not started", code="not_started", advice="start a worker"
            )
        return self._engine

    @property
    def settings(self) -> EngineSettings:
        """The settings, with the broker that the application itself may name.

        Raises:
            Misconfigured: There are none, or they are wrong.
        """
        return self._resolved()

    @property
    def watch(self) -> Watch:
        """Who sees whether the worker moves, once the application has begun to start."""
        if self._watch is None:
            raise AssertionError("the application was not started")
        return self._watch

    def beat_to(self, heart: Heart) -> None:
        """Say which supervising process listens; see `supervised`."""
        self._heart = heart

    def health(self) -> dict[str, Any]:
        """How the worker stands, for probes; may be asked from any thread.

        Returns:
            `started` (the broker was reached, the group joined), `live` (it moves, or has nothing
            to do) and `ready` (the group has spoken, all its partitions are restored, nothing is
            waited for, and the end has not begun); `reasons`, by these names: sentences that say
            what is missing; `version`; `phase`; `waiting` (for what, empty if for nothing);
            `assigned` (a list of `topic[partition]`), `unassigned` (none is; that is no fault);
            `restoring` (those that are not consumed yet) and `restore` (how far they are, None if
            there are none); `lag` (offsets, markers of transactions included, by partition);
            `parked_keys`; `fuses` (why tripped, by partition); `cycles`, `records`,
            `seconds_since_cycle` (None before the first).
        """
        build = self._settings.build if self._settings is not None else ""
        return report(self._engine, self._watch, ends=self._last_resort is not None, build=build)

    async def on_first_start(self) -> None:
        """Make the engine and Faust's agents; folders are the engine's own business."""
        try:
            self._bind()
            self._begin_watch()
        except Misconfigured as refused:
            end_process(exit_code_of(refused), refused)

    async def stop(self) -> None:
        """Stop in a bounded time."""
        if self._last_resort is None and self._engine is not None:
            self._last_resort = bound_shutdown(self._engine.settings.shutdown_s)
        await super().stop()
        if self._health_server is not None:
            self._health_server.stop()
        if self._last_resort is not None:
            self._last_resort.cancel()

    def _begin_watch(self) -> None:
        settings = self.engine.settings
        watch = self._watch = Watch(settings, self._heart)
        watch.start(asyncio.get_running_loop())
        if settings.health_port:
            self._health_server = served(settings, self.health)

    def _bind(self) -> None:
        settings = self._resolved()
        if settings.fault:
            arm(settings.fault)
        refuse_shared_inputs(self.stages)
        engine = self._engine = Engine(self.stages, settings)
        for full_name, stage in engine.stages.items():
            source = self.topic(full_name, schema=BatchSchema(), internal=False, acks=False)
            self.agent(source, name=stage.name, concurrency=1)(_run)

    def _resolved(self) -> EngineSettings:
        if self._settings is None and self._settings_from is not None:
            self._settings = self._settings_from()
        settings = self._settings
        if settings is None:
            raise Misconfigured(
                f"the application {self.conf.id} has no settings",
                code="no_settings",
                advice="start it with `lotgate worker --app`, or call app.configure_from",
            )
        hosts = [f"{url.host}:{url.port or 9092}" for url in self.conf.broker if url.host]
        if not hosts:
            return settings
        connection = replace(settings.connection, bootstrap=",".join(hosts))
        return replace(settings, connection=connection)


async def _run(stream: StreamT[Any]) -> None:
    """The agent of every stage: one batch per message."""
    async for message in stream:
        message.batch.run(message.deadline)
        message.completed()
