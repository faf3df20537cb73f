"""The reference job with rules and a codec that hang when a record or a file asks for it."""

from __future__ import annotations

import os
import re
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from confluent_kafka import TopicPartition

from streams.engine import EngineSettings, Lotgate, Verdict, run_worker
from tests.live import engine_job as job

if TYPE_CHECKING:
    from tests.live.engine_job import Inspection, LotCount

CATASTROPHE = re.compile(r"(a+)+$")


def backtrack(note: str) -> bool:
    """Takes longer than anybody lives; C code that holds the interpreter's lock."""
    return CATASTROPHE.match("a" * 60 + note) is not None


def decide(state: LotCount | None, event: Inspection) -> Verdict[LotCount]:
    if event.note == "regex":
        backtrack("b")
    if event.note == "sleep":
        time.sleep(600)
    if event.note == "deaf":
        # Behind the engine's back: from now on its consumer fetches nothing.
        member = app.engine.membership._member
        member.pause([TopicPartition(*key) for key in app.engine.membership.owned])
    return job.decide(state, event)


def settings() -> EngineSettings:
    return replace(
        job.settings(),
        watchdog_s=float(os.environ.get("ENGINE_TEST_WATCHDOG", "4")),
        call_s=float(os.environ.get("ENGINE_TEST_CALL", "0")),
        health_host="127.0.0.1",
        health_port=int(os.environ.get("ENGINE_TEST_HEALTH", "0")),
    )


app = Lotgate("watchdog-test")
app.configure_from(settings)
app.stage(
    job.INSPECTIONS, store=job.LOTS, emits=(job.HOLDS,), dedupes_by_position=True, name="lot-hold"
)(decide)

if __name__ == "__main__":
    sys.exit(run_worker(app))
