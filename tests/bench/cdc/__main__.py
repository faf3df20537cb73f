"""`make bench-cdc`: our PostgreSQL source and Debezium on one server and one broker, in one run.

    python -m tests.bench.cdc [--rows N] [--rounds N] [--only ROW[,ROW…]] [--parts PART[,PART…]]
    python -m tests.bench.cdc --memory [--rows N]

Parts are `stream`, `snapshot` and `paced`. `--only`, `--parts`, fewer rows or fewer rounds leave
the committed results alone. `--memory` is the longer mode: ten million rows, and one transaction
of five million.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException
from localstack.errors import StackError
from localstack.layout import Layout

from tests.bench.cdc.debezium.setup import installed
from tests.bench.cdc.findings import Findings
from tests.bench.cdc.report import Report
from tests.bench.cdc.rows import Field
from tests.bench.cdc.run import PARTS, Bench, say
from tests.bench.cdc.server import lent_server
from tests.bench.ground import lent

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS = 500_000
MANY_ROWS = 10_000_000
ROUNDS = 3


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cdc")
    parser.add_argument("--rows", type=int, default=0, help="of the table")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of each row")
    parser.add_argument("--only", default="", help="rows by key, with commas; limit is one")
    parser.add_argument("--parts", default=",".join(PARTS), help="of the bench, with commas")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each paced measurement")
    parser.add_argument("--memory", action="store_true", help="the longer mode")
    found = parser.parse_args(given)
    found.rows = found.rows or (MANY_ROWS if found.memory else ROWS)
    found.only = set(filter(None, found.only.split(",")))
    found.parts = [part for part in PARTS if part in found.parts.split(",")]
    return found


def is_whole(given: argparse.Namespace) -> bool:
    """Whether a run's results are worth keeping."""
    whole = not given.only and not given.memory and given.parts == list(PARTS)
    return whole and given.rows >= ROWS and given.rounds >= ROUNDS


def main() -> int:
    """Run the bench; exit code 1 when an output was wrong or a run did not end."""
    given, began = arguments(), time.monotonic()
    # As an interruption does, so that everything that was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    found = Findings(given.rows, given.rounds)
    programs = installed(say)
    with lent() as ground, lent_server(Layout(ground.folder / "pg", ground.folder)) as server:
        bench = Bench(Field(ground, server, programs), found, given)
        try:
            bench.whole()
        except (RuntimeError, KafkaException, StackError) as failure:
            found.failures.append(str(failure))
    found.seconds = time.monotonic() - began
    report = Report(found)
    if is_whole(given):
        report.write()
    say(report.text())
    say(json.dumps(found.last_line()))
    return 0 if found.output_ok else 1


if __name__ == "__main__":
    sys.exit(main())
