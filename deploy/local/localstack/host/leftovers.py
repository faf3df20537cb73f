"""What a killed preparation left behind: processes that nobody watches, and half-made files."""

from __future__ import annotations

import shutil
import signal
from typing import TYPE_CHECKING

from localstack.host.processes import Process

if TYPE_CHECKING:
    from pathlib import Path

KILL_SECONDS = 20.0


def clear(workshops: Path) -> None:
    """End the processes that were started in abandoned workshops and remove the folders.

    The caller holds the lock of the parts, so that nobody works there now.
    """
    for record in workshops.glob("*/run/*.json"):
        process = Process(record.stem, record, record.with_suffix(".log"))
        # Their data is removed with them: there is nothing to end in order.
        process.stop(signal.SIGKILL, KILL_SECONDS)
    shutil.rmtree(workshops, ignore_errors=True)
