"""`python -m tests.storm.cdc --seed n --kills k --rows r`: a storm over the source, one line."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import orjson
from localstack.layout import REPOSITORY

from tests.parts import temporary_stack
from tests.storm.cdc.field import Plan
from tests.storm.cdc.run import run_storm


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.storm.cdc", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="draws changes and schedule")
    parser.add_argument("--kills", type=int, default=100, help="how often the source dies")
    parser.add_argument("--rows", type=int, default=200_000, help="row changes to write")
    given = parser.parse_args()
    # What was started is ended also when the storm is.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    folder = Path(tempfile.mkdtemp(prefix="lotgate-storm-cdc-"))
    with temporary_stack(REPOSITORY / ".lotgate" / "parts") as stack:
        parts = ("broker", "registry", "database")
        stack.prepare(parts=parts)
        stack.up(parts)
        line = run_storm(Plan(**vars(given)), folder, stack)
    if line["ok"]:
        shutil.rmtree(folder)
    else:
        sys.stdout.write(f"logs are kept in {folder}\n")
    sys.stdout.write(orjson.dumps(line).decode() + "\n")
    return 0 if line["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
