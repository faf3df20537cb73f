"""Schemas of the records beside the rows', as Debezium registers them."""

from __future__ import annotations

from typing import Any

from connectors.sources.postgres.shape.envelope import BLOCK_SCHEMA, SOURCE_SCHEMA, optional

_COMMON = "io.debezium.connector.common"
_POSTGRES = "io.debezium.connector.postgresql"


def _record(space: str, name: str, *fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "record",
        "name": name,
        "namespace": space,
        "fields": list(fields),
        "connect.version": 1,
        "connect.name": f"{space}.{name}",
    }


_COLLECTION = _record(
    "event",
    "collection",
    {"name": "data_collection", "type": "string"},
    {"name": "event_count", "type": "long"},
)

TRANSACTION_KEY = _record(_COMMON, "TransactionMetadataKey", {"name": "id", "type": "string"})
TRANSACTION_VALUE = _record(
    _COMMON,
    "TransactionMetadataValue",
    {"name": "status", "type": "string"},
    {"name": "id", "type": "string"},
    {"name": "event_count", **optional("long")},
    {
        "name": "data_collections",
        "type": ["null", {"type": "array", "items": ["null", _COLLECTION]}],
        "default": None,
    },
    {"name": "ts_ms", "type": "long"},
)
HEARTBEAT_KEY = _record(_COMMON, "ServerNameKey", {"name": "serverName", "type": "string"})
HEARTBEAT_VALUE = _record(_COMMON, "Heartbeat", {"name": "ts_ms", "type": "long"})
MESSAGE_KEY = _record(_POSTGRES, "MessageKey", {"name": "prefix", **optional("string")})


def message_value(content: str) -> dict[str, Any]:
    """The schema of messages.

    Args:
        content: How their content travels: `bytes`, or `string`.
    """
    message = _record(
        _POSTGRES,
        "Message",
        {"name": "prefix", **optional("string")},
        {"name": "content", **optional(content)},
    )
    return _record(
        _POSTGRES,
        "MessageValue",
        {"name": "op", "type": "string"},
        {"name": "ts_ms", **optional("long")},
        {"name": "source", "type": SOURCE_SCHEMA},
        {"name": "transaction", "type": ["null", BLOCK_SCHEMA], "default": None},
        {"name": "message", "type": message},
    )
