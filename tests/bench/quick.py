"""Our worker alone, in half a minute: for tuning.

    python -m tests.bench.quick [--records 300000] [--lots 20000] [--rounds 1] [--latency]

It says CPU seconds per million (by thread), records per second, memory; with `--latency` the time
from produce to read_committed receive at 2,000 records per second.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.bench.ground import Ground, holds, lent
from tests.bench.measure.latency import measured
from tests.bench.measure.watch import Watch, ended
from tests.bench.measure.window import Run
from tests.bench.ours import Ours

LIMIT_S = 600.0


def once(ours: Ours, members: int = 1) -> Run:
    """One run of our workers over an input that is there."""
    ours.prepare()
    watch = Watch(ours.ground, ours.input, ours.full_group, members)
    began = time.monotonic()
    workers = [ours.start(str(number)) for number in range(members)]
    try:
        return watch.follow(workers, began, LIMIT_S)
    finally:
        ended(workers)


def told(run: Run) -> str:
    """A run in a few lines."""
    threads = ", ".join(
        f"{name} {seconds * 1e6 / run.total:.2f}"
        for name, seconds in sorted(run.threads.items(), key=lambda each: -each[1])
        if seconds > 0.02
    )
    return (
        f"CPU {run.cpu_per_million:.2f} s per million ({run.whole_per_million:.2f} with start), "
        f"{run.rate:,.0f} records/s, peak {run.rss_mb:.0f} MB, first record after "
        f"{run.start_s:.2f} s, broker {run.broker_per_million:.2f} s per million\n"
        f"  whole run by thread, s per million: {threads}"
    )


def throughput(ground: Ground, records: int, lots: int, rounds: int) -> None:
    """Some runs over one input."""
    first = Ours(ground, "quick", "quick-0")
    first.prepare()
    expected = ground.produce_inspections(first.input, records, lots)
    for number in range(1, rounds + 1):
        ours = Ours(ground, "quick", f"quick-{number}")
        since = ground.ends(ours.output)
        run = once(ours)
        exact = holds(ground, ours.output, since) == expected.holds
        say(f"round {number}: {told(run)}\n  output {'exact' if exact else 'WRONG'}")
        ground.forget(ours.group, ours.folder)


def latency(ground: Ground, rounds: int, seconds: float) -> None:
    """Some runs at 2,000 records per second."""
    for number in range(1, rounds + 1):
        ours = Ours(ground, f"pace-{number}", "paced")
        ours.prepare()
        worker = ours.start()
        try:
            found = measured(ground, ours.input, ours.output, [worker], seconds=seconds)
        finally:
            ended([worker])
        say(f"round {number}: {found}")


def say(text: str) -> None:
    """Tell the person at the terminal."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.quick")
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--lots", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--latency", action="store_true")
    parser.add_argument("--seconds", type=float, default=15.0, help="of measuring, with --latency")
    given = parser.parse_args()
    with lent() as ground:
        if given.latency:
            latency(ground, given.rounds, given.seconds)
            return 0
        throughput(ground, given.records, given.lots, given.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
