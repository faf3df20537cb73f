"""Facts in short form: a test names what matters, the builders supply the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from streams.model.envelope import Actor, Envelope, Source
from streams.model.facts import (
    EdgeOp,
    GenealogyEdge,
    InspectionResult,
    Lot,
    Nonconformity,
    Signature,
)
from streams.model.hold import HoldAck, HoldCommand, Prior
from streams.model.ids import derived_id, lot_id

SITE = "ulm"
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def lot_named(name: str) -> str:
    """`7@M1` is number 7 of material M1; `7` alone names a number of no known material."""
    number, _, material = name.partition("@")
    return lot_id(SITE, material, number)


def envelope(kind: str, subject: str, version: int, op: str = "c", system: str = "qms") -> Envelope:
    committed = START + timedelta(minutes=version)
    return Envelope(
        event_id=derived_id(kind, subject, version),
        event_type=f"lotgate.test.{kind}",
        subject_id=subject,
        subject_version=version,
        site_id=SITE,
        occurred_at=committed - timedelta(seconds=1),
        recorded_at=committed,
        ingested_at=committed + timedelta(milliseconds=20),
        source=Source(system, "db", "public", kind, 500 + version, 9_000 + version, 0, op),
        actor=Actor("inspector-1", "Incoming inspection"),
        correlation_id=derived_id("thread", kind, subject),
    )


def signature(version: int) -> Signature:
    signed_at = START + timedelta(minutes=version)
    return Signature(f"sig-{version}", "qa-lead", "QA lead", "closure approved", signed_at)


def nonconformity(
    number: str,
    version: int,
    lots: tuple[str, ...],
    *,
    state: str = "open",
    severity: str = "major",
    signed: bool = False,
    op: str = "c",
) -> Nonconformity:
    return Nonconformity(
        envelope("nonconformity", number, version, op),
        number,
        number,
        severity,
        state,
        tuple(lot_named(lot) for lot in lots),
        signed,
        signature(version) if signed else None,
    )


def inspection(
    number: str, version: int, lots: tuple[str, ...], verdict: str = "rejected", op: str = "c"
) -> InspectionResult:
    return InspectionResult(
        envelope("inspection", number, version, op, system="erp"),
        number,
        number,
        tuple(lot_named(lot) for lot in lots),
        verdict,
    )


def edge(
    parent: str,
    child: str,
    version: int = 1,
    *,
    reverse: bool = False,
    relation: str = "consumed",
    op: str = "c",
) -> GenealogyEdge:
    return GenealogyEdge(
        envelope("edge", f"{parent}>{child}>{relation}", version, op, system="erp"),
        lot_named(child),
        lot_named(parent),
        relation,
        EdgeOp.REVERSE if reverse else EdgeOp.ASSERT,
    )


def lot(
    name: str,
    version: int = 1,
    *,
    disposition: str = "UnRestricted",
    place: str = "STO",
    arrived: bool = False,
    op: str = "c",
) -> Lot:
    number, _, material = name.partition("@")
    return Lot(
        envelope("lot", name, version, op, system="erp"),
        lot_named(name),
        material,
        number,
        disposition,
        place,
        arrived,
    )


def ack(command: HoldCommand, result: str, *, second: int = 1) -> HoldAck:
    return HoldAck(
        envelope=envelope("ack", command.lot_id, command.hold_version, system=command.target),
        ack_id=derived_id(command.command_id, command.hold_version, result),
        command_id=command.command_id,
        hold_id=command.hold_id,
        action=command.action,
        lot_id=command.lot_id,
        target=command.target,
        hold_version=command.hold_version,
        result=result,
        mode="enforce",
        effective_disposition="Restricted",
        shares=(),
        prior=Prior(),
        observed_at=START + timedelta(seconds=second),
    )
