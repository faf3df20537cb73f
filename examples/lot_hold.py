"""Hold a lot at its second failed inspection, once.

    export LOTGATE_BOOTSTRAP=127.0.0.1:9092 LOTGATE_REGISTRY_URL=http://127.0.0.1:8081/apis/ccompat/v7
    export LOTGATE_REPLICATION_FACTOR=1 LOTGATE_MIN_INSYNC=1     # a broker of one node
    lotgate topology apply --app examples.lot_hold:app
    lotgate schema publish --app examples.lot_hold:app
    export LOTGATE_DATA_DIR=/tmp/lot-hold LOTGATE_INSTANCE_ID=0
    lotgate worker --app examples.lot_hold:app

Faust's own command does the same, and can take the broker from a URL:
    BROKER_URL=lotgate://127.0.0.1:9092 faust -A examples.lot_hold worker
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any

from streams.app import application
from streams.engine import Store, Topic, Verdict


@dataclass(frozen=True, slots=True)
class Inspection:
    """One measured characteristic of a lot; `source_seq` rises with every record of a lot."""

    inspection_id: str
    lot: str
    source_seq: int
    characteristic: str
    unit: str
    value: float
    lower: float
    upper: float
    station: str
    inspector: str
    measured_at_ms: int
    remark: str


@dataclass(frozen=True, slots=True)
class LotState:
    """What is known of a lot: the last position seen, records, failures, whether it is held."""

    seq: int = 0
    n: int = 0
    fails: int = 0
    held: bool = False


@dataclass(frozen=True, slots=True)
class HoldRequested:
    """A lot failed twice."""

    lot: str
    fails: int
    source_seq: int


AVRO = {"str": "string", "int": "long", "float": "double", "bool": "boolean"}


def record(kind: type[Any]) -> dict[str, Any]:
    """The Avro schema of a flat dataclass."""
    columns = [{"name": each.name, "type": AVRO[str(each.type)]} for each in fields(kind)]
    return {"type": "record", "name": f"example.{kind.__name__}", "fields": columns}


BY_LOT = attrgetter("lot")
INSPECTIONS = Topic("example.inspection.events", Inspection, record(Inspection), BY_LOT)
HOLDS = Topic("example.hold.commands", HoldRequested, record(HoldRequested), BY_LOT)
LOTS = Store("lots", LotState, record(LotState))

app = application("lot-hold")


@app.stage(INSPECTIONS, store=LOTS, emits=(HOLDS,), dedupes_by_position=True)
def hold(state: LotState | None, event: Inspection) -> Verdict[LotState]:
    """Count failures; what is not newer than the state was applied before."""
    state = state or LotState()
    if event.source_seq <= state.seq:
        return Verdict(state)
    fails = state.fails + (not event.lower <= event.value <= event.upper)
    counted = LotState(event.source_seq, state.n + 1, fails, state.held)
    if fails < 2 or state.held:
        return Verdict(counted)
    request = HoldRequested(event.lot, fails, event.source_seq)
    return Verdict(replace(counted, held=True), (request,))
