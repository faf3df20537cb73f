"""How a worker ends itself: one line that says why, then a named exit code."""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Final

from streams.engine.exit_codes import MEANING, ExitCode
from streams.engine.kafka.failures import Fenced, Repartitioned, StartPosition
from streams.engine.poison.fuse import FuseTripped
from streams.engine.poison.ledger import ParkingFull
from streams.engine.state.table import StateUnreadable
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from typing import NoReturn

log = logging.getLogger(__name__)

CODES: Final[tuple[tuple[type[BaseException], ExitCode], ...]] = (
    (FuseTripped, ExitCode.FUSE),
    (Fenced, ExitCode.FENCED),
    (StartPosition, ExitCode.START_POSITION),
    (StateUnreadable, ExitCode.STATE_NEWER),
    (ParkingFull, ExitCode.PARKING_FULL),
    (Repartitioned, ExitCode.REPARTITIONED),
    (Misconfigured, ExitCode.PREFLIGHT),
)
"""What a failure means, the narrower kinds first."""


def exit_code_of(failure: BaseException) -> ExitCode:
    """The exit code that stands for a failure."""
    return next((code for kind, code in CODES if isinstance(failure, kind)), ExitCode.UNFORESEEN)


def end_process(code: ExitCode, failure: BaseException) -> NoReturn:
    """Say why, and end without running anything further.

    A worker that met something unforeseen must not go through an orderly shutdown that might
    still commit, or hang.
    """
    log.critical(
        "worker ends with code %d (%s): %s", code, MEANING[code], failure,
        exc_info=failure if code is ExitCode.UNFORESEEN else None,
    )  # fmt: skip
    if code is ExitCode.WATCHDOG:
        faulthandler.dump_traceback(sys.__stderr__ or 2, all_threads=True)
    print(f"lotgate: exit {int(code)}: {failure}", file=sys.stderr, flush=True)  # noqa: T201
    logging.shutdown()
    os._exit(code)


def bound_shutdown(seconds: float) -> threading.Timer:
    """End the process hard if its orderly end takes too long.

    Args:
        seconds: How long the orderly end may take.

    Returns:
        The running timer; cancel it when the end is reached.
    """
    late = TimeoutError(f"the orderly end took longer than {seconds:g} s")
    timer = threading.Timer(seconds, end_process, (ExitCode.WATCHDOG, late))
    timer.daemon = True
    timer.start()
    return timer
