"""`python -m tests.storm --seed n --seconds s`: a storm on real processes and its final line."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import orjson
from localstack.layout import REPOSITORY

from tests.storm.run import Plan, run_storm


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="draws input and schedule")
    parser.add_argument("--seconds", type=float, default=600, help="how long it storms")
    parser.add_argument("--brokers", type=int, choices=(1, 3), help="drawn by the seed if absent")
    parser.add_argument("--standbys", type=int, choices=(0, 1), help="drawn by the seed if absent")
    parser.add_argument("--protocol", default="classic", choices=("classic", "consumer"))
    parser.add_argument("--rate", type=float, default=250, help="input records per second")
    given = parser.parse_args()
    # What was started is ended also when the storm is.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    folder = Path(tempfile.mkdtemp(prefix="lotgate-storm-"))
    plan = Plan(**vars(given))
    line = run_storm(plan, folder, REPOSITORY / ".lotgate" / "parts")
    if line["ok"]:
        shutil.rmtree(folder)
    else:
        sys.stdout.write(f"logs are kept in {folder}\n")
    sys.stdout.write(orjson.dumps(line).decode() + "\n")
    return 0 if line["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
