"""One full example of every contract type.

Run as a program (`python -m tests.unit.contract_samples`) it writes golden files and locks for
schema versions that have none.
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro

from streams.contracts.catalog import Catalog
from streams.contracts.evolution import fingerprint
from streams.model.canonical.affected import AffectedLot, Decision, LotDisposition
from streams.model.canonical.conflict import MasterdataConflict, OwnedEntity, OwnedValue
from streams.model.canonical.deviation import (
    Deviation,
    DeviationClass,
    DeviationState,
    ProductImpact,
)
from streams.model.canonical.nonconformity import Detection, NonconformityKind
from streams.model.envelope import Actor, Envelope, Source, Transform
from streams.model.facts import (
    CharacteristicLimit,
    CustomerSpec,
    Disposition,
    EdgeOp,
    GenealogyEdge,
    InspectionResult,
    InspectionVerdict,
    Lot,
    Nonconformity,
    NonconformityState,
    Severity,
    Signature,
    SpecState,
)
from streams.model.hold import (
    AckResult,
    CauseRef,
    Enforcement,
    HoldAck,
    HoldAction,
    HoldCommand,
    HoldState,
    HoldStatus,
    Prior,
    Share,
)
from streams.model.messages import CauseMessage, LotMessage, LotMessageKind
from streams.model.rows import (
    ColumnChange,
    RowChange,
    SchemaChange,
    SourceTransaction,
    TableColumn,
)
from streams.model.states import (
    CauseState,
    CauseVersions,
    ChildEdge,
    LotCause,
    LotState,
    ParentEdge,
    TargetHold,
)
from streams.model.translation import TranslateEntry

GOLDEN = Path(__file__).parents[1] / "golden" / "schemas"
LOCK = Path(__file__).parents[2] / "schemas" / "lock.json"

NOON = datetime(2026, 3, 14, 12, 0, 0, 123456, tzinfo=UTC)
LATER = datetime(2026, 3, 14, 12, 0, 1, 7, tzinfo=UTC)
SOURCE = Source("erp", "plant", "public", "quality_inspection", 7741, 91_332_847_616, 2, "u", "0.1")
ACTOR = Actor("12", "Inspector, incoming goods", "quality")
TRANSFORM = Transform("tryton", "1", "9f" * 32, ("0a5f2c4e-5a06-5f9b-9a0e-0d7c62a3a001",))
ENVELOPE = Envelope(
    event_id="3d9f1a52-61c5-5d0e-8e2f-2f5a1f6f9b10",
    event_type="lotgate.quality.nonconformity",
    subject_id="qms/NC-17",
    subject_version=3,
    site_id="north",
    occurred_at=NOON,
    recorded_at=NOON,
    ingested_at=LATER,
    source=SOURCE,
    actor=ACTOR,
    reason="Particles found, größer als 50 µm",
    correlation_id="c0a5f2c4-5a06-5f9b-9a0e-0d7c62a3a002",
    causation_id="c0a5f2c4-5a06-5f9b-9a0e-0d7c62a3a003",
    trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    transform=(TRANSFORM,),
    synthetic=False,
    signature_ids=("sig-1",),
)
LOT_ID = "north/RAW-1/L%2F0007"
CAUSE = CauseRef("nonconformity:qms:17", 3, True, False, "north/RAW-1/L1", 2, "note", "")
PRIOR = Prior(Disposition.UNRESTRICTED, "STO/A-01")
SHARE = Share(AckResult.CONTAINED, Decimal("12.500"), "kg", "HOLD", "shipment 2", "STO/A-01")
SIGNATURE = Signature("sig-1", "qa.lead", "Head of quality", "closure approved", LATER)
AFFECTED = AffectedLot(LOT_ID, "pallet 2", ("SN-1", "SN-2"), Decimal("12.500"), "kg", "12,500 kg")
DISPOSITION = LotDisposition(
    LOT_ID, Decision.USE_AS_IS, Decimal("2.0"), "kg", "2,0 kg", "Sieved", "sig-1", LATER
)
LOT = Lot(
    ENVELOPE, LOT_ID, "RAW-1", "L/0007", place="STO", arrived=True,
    quantity=Decimal("100.00"), unit="kg", xrefs={"tryton": "stock.lot,7"},
)  # fmt: skip
EDGE = GenealogyEdge(ENVELOPE, "north/INT-1/L2", LOT_ID, "consumed", EdgeOp.ASSERT, "PO-3")
ACK = HoldAck(
    ENVELOPE, "ack-1", "cmd-1", "cmd-1", HoldAction.HOLD, LOT_ID, "erp", 2, AckResult.CONTAINED,
    Enforcement.ENFORCE, Disposition.RESTRICTED, (SHARE,), PRIOR, LATER, "moved", "", "", 9,
)  # fmt: skip
COMMAND = HoldCommand(
    ENVELOPE, "cmd-1", "cmd-1", HoldAction.HOLD, LOT_ID, "RAW-1", "L/0007", "erp", 2, CAUSE,
    (CAUSE,), PRIOR, "Named by NC-17",
)  # fmt: skip
OWNED = OwnedValue("name", '"A"', "erp")
ROW = RowChange(
    0, "public", "stock_lot", "u", {"id": 7},
    before={"id": 7, "note": None, "raw": b"\x00\xff", "active": False},
    after={"id": 7, "note": "x", "raw": b"", "active": True, "weight": "12.50"},
    unavailable=("blob",),
)  # fmt: skip
COLUMN_CHANGE = ColumnChange("type_changed", "weight", "numeric(10,2)", "numeric(12,3)")
TABLE_COLUMN = TableColumn("weight", "numeric(12,3)", key=False)
LIMIT = CharacteristicLimit("moisture", Decimal("0.05"), Decimal("0.20"), "%")

SAMPLES: dict[str, Any] = {
    "lotgate.core.Actor": ACTOR,
    "lotgate.core.Source": SOURCE,
    "lotgate.core.Transform": TRANSFORM,
    "lotgate.core.Envelope": ENVELOPE,
    "lotgate.inventory.Lot": LOT,
    "lotgate.inventory.GenealogyEdge": EDGE,
    "lotgate.inventory.CauseRef": CAUSE,
    "lotgate.inventory.Prior": PRIOR,
    "lotgate.inventory.Share": SHARE,
    "lotgate.inventory.HoldCommand": COMMAND,
    "lotgate.inventory.HoldAck": ACK,
    "lotgate.inventory.HoldState": HoldState(
        ENVELOPE,
        LOT_ID,
        HoldStatus.HELD,
        Disposition.RESTRICTED,
        (CAUSE,),
        "cmd-1",
        2,
        AckResult.CONTAINED,
        PRIOR,
        "",
    ),
    "lotgate.inventory.LotMessage": LotMessage(
        LOT_ID, LotMessageKind.CAUSE, LOT, EDGE, CAUSE, spreads=True, root=ENVELOPE, ack=ACK
    ),
    "lotgate.quality.InspectionResult": InspectionResult(
        ENVELOPE, "erp/4", "QI-4", (LOT_ID,), InspectionVerdict.REJECTED, "receipt 1", "Particles"
    ),
    "lotgate.quality.Signature": SIGNATURE,
    "lotgate.quality.Nonconformity": Nonconformity(
        ENVELOPE,
        "qms/17",
        "NC-17",
        Severity.MAJOR,
        NonconformityState.CLOSED,
        (LOT_ID,),
        signed=True,
        signature=SIGNATURE,
        description="Particles",
        kind=NonconformityKind.SUPPLIER,
        detection=Detection.INCOMING,
        defect_group="Contamination",
        defect_code="P-50",
        characteristic_id="particles",
        material="RAW-1",
        affected=(AFFECTED,),
        dispositions=(DISPOSITION,),
        supplier_id="S-9",
        work_order="PO-3",
        operation="0020",
        equipment_id="MX-4",
        suspect_from=NOON,
        suspect_to=LATER,
        root_cause_id="rc-1",
    ),
    "lotgate.quality.AffectedLot": AFFECTED,
    "lotgate.quality.LotDisposition": DISPOSITION,
    "lotgate.quality.Deviation": Deviation(
        ENVELOPE,
        "qms/D-5",
        "DEV-5",
        True,
        DeviationClass.MAJOR,
        DeviationState.ACTIVE,
        "Drying",
        (LOT_ID,),
        ProductImpact.ASSESSING,
        LATER,
        "Dried at 58 °C, größer als erlaubt",
        (AFFECTED,),
        discovered_at=NOON,
        valid_from=NOON,
        valid_to=LATER,
        procedure="SOP-12 rev 4",
        equipment_id="DR-1",
        root_cause_id="rc-2",
        capa_id="capa-7",
    ),
    "lotgate.quality.CharacteristicLimit": LIMIT,
    "lotgate.quality.CustomerSpec": CustomerSpec(
        ENVELOPE,
        "4711",
        "C-100",
        "FG-DEVICE",
        "B",
        SpecState.APPROVED,
        NOON,
        LATER,
        (LIMIT,),
        "AQL 0.65 II",
    ),
    "lotgate.quality.CauseMessage": CauseMessage(
        ENVELOPE,
        "nonconformity:qms:17",
        "nonconformity",
        3,
        open=False,
        signed=True,
        spreads=True,
        lots=(LOT_ID,),
        signature=SIGNATURE,
        baseline=True,
    ),
    "lotgate.masterdata.MasterdataConflict": MasterdataConflict(
        ENVELOPE, "lotgate.masterdata.Supplier", "S-7", "name", "erp", "qms", '"B"', '"A"'
    ),
    "lotgate.masterdata.OwnedValue": OWNED,
    "lotgate.masterdata.OwnedEntity": OwnedEntity((OWNED,)),
    "lotgate.cdc.RowChange": ROW,
    "lotgate.cdc.ColumnChange": COLUMN_CHANGE,
    "lotgate.cdc.TableColumn": TABLE_COLUMN,
    "lotgate.cdc.SchemaChange": SchemaChange(
        "3d9f1a52-61c5-5d0e-8e2f-2f5a1f6f9b11",
        "erp",
        "public.stock_lot",
        "cdc.erp.public.stock_lot",
        2,
        "parked",
        "public.stock_lot: the type of weight changed",
        (COLUMN_CHANGE,),
        (TABLE_COLUMN,),
        "pg:7483920014:erp:1543B0000:2",
        LATER,
        "0.1",
        "the scale changed",
    ),
    "lotgate.cdc.SourceTransaction": SourceTransaction(
        "erp",
        "tryton",
        "north",
        "plant",
        "7483920014",
        7741,
        91_332_847_616,
        NOON,
        LATER,
        snapshot=False,
        chunk=0,
        last=True,
        changes=(ROW,),
        connector_version="0.1",
    ),
}

CHILD = ChildEdge("north/INT-1/L2", "consumed", version=5, reversed=True, carried=("c-1",))
STATE_SAMPLES: dict[str, Any] = {
    "lotgate.quality.CauseState": CauseState(
        "nonconformity:qms:17",
        "nonconformity",
        CauseVersions(3, 2, 0, spreads=True, lots=(LOT_ID,), signature=SIGNATURE, root=ENVELOPE),
    ),
    "lotgate.inventory.LotState": LotState(
        LOT_ID,
        known=True,
        fact_version=4,
        material="RAW-1",
        number="L/0007",
        causes=(LotCause(CAUSE, spreads=True, root=ENVELOPE),),
        children=(CHILD,),
        parents=(ParentEdge("north/RAW-0/L9", "split", version=1),),
        held=True,
        hold_version=2,
        targets=(TargetHold("erp", "cmd-1", 2, AckResult.CONTAINED, LATER),),
        prior=PRIOR,
        revision=7,
    ),
    "lotgate.cdc.TranslateEntry": TranslateEntry(
        cells={"id": 7, "note": None, "raw": b"\xff", "active": True, "weight": "12.50"},
        system_id="7483920014",
        commit_lsn=91_332_847_616,
        ordinal=2,
        members=("a", "b"),
        chunk=SAMPLES["lotgate.cdc.SourceTransaction"],
    ),
}


def plain(value: Any) -> Any:
    """A value as fastavro takes it: dictionaries, lists, text; instants stay instants."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, Decimal | str) else value


def as_json(value: Any) -> Any:
    """A plain value as JSON holds it: instants as ISO text, bytes as hex."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else value


def write_missing(names: dict[str, Any]) -> None:
    """Write golden files for versions that have none; those that exist are never touched."""
    catalog = Catalog.load()
    for declaration in catalog.declarations():
        if declaration.name not in names:
            continue
        stem = Path(declaration.path).name.removesuffix(".avsc")
        avro, text = GOLDEN / f"{stem}.avro", GOLDEN / f"{stem}.json"
        if avro.exists() or declaration.version != catalog.version_of(declaration.name):
            continue
        value, writer = plain(names[declaration.name]), catalog.schema(declaration.name)
        body = io.BytesIO()
        fastavro.schemaless_writer(body, writer, value)
        avro.write_bytes(body.getvalue())
        content = {"schema": declaration.name, "value": as_json(value), "writer": writer}
        text.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def lock_missing() -> None:
    """Lock schema files that are not locked yet; a lock that exists is never touched."""
    lock = json.loads(LOCK.read_text(encoding="utf-8"))
    for declaration in Catalog.load().declarations():
        lock.setdefault(declaration.path, fingerprint(declaration.text))
    LOCK.write_text(json.dumps(lock, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_missing(SAMPLES | STATE_SAMPLES)
    lock_missing()
