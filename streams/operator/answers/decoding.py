"""A record as a person can read it, whatever was written in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from streams.errors import Poison
from streams.evidence.records import DEAD_LETTER_HEADERS
from streams.operator.answers.tooling import as_json, instant_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.engine.kafka.records import Record

FRAMED = b"\x00"
ROW, SHAPE = f"{DEAD_LETTER_HEADERS}row", f"{DEAD_LETTER_HEADERS}shape"
"""Of a source's row: its values as far as they can be read, and the columns by which its bytes are
read. Programs find both in the JSON form."""
PREVIEW_BYTES = 4 * 1024
"""Bytes shown of a value that cannot be decoded."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A record, decoded as far as it can be.

    Attributes:
        topic: Full name of the topic.
        partition: Partition.
        offset: Offset.
        timestamp: Time of the record in UTC.
        key: Key as text, decoded if it is Avro; None without key.
        schema: Full name of the value's schema; empty if it could not be decoded.
        value: The decoded value; None for a tombstone or if it could not be decoded.
        headers: Headers as text.
        raw: The value's first bytes in hexadecimal, if it could not be decoded.
        error: Why not; empty otherwise.
    """

    topic: str
    partition: int
    offset: int
    timestamp: str
    key: Any
    schema: str
    value: Any
    headers: Mapping[str, str]
    raw: str = ""
    error: str = ""

    def text(self) -> str:
        """Lay the record out for people: the envelope is left out, `--json` has it."""
        kind = self.schema or ("tombstone" if not self.error else "not decoded")
        where = f"{self.topic}[{self.partition}]@{self.offset}"
        lines = [f"{self.timestamp}  {where}  key={self.key}  {kind}"]
        if isinstance(self.value, dict):
            body = {name: value for name, value in self.value.items() if name != "envelope"}
            lines.append(f"  {as_json(body)}")
        elif self.value is not None:
            lines.append(f"  {as_json(self.value)}")
        lines += [
            f"  {name}: {value}"
            for name, value in self.headers.items()
            if name.startswith(DEAD_LETTER_HEADERS) and name not in (ROW, SHAPE)
        ]
        lines += row_lines(self.headers.get(ROW, ""))
        if self.error:
            lines += [f"  {self.error}", f"  bytes: {self.raw}"]
        return "\n".join(lines)


def shown(record: Record, decode: Callable[[bytes], tuple[str, Any]]) -> Shown:
    """Decode a record's key and value as far as they can be.

    Args:
        record: The record.
        decode: Gives the schema's name and the value of framed bytes; raises `Poison` if the bytes
            cannot be decoded.
    """
    schema, value, error = "", None, ""
    if record.value is not None:
        try:
            schema, value = decode(record.value)
        except Poison as poison:
            error = f"[{poison.code}] {poison.message}"
    return Shown(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=instant_text(datetime.fromtimestamp(max(record.timestamp_ms, 0) / 1000, UTC)),
        key=key_of(record.key, decode),
        schema=schema,
        value=value,
        headers={name: value_text(value) for name, value in record.headers},
        raw=(record.value or b"")[:PREVIEW_BYTES].hex() if error else "",
        error=error,
    )


def row_lines(text: str) -> list[str]:
    """Lay a source's row out: a line for each column of each image; nothing for no row."""
    try:
        images = json.loads(text or "{}")
        return [
            f"  {image}.{column} = {'null' if value is None else value}"
            for image, cells in images.items()
            for column, value in cells.items()
        ]
    except (ValueError, AttributeError):
        return [f"  {ROW}: {text}"]


def key_of(key: bytes | None, decode: Callable[[bytes], tuple[str, Any]]) -> Any:
    """Show a key: raw change topics have Avro keys, all others text."""
    if key is None:
        return None
    if key.startswith(FRAMED):
        try:
            return decode(key)[1]
        except Poison:
            return key.hex()
    return value_text(key)


def value_text(value: bytes) -> str:
    """Return bytes as text; what is no UTF-8 is escaped."""
    return value.decode("utf-8", "backslashreplace")
