"""Run an application as this process."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Final

import faust

from streams.engine.plugin.ending import end_process, exit_code_of
from streams.engine.watch.heart import supervised
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from streams.engine.app import Lotgate
    from streams.engine.watch.heart import Heart

YOUNG_OBJECTS: Final = 100_000
"""New objects between two looks of the collector: more than a full cycle's records."""


class PlainWorker(faust.Worker):
    """Faust's worker, with the logging that the process has already set up."""

    def _setup_logging(self) -> None:
        """Leave logging as it is."""


def run_worker(app: Lotgate, heart: Heart | None = None) -> int:
    """Run an application until it is stopped by a signal, in a child of this process.

    This process becomes the light one that ends the other when it hangs (`watchdog_s` of the
    settings; 0: no child). It passes signals on and ends as the child does.

    Args:
        app: The application.
        heart: What the supervising process listens to, if the caller called `supervised` itself.

    Returns:
        The exit status, in the child. An end for one of the reasons in `exit_codes` does not
        return.
    """
    if heart is None:
        try:
            heart = supervised(app.settings.watchdog_s)
        except Misconfigured as refused:
            end_process(exit_code_of(refused), refused)
    if heart is not None:
        app.beat_to(heart)
    _spare_collector()
    worker = PlainWorker(app, redirect_stdouts=False, quiet=True)
    worker.spinner = None
    try:
        # It ends by raising SystemExit, also when all went well.
        worker.execute_from_commandline()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0


def _spare_collector() -> None:
    """Let the collector of cyclic garbage look more rarely, and not at what stays.

    A cycle holds all its records at once, and a store its states: at the interpreter's defaults
    they are searched for cycles, of which they have none, some thirty times per cycle. On the
    reference job that was 18 % of the worker's own work (`tests/bench/profile_cycle.py`).
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 100)
