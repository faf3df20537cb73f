"""What form a source's records take, beyond what the tables say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class RecordForm:
    """The form of a source's records; the names of the values are Debezium's.

    Attributes:
        value_format: `avro` (with a registry) or `json` (as Kafka Connect writes it), keys too.
        json_schemas: With `json`: each record carries its schema.
        transaction_metadata: Write BEGIN and END of each transaction, with counts, to
            `<prefix>.transaction`.
        messages: Write what `pg_logical_emit_message` was given to `<prefix>.message`.
        heartbeat_s: Time between two records on `__debezium-heartbeat.<prefix>`; 0 for none.
        tombstones: A delete is followed by a record without a value.
        decimal_mode: How numeric and money travel: exact, as text, or as a double.
        time_mode: Dates and times as numbers of their own precision, in milliseconds, or as text.
        interval_mode: Intervals as microseconds or as ISO 8601 text.
        binary_mode: How bytea travels: as bytes, or as text in base64 or hex.
        unknown_types: With `compat="debezium"`: types that Debezium does not know travel as the
            bytes of their text; else they are left out, as Debezium does by default.
        placeholder: With `compat="debezium"`: stands for a large value that did not change.
    """

    value_format: Literal["avro", "json"] = "avro"
    json_schemas: bool = True
    transaction_metadata: bool = False
    messages: bool = False
    heartbeat_s: float = 0.0
    tombstones: bool = True
    decimal_mode: Literal["precise", "string", "double"] = "precise"
    time_mode: Literal["adaptive", "connect", "isostring"] = "adaptive"
    interval_mode: Literal["numeric", "string"] = "numeric"
    binary_mode: Literal["bytes", "base64", "hex"] = "bytes"
    unknown_types: bool = False
    placeholder: str = "__debezium_unavailable_value"

    @property
    def plain(self) -> bool:
        """No mode changes how a type travels."""
        modes = (self.decimal_mode, self.time_mode, self.interval_mode, self.binary_mode)
        return modes == ("precise", "adaptive", "numeric", "bytes")
