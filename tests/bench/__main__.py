"""`make bench-engine`: our engine and its peers on one broker, in one run.

    python -m tests.bench [--records N] [--rounds N] [--only ROW[,ROW…]] [--no-latency]

Quick looks for development: `python -m tests.bench.quick`. `--only` and fewer records leave the
committed results alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

from tests.bench.findings import Findings
from tests.bench.ground import Ground, lent
from tests.bench.measure.latency import measured
from tests.bench.measure.watch import ended
from tests.bench.ours import Ours
from tests.bench.peers.setup import Peers, prepared
from tests.bench.profile.cycle import profiled
from tests.bench.report import Report
from tests.bench.rows import LATENCY, THROUGHPUT, Input, Row, contender, made, once

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORDS = 1_000_000
ROUNDS = 3
PROFILED = ("ours", "ours_envelope")
ENDED_BADLY = (RuntimeError, KafkaException)


class Bench:
    """One run of the whole."""

    def __init__(self, ground: Ground, peers: Peers, given: argparse.Namespace) -> None:
        self._ground, self._peers, self._given = ground, peers, given
        self.found = Findings(given.records, given.slice, given.rounds)

    def throughput(self, rows: Sequence[Row], number: int, inputs: dict[str, Input]) -> None:
        """One round of all rows."""
        for row in rows:
            group = f"{row.key.replace('_', '-')}-{number}"
            try:
                result = once(row, self._ground, self._peers, inputs[row.input], group)
            except ENDED_BADLY as failure:
                self._failed(row, failure)
                continue
            self.found.results.setdefault(row.key, []).append(result)
            run = result.run
            say(
                f"{number} {row.title}: CPU {run.cpu_per_million:.1f} s per million "
                f"({run.whole_per_million:.1f} with start), {run.rate:,.0f} records/s, "
                f"{run.rss_mb:.0f} MB, first record after {run.start_s:.1f} s, broker "
                f"{run.broker_per_million:.1f}, output {'exact' if result.exact else 'WRONG'}"
            )

    def profile(self, rows: Sequence[Row], inputs: dict[str, Input]) -> None:
        """Where the time of our worker goes, on the bench's record and on the model's."""
        for row in rows:
            ours = Ours(self._ground, inputs[row.input].prefix, f"profile-{row.input}", row.app)
            try:
                found = profiled(ours)
            except ENDED_BADLY as failure:
                self._failed(row, failure)
                continue
            self.found.profiles[row.key] = {k: round(us, 3) for k, us in found.by_layer.items()}
            self._ground.forget(ours.group, ours.folder)

    def latency(self, rows: Sequence[Row], number: int) -> None:
        """One round of waiting times; each row has a new input of its own."""
        for row in rows:
            self._waited(row, number)
        if number == 1:
            self._alone()

    def _waited(self, row: Row, number: int) -> None:
        prefix = f"paced-{row.key.replace('_', '-')}-{number}"
        group = f"{prefix}-group"
        ours = contender(LATENCY[0], self._ground, self._peers, prefix, group)
        ours.prepare()
        it = contender(row, self._ground, self._peers, prefix, group)
        if it.output != ours.output:
            it.prepare()
        worker = it.start()
        try:
            found = measured(
                self._ground, it.input, it.output, [worker], seconds=self._given.seconds
            )
        except ENDED_BADLY as failure:
            self._failed(row, failure)
            return
        finally:
            ended([worker])
        self._ground.forget(prefix, it.folder)
        self.found.latencies.setdefault(row.key, []).append(found)
        say(f"{number} {row.title}: {found}")

    def _alone(self) -> None:
        """Broker and clients without an engine: what is in every figure."""
        ours = contender(LATENCY[0], self._ground, self._peers, "paced-none", "paced-none-group")
        ours.prepare()
        found = measured(self._ground, ours.input, ours.input, [], seconds=self._given.seconds)
        self.found.latencies["none"] = [found]
        say(f"no engine: {found}")

    def _failed(self, row: Row, failure: Exception) -> None:
        self.found.failures.append(f"{row.title}: {failure}")
        say(f"FAILED {row.title}: {failure}")


def say(text: str) -> None:
    """Tell the person at the terminal."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--records", type=int, default=RECORDS, help="of the reference input")
    parser.add_argument("--slice", type=int, default=50_000, help="records for stock Faust")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of each row")
    parser.add_argument("--only", default="", help="rows by key, with commas")
    parser.add_argument("--latency", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each latency measurement")
    return parser.parse_args()


def main() -> int:
    """Run the bench; exit code 1 when an output was wrong or a run did not end."""
    given, began = arguments(), time.monotonic()
    only = set(filter(None, given.only.split(",")))
    rows = [row for row in THROUGHPUT if not only or row.key in only]
    peers = prepared(say)
    with lent() as ground:
        bench = Bench(ground, peers, given)
        say("writing the input")
        inputs = made(ground, given.records, given.slice, {row.input for row in rows})
        for number in range(1, given.rounds + 1):
            bench.throughput(rows, number, inputs)
        bench.profile([row for row in rows if row.key in PROFILED], inputs)
        for number in range(1, given.rounds + 1 if given.latency else 1):
            bench.latency(LATENCY, number)
    found = bench.found
    found.seconds = time.monotonic() - began
    if not only and given.latency and given.records >= RECORDS and given.rounds >= ROUNDS:
        Report(found).write()
    say(Report(found).text())
    say(json.dumps(found.last_line()))
    return 0 if found.output_ok else 1


if __name__ == "__main__":
    sys.exit(main())
