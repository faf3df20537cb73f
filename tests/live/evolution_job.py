"""The engine job in three releases of its state: the second renames a field and adds one."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

from streams.engine import Lotgate, Store, Verdict, run_worker
from tests.live import engine_job as job

RELEASE = os.environ.get("ENGINE_TEST_BUILD", "1")


@dataclass(frozen=True, slots=True)
class LotTally:
    """The state from the second release on."""

    seq: int
    n: int
    failures: int
    held: bool
    last_value: int


TALLY_SCHEMA = job.record(
    "LotCount", seq="long", n="long", failures="long", held="boolean", last_value="long"
)


def to_second(old: dict[str, Any]) -> dict[str, Any]:
    """The second release calls the failures by their name and keeps the last value."""
    return {**old, "failures": old["fails"], "last_value": -1}


LATER = Store("lots", LotTally, TALLY_SCHEMA, version=2, upcasters={1: to_second})
CHANGED = Store("lots", LotTally, TALLY_SCHEMA, version=1)
"""The second release by somebody who forgot to count."""
BROKEN = Store("lots", LotTally, TALLY_SCHEMA, version=2)
"""The second release by somebody who forgot the upcaster."""


def decide_later(state: LotTally | None, event: job.Inspection) -> Verdict[LotTally]:
    """As the engine job's rule, in the later form of the state."""
    state = state or LotTally(0, 0, 0, False, -1)
    known = job.LotCount(state.seq, state.n, state.failures, state.held)
    verdict = job.decide(known, event)
    new = verdict.state
    if new is None or new is known:
        return Verdict(state, verdict.emits)
    return Verdict(LotTally(new.seq, new.n, new.fails, new.held, event.value), verdict.emits)


app = Lotgate("evolution-test")
app.configure_from(job.settings)
stores = {"2": LATER, "changed": CHANGED, "broken": BROKEN}
if RELEASE == "1":
    app.stage(job.INSPECTIONS, store=job.LOTS, emits=(job.HOLDS,), name="lot-hold")(job.decide)
else:
    app.stage(job.INSPECTIONS, store=stores[RELEASE], emits=(job.HOLDS,), name="lot-hold")(
        decide_later
    )

if __name__ == "__main__":
    sys.exit(run_worker(app))
