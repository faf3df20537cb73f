"""Run an application as this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import faust

from streams.engine.plugin.ending import end_process, exit_code_of
from streams.engine.watch.heart import supervised
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from streams.engine.app import Lotgate
    from streams.engine.watch.heart import Heart


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
    worker = PlainWorker(app, redirect_stdouts=False, quiet=True)
    worker.spinner = None
    try:
        # It ends by raising SystemExit, also when all went well.
        worker.execute_from_commandline()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
