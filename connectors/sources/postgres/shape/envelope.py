"""The raw change record: Debezium's envelope, its schemas and names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.sources.encoding import primitives as avro

if TYPE_CHECKING:
    from collections.abc import Sequence

CONNECTOR = "postgresql"
_ILLEGAL_IN_NAME = re.compile(r"[^A-Za-z0-9_]")
_ILLEGAL_IN_TOPIC = re.compile(r"[^A-Za-z0-9._-]")

_SNAPSHOT_MARKS = (
    "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"
)


def optional(kind: str) -> dict[str, Any]:
    """A field's type: null, or a primitive."""
    return {"type": ["null", kind], "default": None}


SOURCE_SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Source",
    "namespace": "io.debezium.connector.postgresql",
    "fields": [
        {"name": "version", "type": "string"},
        {"name": "connector", "type": "string"},
        {"name": "name", "type": "string"},
        {"name": "ts_ms", "type": "long"},
        {
            "name": "snapshot",
            "type": [
                {
                    "type": "string",
                    "connect.version": 1,
                    "connect.parameters": {"allowed": _SNAPSHOT_MARKS},
                    "connect.default": "false",
                    "connect.name": "io.debezium.data.Enum",
                },
                "null",
            ],
            "default": "false",
        },
        {"name": "db", "type": "string"},
        {"name": "sequence", **optional("string")},
        {"name": "ts_us", **optional("long")},
        {"name": "ts_ns", **optional("long")},
        {"name": "schema", "type": "string"},
        {"name": "table", "type": "string"},
        {"name": "txId", **optional("long")},
        {"name": "lsn", **optional("long")},
        {"name": "xmin", **optional("long")},
        {"name": "origin", **optional("string")},
        {"name": "origin_lsn", **optional("long")},
    ],
    "connect.version": 1,
    "connect.name": "io.debezium.connector.postgresql.Source",
}

BLOCK_SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "block",
    "namespace": "event",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "total_order", "type": "long"},
        {"name": "data_collection_order", "type": "long"},
    ],
    "connect.version": 1,
    "connect.name": "event.block",
}


def field_name(column: str) -> str:
    """A column's Avro name: what Avro does not allow becomes `_`."""
    name = _ILLEGAL_IN_NAME.sub("_", column)
    return f"_{name}" if name[:1].isdigit() else name


def topic_part(name: str) -> str:
    """A schema's or table's part of a topic name."""
    return _ILLEGAL_IN_TOPIC.sub("_", name)


def namespace(topic: str) -> str:
    """The Avro namespace of a topic's records: the topic's name, each part made legal."""
    return ".".join(field_name(part) for part in topic.split("."))


def key_schema(topic: str, fields: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The schema of a raw topic's keys."""
    space = namespace(topic)
    return {
        "type": "record",
        "name": "Key",
        "namespace": space,
        "fields": list(fields),
        "connect.name": f"{space}.Key",
    }


def value_schema(topic: str, fields: Sequence[dict[str, Any]], *, mirror: bool) -> dict[str, Any]:
    """The schema of a raw topic's values.

    Args:
        topic: The raw topic.
        fields: The row's fields.
        mirror: Exactly as Debezium; else two last fields: `unavailable` names the columns whose
            unchanged large value the log does not repeat, and `texts` holds, by
            `before.<column>` or `after.<column>`, the text of values that have no form in
            their field's type, which is null then (NaN of a decimal, infinity of a date,
            arrays of more dimensions).
    """
    space = namespace(topic)
    row = {
        "type": "record",
        "name": "Value",
        "fields": list(fields),
        "connect.name": f"{space}.Value",
    }
    members: list[dict[str, Any]] = [
        {"name": "before", "type": ["null", row], "default": None},
        {"name": "after", "type": ["null", "Value"], "default": None},
        {"name": "source", "type": SOURCE_SCHEMA},
        {"name": "transaction", "type": ["null", BLOCK_SCHEMA], "default": None},
        {"name": "op", "type": "string"},
        {"name": "ts_ms", **optional("long")},
        {"name": "ts_us", **optional("long")},
        {"name": "ts_ns", **optional("long")},
    ]
    if not mirror:
        absent = {"type": "array", "items": "string"}
        texts = {"type": "map", "values": "string"}
        members.append({"name": "unavailable", "type": ["null", absent], "default": None})
        members.append({"name": "texts", "type": ["null", texts], "default": None})
    return {
        "type": "record",
        "name": "Envelope",
        "namespace": space,
        "fields": members,
        "connect.version": 2,
        "connect.name": f"{space}.Envelope",
    }


def some_long(value: int) -> bytes:
    """A long in a union whose first branch is null."""
    return avro.SOME + avro.long(value)


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What the `source` parts of a table's records in one transaction share.

    Attributes:
        name: The topic prefix, e.g. `cdc.erp`.
        version: The connector's version.
        database: Database name.
        schema: Schema of the table.
        table: The table.
        committed_us: Commit time in microseconds since 1970.
        xid: Transaction number; None in a snapshot.
        snapshot: The row's place in a snapshot, `false` outside.
    """

    name: str
    version: str
    database: str
    schema: str
    table: str
    committed_us: int
    xid: int | None
    snapshot: str = "false"


class SourceBlock:
    """The `source` part of a table's records in one transaction, encoded but for the row.

    Args:
        facts: What the rows share.
    """

    __slots__ = ("_head", "_middle")

    def __init__(self, facts: SourceFacts) -> None:
        committed_us, xid = facts.committed_us, facts.xid
        self._head = b"".join(
            (
                avro.string(facts.version),
                avro.string(CONNECTOR),
                avro.string(facts.name),
                avro.long(committed_us // 1000),
                avro.NULL + avro.string(facts.snapshot),
                avro.string(facts.database),
                avro.SOME,
            )
        )
        self._middle = b"".join(
            (
                some_long(committed_us),
                some_long(committed_us * 1000),
                avro.string(facts.schema),
                avro.string(facts.table),
                avro.NULL if xid is None else some_long(xid),
                avro.SOME,
            )
        )

    @property
    def pieces(self) -> tuple[bytes, bytes]:
        """What stands before the sequence, and between it and the row's place in the log."""
        return self._head, self._middle

    def encode(self, sequence: bytes, lsn: int) -> bytes:
        """The whole block for one row.

        Args:
            sequence: Order of the row, as the text of a JSON array.
            lsn: Where the row's change starts in the log.
        """
        return b"%b%b%b%b\x00\x00\x00" % (
            self._head,
            avro.raw(sequence),
            self._middle,
            avro.long(lsn),
        )


def clock_part(now_ns: int) -> bytes:
    """The envelope's three processing times."""
    return some_long(now_ns // 1_000_000) + some_long(now_ns // 1000) + some_long(now_ns)
