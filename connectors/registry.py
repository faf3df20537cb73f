"""Name to connector, as a literal table, and the one place that starts them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from streams.errors import Misconfigured
from streams.runtime.settings import (
    EvidenceSettings,
    HoldSettings,
    SourceSettings,
    load,
    secret,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine


@dataclass(frozen=True, slots=True)
class Connector:
    """A connector that `lotgate connect` knows.

    Attributes:
        kind: Which loop runs it.
        system: The foreign system, as it appears in topics and ids.
        translator: For a source: the translator of its rows.
        partition: For a source: its partition of the positions topic.
    """

    kind: Literal["source", "hold", "evidence"]
    system: str
    translator: str = ""
    partition: int = 0


CONNECTORS: dict[str, Connector] = {
    "erp-cdc": Connector("source", "erp", translator="tryton", partition=0),
    "qms-cdc": Connector("source", "qms", translator="oca", partition=1),
    "erp-hold": Connector("hold", "erp"),
    "evidence": Connector("evidence", "evidence"),
}


def run(name: str, *, place_open: bool = False) -> None:
    """Run a connector until it is told to stop.

    Args:
        name: A name in `CONNECTORS`.
        place_open: For a hold sink: see `HoldSettings.place_open`.

    Raises:
        Misconfigured: The name is unknown, or its settings or its surroundings are not right.
    """
    connector = CONNECTORS.get(name)
    if connector is None:
        raise Misconfigured(
            f"there is no connector {name!r}",
            code="unknown_connector",
            advice=f"use one of: {', '.join(CONNECTORS)}",
        )
    match connector.kind:
        case "source":
            work = source(name, connector)
        case "hold":
            work = hold(connector, place_open=place_open)
        case "evidence":
            work = evidence()
    asyncio.run(until_stopped(work))


async def until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run until the work ends or the process is told to stop (SIGTERM, SIGINT)."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
