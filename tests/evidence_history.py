"""A small plant's history as events on topics: the shipped rules over facts of two systems.

Three lots over three levels; a failed inspection of the raw lot; a nonconformity that names the
half product, is closed without signature, and is then closed with one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from streams.contracts.topics import (
    GENEALOGY,
    HOLD_ACKS,
    HOLD_COMMANDS,
    HOLD_STATE,
    INSPECTIONS,
    LOTS,
    NONCONFORMITIES,
    Topic,
)
from streams.model.envelope import Actor, Envelope, Source
from streams.model.facts import GenealogyEdge, InspectionResult, Lot, Nonconformity, Signature
from streams.model.hold import HoldAck, HoldCommand, HoldState, Prior, Share
from streams.model.ids import derived_id, lot_id
from streams.rules.cases.plant import Plant

SITE: Final = "PLANT1"
RAW, HALF, DONE = (
    lot_id(SITE, "RAW", "R-001"),
    lot_id(SITE, "HALF", "H-001"),
    lot_id(SITE, "DONE", "D-001"),
)
START: Final = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
FAILED_LSN: Final = 0x1_0000_ABCD
ON: Final[dict[type[Any], Topic[Any]]] = {
    topic.event: topic
    for topic in (
        LOTS,
        GENEALOGY,
        INSPECTIONS,
        NONCONFORMITIES,
        HOLD_COMMANDS,
        HOLD_ACKS,
        HOLD_STATE,
    )
}


@dataclass(frozen=True)
class Row:
    """A committed row: where it stands and when."""

    system: str
    table: str
    lsn: int
    minute: int
    op: str = "c"
    actor: str = "unknown"


def envelope(row: Row, kind: str, subject: str, version: int) -> Envelope:
    """The envelope that a translator gives."""
    at = START + timedelta(minutes=row.minute)
    identity = derived_id("6912", row.lsn, kind, subject)
    database = "plant" if row.system == "erp" else "qms"
    return Envelope(
        event_id=identity,
        event_type=f"lotgate.{kind}",
        subject_id=subject,
        subject_version=version,
        site_id=SITE,
        occurred_at=at,
        recorded_at=at,
        ingested_at=at + timedelta(milliseconds=5),
        source=Source(
            row.system, database, "public", row.table, 700 + row.minute, row.lsn, 0, row.op
        ),
        actor=Actor(row.actor),
        correlation_id=identity,
    )


def lot_fact(lot: str, row: Row, version: int = 1, *, arrived: bool = False) -> Lot:
    _, material, number = lot.split("/")
    made = envelope(row, "inventory.lot", lot, version)
    return Lot(made, lot, material, number, arrived=arrived, quantity=Decimal("10.5"), unit="kg")


def edge(parent: str, child: str, order: str, lsn: int) -> GenealogyEdge:
    row = Row("erp", "production", lsn, 1, op="r")
    made = envelope(row, "inventory.genealogy_edge", child, 1)
    return GenealogyEdge(made, child, parent, "consumed", work_order=order)


def nonconformity(version: int, state: str, lsn: int, *, signed: bool = False) -> Nonconformity:
    row = Row("qms", "mgmtsystem_nonconformity", lsn, 10 + version, op="u", actor="quality-manager")
    signature = Signature("4", "quality-manager", "Quality manager", "closure approved", START)
    return Nonconformity(
        envelope(row, "quality.nonconformity", "17", version),
        nc_id="17",
        ref="NC-2026-017",
        severity="major",
        state=state,
        lots=(HALF,),
        signed=signed,
        signature=signature if signed else None,
    )


def before_the_failure() -> list[object]:
    """What the snapshot read."""
    known = [
        lot_fact(lot, Row("erp", "stock_lot", 0x100 + place, 0, op="r"))
        for place, lot in enumerate((RAW, HALF, DONE))
    ]
    return [*known, edge(RAW, HALF, "WO-7", 0x110), edge(HALF, DONE, "WO-8", 0x111)]


def failure() -> InspectionResult:
    """The failed inspection of the raw lot."""
    row = Row("erp", "quality_inspection", FAILED_LSN, 5, op="u", actor="inspector")
    made = envelope(row, "quality.inspection_result", "12", 1)
    return InspectionResult(made, "12", "INS-0012", (RAW,), "rejected", "stock.shipment.in,3")


def ack_of(command: HoldCommand, result: str, seconds: float) -> HoldAck:
    """The read-back of a command, some seconds after its root was committed."""
    at = command.envelope.recorded_at + timedelta(seconds=seconds)
    identity = derived_id("ack", command.command_id, command.hold_version, result)
    shares = (Share(result, Decimal("10.5"), "kg", "QUA", "stock.shipment.internal 9", "Storage"),)
    if result == "escaped":
        shares = (Share("escaped", Decimal(4), "kg", "A customer", "stock.shipment.out 2"),)
    return HoldAck(
        envelope=replace(
            command.envelope,
            event_id=identity,
            event_type="lotgate.inventory.hold_ack",
            causation_id=command.envelope.event_id,
        ),
        ack_id=identity,
        command_id=command.command_id,
        hold_id=command.hold_id,
        action=command.action,
        lot_id=command.lot_id,
        target=command.target,
        hold_version=command.hold_version,
        result=result,
        mode="enforce",
        effective_disposition="Restricted" if command.action == "hold" else "UnRestricted",
        shares=shares,
        prior=Prior("UnRestricted", "Storage"),
        observed_at=at,
        signature=command.cause.signature if command.action == "release" else "",
        calls=7,
    )


def history() -> list[tuple[Topic[Any], Any]]:
    """Every event of the plant, in the order in which it is produced, with its topic."""
    plant = Plant(("erp",))
    written: list[object] = []
    occasions: list[list[object]] = [
        before_the_failure(),
        [failure()],
        [nonconformity(1, "open", 0x2001)],
        [nonconformity(2, "closed", 0x2002)],
        [nonconformity(3, "closed", 0x2003, signed=True)],
    ]
    for facts in occasions:
        written += facts
        _follow(plant, facts, written)
    return [(ON[type(event)], event) for event in written]


def _follow(plant: Plant, facts: list[object], written: list[object]) -> None:
    """Let the rules answer, and the target answer the commands."""
    sent = len(plant.commands), len(plant.states)
    assert plant.run(facts)
    commands, states = plant.commands[sent[0] :], plant.states[sent[1] :]
    written += [*commands, *states]
    acks: list[object] = [
        ack_of(command, "escaped" if command.lot_id == DONE else "contained", 1.5 + place)
        for place, command in enumerate(commands)
    ]
    seen = len(plant.states)
    assert plant.run(acks)
    written += [*acks, *plant.states[seen:]]


def states(events: list[tuple[Topic[Any], Any]]) -> list[HoldState]:
    """The public states among the events."""
    return [event for _, event in events if isinstance(event, HoldState)]
