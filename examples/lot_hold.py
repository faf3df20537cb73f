"""Hold a lot at its second failed inspection, once.

Run it with `lotgate worker --app examples.lot_hold:app`, or with Faust's own command,
`faust -A examples.lot_hold worker`. `lotgate topology apply --app examples.lot_hold:app` makes its
topics.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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


def record(name: str, **kinds: str) -> dict[str, object]:
    """An Avro record schema."""
    fields = [{"name": field, "type": kind} for field, kind in kinds.items()]
    return {"type": "record", "name": name, "namespace": "example", "fields": fields}


TEXT = dict.fromkeys(("characteristic", "unit"), "string")
INSPECTION = record(
    "Inspection", inspection_id="string", lot="string", source_seq="long", **TEXT,
    value="double", lower="double", upper="double", station="string", inspector="string",
    measured_at_ms="long", remark="string",
)  # fmt: skip
LOT_STATE = record("LotState", seq="long", n="long", fails="long", held="boolean")
HOLD_REQUESTED = record("HoldRequested", lot="string", fails="long", source_seq="long")

INSPECTIONS = Topic("example.inspection.events", Inspection, INSPECTION, lambda event: event.lot)
HOLDS = Topic("example.hold.commands", HoldRequested, HOLD_REQUESTED, lambda event: event.lot)
LOTS = Store("lots", LotState, LOT_STATE)

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
