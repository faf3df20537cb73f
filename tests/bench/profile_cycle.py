"""Where the CPU of one worker goes, per record, by layer, thread and function.

python -m tests.bench.profile_cycle [--records 300000] [--envelope] [--most 30]
"""

from __future__ import annotations

import argparse
import sys

from tests.bench.ground import lent
from tests.bench.ours import Ours
from tests.bench.profile.cycle import profiled, told
from tests.bench.quick import told as figures
from tests.bench.rows import THROUGHPUT, made


def main() -> int:
    """Run once and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.profile_cycle")
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--envelope", action="store_true", help="the real model's events")
    parser.add_argument("--most", type=int, default=30, help="functions shown")
    given = parser.parse_args()
    wanted = "ours_envelope" if given.envelope else "ours"
    row = next(each for each in THROUGHPUT if each.key == wanted)
    with lent() as ground:
        made(ground, given.records, 0, {row.input})
        found = profiled(Ours(ground, row.input, "profiled", row.app))
    sys.stdout.write(f"{figures(found.run)}\n{told(found, given.most)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
