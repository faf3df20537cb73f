"""A hold sink's loop as a process of its own, for tests that kill it.

    python -m tests.live.sink_process JSON

The fault point in `fault` is armed before the loop begins.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

from connectors.runner.sink import run_sink
from streams.engine import arm
from tests.live.sink_bench import Bench
from tests.live.tryton_goods import Ground


def main(told: str) -> None:
    """Run until killed."""
    given = json.loads(told)
    arm(given["fault"])
    bench = Bench(given["bootstrap"], Path(given["folder"]), given["prefix"], writes=False)
    ground = Ground(given["url"], Path(given["key"]), Path(given["key"]), "")
    asyncio.run(run_sink(replace(bench.config), bench.connection, bench.codec, ground.sink()))


if __name__ == "__main__":
    main(sys.argv[1])
