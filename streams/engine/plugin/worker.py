"""Run an application as this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import faust

if TYPE_CHECKING:
    from streams.engine.app import Lotgate


class PlainWorker(faust.Worker):
    """Faust's worker, with the logging that the process has already set up."""

    def _setup_logging(self) -> None:
        """Leave logging as it is."""


def run_worker(app: Lotgate) -> int:
    """Run an application until it is stopped by a signal.

    Returns:
        The exit status. An end for one of the reasons in `exit_codes` does not return.
    """
    worker = PlainWorker(app, redirect_stdouts=False, quiet=True)
    worker.spinner = None
    try:
        # It ends by raising SystemExit, also when all went well.
        worker.execute_from_commandline()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
