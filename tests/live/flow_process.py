"""A manual flow's sink as a process of its own, for tests that let it die.

    python -m tests.live.flow_process JSON

The fault point in `fault` is armed before the loop begins.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.base import Capabilities, Observation, Outcome
from connectors.runner.sink import run_sink
from streams.contracts.interfaces import Release
from streams.engine import arm
from streams.model.hold import Prior, Share
from tests.live.sink_bench import Bench

if TYPE_CHECKING:
    from streams.model.hold import HoldCommand


class Shelf:
    """A target in memory that holds whatever it is told to, and keeps what it saw."""

    name = "erp"
    capabilities = Capabilities(
        has_readback=True, can_hold_partial=False, supports_idempotency_key=True
    )

    def __init__(self) -> None:
        self.seen: list[HoldCommand] = []

    async def apply(self, command: HoldCommand) -> Outcome:
        self.seen.append(command)
        return Outcome(detail="held", calls=1)

    async def read_back(self, command: HoldCommand) -> Observation:
        share = Share("contained", Decimal(1), "kg", "QUA")
        return Observation(found=True, shares=(share,), effective_disposition="Restricted",
                           prior=Prior(), detail=command.lot_id)  # fmt: skip

    async def close(self) -> None:
        return


def main(told: str) -> None:
    """Run until killed."""
    given = json.loads(told)
    arm(given["fault"])
    bench = Bench(given["bootstrap"], Path(given["folder"]), given["prefix"], writes=False)
    config = replace(bench.config, flow="erp-hold", release=Release("manual"))
    asyncio.run(run_sink(config, bench.connection, bench.codec, Shelf()))


if __name__ == "__main__":
    main(sys.argv[1])
