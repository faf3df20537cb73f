"""How a connector runs as a process: until it is told to stop, or to a documented exit code."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import threading
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from streams.engine import MEANING, ExitCode, broker_answers, exit_code_of
from streams.errors import LotgateError, Transient
from streams.runtime.logging import Scrubber

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from streams.runtime.connection import KafkaConnection

log = logging.getLogger(__name__)

UNREACHABLE: Final = 5
"""Exit code of the command line for something that is needed and away."""
PAUSE_S: Final = 0.25
YOUNG_OBJECTS: Final = 50_000
"""New objects between two looks of the collector of cyclic garbage."""

Work: TypeAlias = "Callable[[], Coroutine[Any, Any, None]]"
"""Makes what runs; called once, so that nothing is opened before."""


class Ended(LotgateError):
    """A connector ended by itself.

    Attributes:
        exit_code: The process's exit code, by the table of `lotgate exit-codes`.
    """

    code = "ended"

    def __init__(self, failure: LotgateError, exit_code: int, scrubber: Scrubber) -> None:
        super().__init__(
            scrubber.clean(failure.message),
            code=failure.code,
            kept=scrubber.clean(failure.kept),
            advice=scrubber.clean(failure.advice),
        )
        self.exit_code = exit_code


def run_process(name: str, work: Work, secrets: Iterable[str] = ()) -> None:
    """Run a connector until it is told to stop.

    Args:
        name: The connector's name.
        work: Makes what runs.
        secrets: Values that must not appear in what is said about the end.

    Raises:
        Ended: It ended by itself; carries the exit code.
    """
    _spare_collector()
    ended: Ended | None = None
    try:
        asyncio.run(until_stopped(work()))
    except Exception as failure:  # noqa: BLE001 - judged and said, whatever it is
        ended = _judged(name, failure, Scrubber(secrets))
    # Outside of the handler: the end of a process shows no text of what led to it.
    if ended is not None:
        raise ended


def _spare_collector() -> None:
    """Let the collector of cyclic garbage look more rarely, and not at what stays.

    A source holds the rows of a transaction at once; they have no cycles to look for.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 100)


def _judged(name: str, failure: Exception, scrubber: Scrubber) -> Ended:
    number = UNREACHABLE if isinstance(failure, Transient) else int(exit_code_of(failure))
    is_unforeseen = number == ExitCode.UNFORESEEN
    meaning = MEANING[ExitCode(number)] if number in MEANING else "something needed is away"
    log.critical(
        "connector %s ends with code %d (%s): %s",
        name,
        number,
        meaning,
        failure,
        exc_info=failure if is_unforeseen else None,
        extra={"interface": name, "code": getattr(failure, "code", "unforeseen")},
    )
    if isinstance(failure, LotgateError):
        return Ended(failure, number, scrubber)
    told = LotgateError(
        f"connector {name} met something unforeseen: {type(failure).__name__}: {failure}",
        code="unforeseen",
        kept="what was not committed is not visible, and is done again after a restart",
        advice="the log holds the stack; report it, then start the connector again",
    )
    return Ended(told, number, scrubber)


async def until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run until the work ends or the process is told to stop (SIGTERM, SIGINT)."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def after_broker(name: str, connection: KafkaConnection, work: Work) -> None:
    """Begin the work once a broker answers; a stop does not wait for one.

    Args:
        name: Who waits, for the log.
        connection: Where the broker is.
        work: Makes what runs.
    """
    waited = False
    while not await asyncio.to_thread(broker_answers, connection):
        if not waited:
            log.warning("%s waits for the broker at %s", name, connection.bootstrap)
        waited = True
        await asyncio.sleep(PAUSE_S)
    if waited:
        log.info("%s: the broker answers", name)
    await work()


def in_thread(work: Callable[[], None], name: str) -> asyncio.Future[None]:
    """Run in a thread that the process's end does not wait for."""
    here = asyncio.get_running_loop()
    done: asyncio.Future[None] = here.create_future()

    def end(failure: BaseException | None) -> None:
        if done.done():
            return
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(failure)

    def run() -> None:
        failure: BaseException | None = None
        try:
            work()
        except BaseException as raised:  # noqa: BLE001 - handed over to who waits
            failure = raised
        # The loop is closed if nobody waits any more.
        with contextlib.suppress(RuntimeError):
            here.call_soon_threadsafe(end, failure)

    threading.Thread(target=run, name=name, daemon=True).start()
    return done
