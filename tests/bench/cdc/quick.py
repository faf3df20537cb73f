"""Our source alone, in half a minute: for tuning.

    python -m tests.bench.cdc.quick [--rows 500000] [--rounds 2] [--translator T]
    python -m tests.bench.cdc.quick --snapshot [--workers N]

The table is filled in transactions of 100 rows; then a source reads them all, from the log or from
the table. It prints CPU seconds per million rows (by thread too), rows per second, and the peak of
resident memory.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from localstack.layout import Layout

from tests.bench.cdc import table
from tests.bench.cdc.contenders.ours import Ours
from tests.bench.cdc.measure.drain import Drain, Follow
from tests.bench.cdc.server import Server, lent_server
from tests.bench.ground import Ground, lent
from tests.bench.measure import procfs
from tests.bench.measure.watch import ended


def say(text: str) -> None:
    """Tell the person at the terminal."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def once(ours: Ours, rows: int) -> tuple[Drain, str]:
    """One run over rows that are there; its figures, and CPU seconds per million by thread."""
    began = time.monotonic()
    process = ours.start()
    try:
        found = Follow(ours.ground, ours, process, began).until_visible(rows)
        threads = sorted(procfs.threads(process.pid).items(), key=lambda each: -each[1])
        told = ", ".join(f"{name} {spent * 1e6 / rows:.2f}" for name, spent in threads[:6])
        return found, told
    finally:
        ended([process])


def measured(ground: Ground, server: Server, given: argparse.Namespace) -> None:
    """Fill the table once and let one source after the other read it."""
    dsn = server.database("quick")
    settings: dict[str, Any] = {"snapshot_workers": given.workers}
    if given.translator:
        settings["translator"] = given.translator
    sources = [
        Ours(ground, server, dsn, f"quick{number}", settings, given.snapshot)
        for number in range(given.rounds)
    ]
    for ours in [] if given.snapshot else sources:
        ours.prepare()
    with server.connect(dsn) as session:
        table.fill(session, given.rows, per_transaction=given.per_transaction)
    for ours in sources:
        found, threads = once(ours, given.rows)
        say(
            f"{ours.name}: CPU {found.cpu_per_million:.2f} s per million "
            f"({found.whole_per_million:.2f} with start), {found.rate:,.0f} rows/s, "
            f"peak {found.rss_mb:.0f} MB, server {found.server_per_million:.2f}, "
            f"broker {found.broker_per_million:.2f}\n  by thread, whole run: {threads}"
        )


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cdc.quick")
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--per-transaction", type=int, default=100)
    parser.add_argument("--translator", default="")
    parser.add_argument("--snapshot", action="store_true", help="read the table, not the log")
    parser.add_argument("--workers", type=int, default=1, help="of a snapshot")
    given = parser.parse_args()
    with lent() as ground, lent_server(Layout(ground.folder / "pg", ground.folder)) as server:
        measured(ground, server, given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
