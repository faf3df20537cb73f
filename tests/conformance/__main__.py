"""`python -m tests.conformance [DIR]`: the source against another connector's recorded output."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from localstack.layout import REPOSITORY

from tests.conformance.oracle import DEBEZIUM, FORMS, load
from tests.conformance.run import run
from tests.conformance.stage import Parts
from tests.parts import temporary_stack

PARTS = ("broker", "registry", "database")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("directory", nargs="?", default=str(DEBEZIUM), help="schema, cases, output")
    parser.add_argument("--form", action="append", choices=sorted(FORMS), help="only this form")
    given = parser.parse_args()
    oracle = load(Path(given.directory))
    # What was started is ended also when the run is.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    with temporary_stack(REPOSITORY / ".lotgate" / "parts") as stack:
        stack.prepare(parts=PARTS)
        stack.up(PARTS)
        addresses = stack.addresses()
        parts = Parts(addresses.admin_dsn, addresses.bootstrap, addresses.registry_url)
        report = run(parts, oracle, tuple(FORMS[name] for name in given.form or ()))
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
