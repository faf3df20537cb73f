"""What an operator may choose about a source's snapshot, slot, and the form of its records."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field


class SourceChoices(BaseModel):
    """The part of `SourceSettings` that has a default which suits most."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    source_snapshot: Literal["initial", "no_data"] = Field(
        "initial", description="initial reads the tables first; no_data starts with the log."
    )
    source_snapshot_workers: int = Field(
        1, ge=1, le=16, description="Connections that read a table's ranges in a snapshot."
    )
    source_slot_failover: bool = Field(
        default=False, description="Give standbys a copy of the slot (PostgreSQL 17 and later)."
    )
    source_slot_wait_s: float = Field(
        180.0, ge=0, description="How long someone else may read the slot before it is an error."
    )
    source_raw_partitions: int = Field(
        4, ge=1, description="Partitions of a table's topic that is created."
    )
    source_idle_store_s: float = Field(
        10.0, gt=0, description="While nothing changes: least time between stored positions."
    )
    source_commit_floor_ms: float = Field(
        10.0, ge=0, description="Least time between commits while changes outrun them; 0 for none."
    )
    source_batch_rows: int = Field(
        20_000, ge=1, description="Row changes after which a Kafka transaction is committed."
    )
    source_batch_s: float = Field(
        0.5, gt=0, description="Age at which a Kafka transaction is committed under load."
    )
    source_compat: Literal["", "debezium"] = Field(
        "", description="debezium: records exactly as Debezium's, also where it loses a value."
    )
    source_value_format: Literal["avro", "json"] = Field(
        "avro", description="avro, or json as Kafka Connect writes it."
    )
    source_json_schemas: bool = Field(
        default=True, description="With json: each record carries its schema."
    )
    source_transaction_metadata: bool = Field(
        default=False, description="Write BEGIN and END of transactions, with counts."
    )
    source_messages: bool = Field(
        default=False, description="Write what pg_logical_emit_message was given."
    )
    source_heartbeat_s: float = Field(
        0.0, ge=0, description="Time between heartbeat records; 0 for none."
    )
    source_tombstones: bool = Field(
        default=True, description="A delete is followed by a record without a value."
    )
    source_decimal_mode: Literal["precise", "string", "double"] = Field(
        "precise", description="How numeric and money travel."
    )
    source_time_mode: Literal["adaptive", "connect", "isostring"] = Field(
        "adaptive", description="How dates and times travel."
    )
    source_interval_mode: Literal["numeric", "string"] = Field(
        "numeric", description="Intervals as microseconds or as ISO 8601 text."
    )
    source_binary_mode: Literal["bytes", "base64", "hex"] = Field(
        "bytes", description="How bytea travels."
    )
