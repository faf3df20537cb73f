"""What a record becomes in the evidence store: pure mappings from events and bytes to rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from streams.contracts.provenance import HEADER
from streams.contracts.topics import FACTS, HOLD_ACKS, HOLD_COMMANDS, HOLD_STATE, Topic
from streams.model.facts import CustomerSpec, GenealogyEdge, InspectionResult, Nonconformity
from streams.model.ids import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.evidence.database import ReadRecord

Kind = Literal["fact", "command", "ack", "state"]

STORED: Final[Mapping[Topic[Any], Kind]] = {
    **dict.fromkeys(FACTS, "fact"),
    HOLD_COMMANDS: "command",
    HOLD_ACKS: "ack",
    HOLD_STATE: "state",
}
"""Every topic whose events are evidence, and what its events are."""

DEAD_LETTER_HEADERS: Final = "lotgate-dlq-"
"""Prefix of the headers that tell a dead letter's story."""
TEXT_LIMIT = 8 * 1024
"""Characters kept of any header: they come from others."""
NUL_SHOWN = "\u2400"
"""PostgreSQL's text cannot hold the NUL character; its picture stands in for it. The hash is of the
bytes as they came."""
LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class LotRow:
    """A row of `evidence.lots`."""

    lot_id: str
    site: str
    material: str
    number: str


def event_row(kind: Kind, event: Any, record: ReadRecord) -> dict[str, Any]:
    """Return the row of `evidence.events` for a decoded event, by column."""
    envelope = event.envelope
    source, actor = envelope.source, envelope.actor
    value = record.value or b""
    texts = {
        "event_id": envelope.event_id,
        "topic": record.topic,
        "kind": kind,
        "event_type": envelope.event_type,
        "subject_id": envelope.subject_id,
        "record_key": (record.key or b"").decode("utf-8", "backslashreplace"),
        "site_id": envelope.site_id,
        "source_system": source.system,
        "source_database": source.database,
        "source_schema": source.schema,
        "source_table": source.table,
        "source_op": source.op,
        "correlation_id": envelope.correlation_id,
        "causation_id": envelope.causation_id,
        "trace_id": envelope.trace_id,
        "actor": actor.user_id,
        "actor_name": actor.printed_name,
        "actor_role": actor.role,
    }
    return {
        **{name: storable(text) for name, text in texts.items()},
        "subject_version": envelope.subject_version,
        "lots": [storable(lot) for lot in lots_of(event)],
        "partition": record.partition,
        "record_offset": record.offset,
        "kafka_timestamp": instant(record.timestamp_ms),
        "source_tx_id": source.tx_id,
        "source_lsn": source.commit_lsn,
        "source_ordinal": source.ordinal,
        "occurred_at": envelope.occurred_at,
        "recorded_at": envelope.recorded_at,
        "ingested_at": envelope.ingested_at,
        "synthetic": envelope.synthetic,
        "schema_id": int.from_bytes(value[1:5], "big"),
        "raw_sha256": hashlib.sha256(value).digest(),
        "body": as_json(event),
        "chain": _chain(record),
    }


def _chain(record: ReadRecord) -> str:
    found = [value for name, value in record.headers if name == HEADER]
    return text(found[-1]) if found else ""


def lots_of(event: Any) -> tuple[str, ...]:
    """Return the ids of all lots that an event names."""
    match event:
        case GenealogyEdge():
            return (event.child_lot_id, event.parent_lot_id)
        case InspectionResult() | Nonconformity():
            return tuple(event.lots)
        case CustomerSpec():
            return ()
        case _:
            return (event.lot_id,)


def lot_rows(lots: Iterable[str]) -> list[LotRow]:
    """Return the rows of `evidence.lots` for lot ids, sorted; what is no lot id is left out."""
    rows = []
    for lot in sorted(set(lots)):
        try:
            site, material, number = parts_of(lot)
        except ValueError:
            continue
        rows.append(LotRow(lot, site, material, number))
    return rows


def dead_letter_row(record: ReadRecord) -> dict[str, Any]:
    """Return the row of `evidence.dead_letters` for a record of a dead-letter topic.

    Headers are written by others: texts are cut, numbers that are none count as absent (-1).
    """
    told = {
        name.removeprefix(DEAD_LETTER_HEADERS): text(value)
        for name, value in record.headers
        if name.startswith(DEAD_LETTER_HEADERS)
    }
    return {
        **_letter(record),
        "origin": "topic",
        "original_topic": told.get("topic", ""),
        "original_partition": number(told.get("partition"), 2**31 - 1),
        "original_offset": number(told.get("offset"), LARGEST),
        "consumer_group": told.get("group", ""),
        "stage": told.get("stage", ""),
        "error_class": told.get("error") or told.get("error-class", ""),
        "code": told.get("code", ""),
        "message": told.get("message", ""),
    }


def undecodable_row(record: ReadRecord, group: str, error: Exception, code: str) -> dict[str, Any]:
    """Return the row of `evidence.dead_letters` for a record that this writer could not use."""
    return {
        **_letter(record),
        "origin": "evidence",
        "original_topic": record.topic,
        "original_partition": record.partition,
        "original_offset": record.offset,
        "consumer_group": group,
        "stage": "evidence",
        "error_class": type(error).__name__,
        "code": code,
        "message": storable(str(error))[:TEXT_LIMIT],
    }


def _letter(record: ReadRecord) -> dict[str, Any]:
    headers = [[storable(name)[:TEXT_LIMIT], text(value)] for name, value in record.headers]
    return {
        "topic": record.topic,
        "partition": record.partition,
        "record_offset": record.offset,
        "record_key": record.key,
        "record_value": record.value,
        "raw_sha256": hashlib.sha256(record.value or b"").digest(),
        "headers": orjson.dumps(headers).decode(),
        "kafka_timestamp": instant(record.timestamp_ms),
    }


def as_json(event: Any) -> str:
    """Return an event as JSON text: decimals as their exact text, instants with their zone."""
    written = orjson.dumps(event, default=_plain)
    if b"\\u0000" in written:
        written = orjson.dumps(_without_nul(orjson.loads(written)))
    return written.decode()


def _without_nul(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case list():
            return [_without_nul(item) for item in value]
        case dict():
            return {storable(name): _without_nul(item) for name, item in value.items()}
        case _:
            return value


def _plain(value: object) -> str:
    match value:
        case Decimal():
            return format(value, "f")
        case bytes():
            return value.hex()
        case _:
            raise TypeError(f"no JSON form for {type(value).__name__}")


def storable(value: str) -> str:
    """Return a text as PostgreSQL can hold it."""
    return value.replace("\x00", NUL_SHOWN)


def text(value: bytes) -> str:
    """Return a header's value as text, cut to a bound."""
    return storable(value[:TEXT_LIMIT].decode("utf-8", "backslashreplace"))


def number(value: str | None, largest: int) -> int:
    """Return a header's value as a number from 0 to `largest`, else -1."""
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 19:
        return -1
    return int(value) if int(value) <= largest else -1


def instant(milliseconds: int) -> datetime | None:
    """Return a record's time as an aware instant, None where it has none or an impossible one."""
    if not 0 <= milliseconds < 253_402_300_800_000:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
