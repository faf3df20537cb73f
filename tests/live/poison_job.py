"""A job whose rules fail, kill their process or were repaired, as the record and the build say."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from streams.engine import EngineSettings, Lotgate, Parking, Verdict, run_worker
from tests.live import engine_job as job

BUILD = os.environ.get("ENGINE_TEST_BUILD", "1")


def settings() -> EngineSettings:
    """The engine job's, with what these tests need beyond it."""
    given = orjson.loads(Path(os.environ["ENGINE_TEST_SETTINGS"]).read_bytes())
    base = job.settings()
    connection = replace(base.connection, security=given.get("security", {}))
    return replace(base, connection=connection, parking=Parking(**given.get("parking", {})))


def decide(state: job.LotCount | None, event: job.Inspection) -> Verdict[job.LotCount]:
    """The engine job's rule; some notes are too much for the first build."""
    if BUILD == "1" and event.note == "kills":
        os.abort()
    if BUILD == "1" and event.note == "hangs":
        # Backtracks for years inside one call that no thread can interrupt.
        re.fullmatch(r"(a+)+b", "a" * 60)
    if BUILD == "1" and event.note == "later":
        raise ValueError("not known yet: amqp://quality:hunter22@broker/")
    return job.decide(state, replace(event, note=""))


def tally(state: job.LotCount | None, event: job.Inspection) -> Verdict[job.LotCount]:
    """Counts whatever comes, in any order; says so for each event of note."""
    if event.note == "boom":
        raise ValueError("this rule cannot take it")
    counted = replace(state or job.NEW, n=(state or job.NEW).n + 1)
    told: tuple[Any, ...] = ()
    if event.note:
        told = (job.HoldRequested(event.lot, 0, event.source_seq, event.note),)
    return Verdict(counted, told)


app = Lotgate("poison-test")
app.configure_from(settings)
if os.environ.get("ENGINE_TEST_DEDUPE", "1") == "1":
    app.stage(
        job.INSPECTIONS,
        store=job.LOTS,
        emits=(job.HOLDS,),
        dedupes_by_position=True,
        name="lot-hold",
        version="3",
    )(decide)
else:
    app.stage(job.INSPECTIONS, store=job.LOTS, emits=(job.HOLDS,), name="tally")(tally)

if __name__ == "__main__":
    sys.exit(run_worker(app))
