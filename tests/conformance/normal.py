"""What differs from run to run, taken out; the server's own names, made one."""

from __future__ import annotations

import json
import re
from typing import Any

TIMES = ("ts_ms", "ts_us", "ts_ns")
SOURCE = (*TIMES, "version", "name", "db", "lsn", "txId", "sequence")
SERVER = "server"
_OBJECT = re.compile(r"@[0-9a-f]+$")
"""How Java prints an object that has no text of its own."""


class Names:
    """Makes the names of one server's topics and records comparable.

    Args:
        server: The server's prefix, e.g. `cdc.erp`.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._space = ".".join(_legal(part) for part in server.split("."))

    def schema(self, schema: Any) -> Any:
        """A schema with every name of it in full and without the server's prefix."""
        return self._walk(schema, "")

    def _walk(self, schema: Any, space: str) -> Any:
        if isinstance(schema, list):
            return [self._walk(each, space) for each in schema]
        if not isinstance(schema, dict):
            return self._name(schema)
        inner = schema.get("namespace", space)
        out = {
            name: self._member(name, each, schema, inner)
            for name, each in schema.items()
            if name != "namespace"
        }
        return out["type"] if set(out) == {"type"} else out

    def _member(self, name: str, each: Any, schema: dict[str, Any], space: str) -> Any:
        if name == "name" and schema.get("type") in ("record", "enum", "fixed"):
            return self._name(each if "." in each else f"{space}.{each}")
        if name in ("name", "connect.name"):
            return self._name(each)
        if name in ("type", "items", "values", "keys"):
            return self._reference(each, space)
        return [self._walk(member, space) for member in each] if name == "fields" else each

    def _reference(self, schema: Any, space: str) -> Any:
        if isinstance(schema, list):
            return [self._reference(each, space) for each in schema]
        if isinstance(schema, str) and schema not in _PRIMITIVE and "." not in schema and space:
            return self._name(f"{space}.{schema}")
        return self._walk(schema, space)

    def _name(self, name: Any) -> Any:
        if isinstance(name, str) and name.startswith(f"{self._space}."):
            return SERVER + name[len(self._space) :]
        return name

    def event(self, topic: str, key: Any, value: Any) -> dict[str, Any]:
        """A record without what differs from run to run."""
        if topic.startswith("__debezium-heartbeat") or _heartbeat(key):
            return {"topic": "heartbeat", "key": {"serverName": SERVER}, "value": sorted(value)}
        if topic == "transaction":
            return {"topic": topic, "key": sorted(key), "value": _metadata(value)}
        return {"topic": topic, "key": floats(key), "value": _change(value)}


_PRIMITIVE = frozenset(
    {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
    | {"array", "map", "record", "enum", "fixed"}
)


def _legal(part: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_]", "_", part)
    return f"_{name}" if name[:1].isdigit() else name


def _heartbeat(key: Any) -> bool:
    return isinstance(key, dict) and set(key) == {"serverName"}


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    kept = {name: each for name, each in value.items() if name not in {"id", "ts_ms"}}
    if kept["data_collections"] is not None:
        kept["data_collections"] = sorted(
            (_OBJECT.sub("", each["data_collection"]), each["event_count"])
            for each in kept["data_collections"]
        )
    return kept


def _change(value: Any) -> Any:
    if not isinstance(value, dict) or "source" not in value:
        return floats(value)
    kept = {name: each for name, each in value.items() if name not in TIMES}
    kept["source"] = {name: each for name, each in value["source"].items() if name not in SOURCE}
    if kept.get("transaction") is not None:
        kept["transaction"] = {
            name: each for name, each in kept["transaction"].items() if name != "id"
        }
    return floats(kept)


def floats(value: Any) -> Any:
    """The value with floats as text, so that NaN equals NaN."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return {name: floats(each) for name, each in value.items()}
    if isinstance(value, list):
        return [floats(each) for each in value]
    return value


def sorting(event: dict[str, Any]) -> str:
    """Where a snapshot's record stands among its topic's, whatever the order of reading."""
    value = event["value"]
    return json.dumps([event["key"], value["after"] if isinstance(value, dict) else value])
