"""Waiting for a part to answer, without waiting for one that has ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from localstack.errors import PartDidNotStart
from localstack.parts.part import NotReady

if TYPE_CHECKING:
    from collections.abc import Callable

    from localstack.host.processes import Process

POLL_SECONDS = 0.1


def until_ready(process: Process, probe: Callable[[], None], seconds: float) -> None:
    """Ask until the part answers.

    Raises:
        PartDidNotStart: It ended, or time ran out; the text ends with the last lines of its log.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            probe()
        except NotReady as answer:
            if not process.running():
                reason = "ended while it was starting"
            elif time.monotonic() > deadline:
                reason = f"did not answer within {seconds:.0f} s ({answer})"
            else:
                time.sleep(POLL_SECONDS)
                continue
            raise PartDidNotStart(
                f"{process.name} {reason}. Its data was kept. Log {process.log} ends:\n"
                f"{process.tail()}"
            ) from answer
        return
