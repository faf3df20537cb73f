"""Escalate a lot whose inspection result does not come in time, one rung per eight hours.

The same commands run it as `examples/lot_hold.py`; its timers are kept in the store, so they also
fire after the worker, the broker or the whole plant was away.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any, Literal

from streams.app import application
from streams.engine import Store, Timer, Topic, Verdict

HOUR_US = 3_600_000_000
PATIENCE_US = 8 * HOUR_US
LADDER = ("shift lead", "quality manager", "plant manager")
"""Who is told, in this order, as long as there is no result."""


@dataclass(frozen=True, slots=True)
class LotNews:
    """A lot arrived, or its inspection ended; `seq` rises with every piece of news of a lot."""

    lot: str
    seq: int
    what: Literal["arrived", "inspected"]
    at_us: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is known of a lot: the last news, when it arrived, how many rungs were climbed."""

    seq: int = 0
    since_us: int = 0
    rungs: int = 0
    inspected: bool = False


@dataclass(frozen=True, slots=True)
class Escalation:
    """A lot waits too long. `due_us` is when it should have been said, `now_us` when it was."""

    lot: str
    to: str
    since_us: int
    due_us: int
    now_us: int


AVRO = {"str": "string", "int": "long", "bool": "boolean"}


def record(kind: type[Any]) -> dict[str, Any]:
    """The Avro schema of a flat dataclass."""
    columns = [
        {"name": each.name, "type": AVRO.get(str(each.type), "string")} for each in fields(kind)
    ]
    return {"type": "record", "name": f"example.{kind.__name__}", "fields": columns}


BY_LOT = attrgetter("lot")
NEWS = Topic("example.lot.events", LotNews, record(LotNews), BY_LOT)
ESCALATIONS = Topic("example.escalation.events", Escalation, record(Escalation), BY_LOT)
LOTS = Store("waiting-lots", Waiting, record(Waiting))

app = application("inspection-due")


def overdue(state: Waiting | None, timer: Timer, now_us: int) -> Verdict[Waiting]:
    """Tell whoever is next, and come back as long as somebody is left."""
    if state is None or state.inspected or timer.due_us is None:
        return Verdict(state)
    said = Escalation(timer.key, LADDER[state.rungs], state.since_us, timer.due_us, now_us)
    climbed = replace(state, rungs=state.rungs + 1)
    if climbed.rungs == len(LADDER):
        return Verdict(climbed, (said,))
    # From the due time, not from now: an outage does not stretch the ladder.
    return Verdict(climbed, (said,), (Timer("inspection", timer.due_us + PATIENCE_US),))


@app.stage(NEWS, store=LOTS, emits=(ESCALATIONS,), dedupes_by_position=True, due=overdue)
def wait(state: Waiting | None, event: LotNews) -> Verdict[Waiting]:
    """Start waiting when a lot arrives, stop when it was inspected."""
    state = state or Waiting()
    if event.seq <= state.seq:
        return Verdict(state)
    if event.what == "inspected":
        done = replace(state, seq=event.seq, inspected=True)
        return Verdict(done, timers=(Timer("inspection", None),))
    waiting = Waiting(event.seq, since_us=event.at_us)
    return Verdict(waiting, timers=(Timer("inspection", event.at_us + PATIENCE_US),))
