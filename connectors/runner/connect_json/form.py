"""Takes a registry's place where records are JSON: it numbers schemas, and writes by them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

import fastavro
import orjson

from connectors.base import RawRecord
from connectors.runner.connect_json.schemas import Convert, Schemas
from streams.errors import Poison

if TYPE_CHECKING:
    from collections.abc import Callable

FRAME_BYTES = 5
_MAGIC = 0
_KEY_HEADERS = frozenset({"__debezium.oldkey", "__debezium.newkey"})


class _Known(NamedTuple):
    """A schema, ready to be written by."""

    avro: dict[str, Any]
    parsed: Any
    convert: Convert
    write: Callable[[Any], bytes]


class JsonForm:
    """Numbers the schemas of one source and turns its records into JSON.

    Each record is self-contained, so nothing is registered anywhere and nothing is refused.

    Args:
        with_schemas: Each record carries its schema.
    """

    def __init__(self, *, with_schemas: bool) -> None:
        self._with_schemas = with_schemas
        self._ids: dict[tuple[str, bytes], int] = {}
        self._known: list[_Known] = []

    def records(self, records: list[RawRecord]) -> list[RawRecord]:
        """The records with keys, values and old keys in headers as JSON."""
        return [
            RawRecord(topic, self._text(key), self._text(value), self._headers(headers), partition)
            for topic, key, value, headers, partition in records
        ]

    def _headers(self, headers: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        return [
            (name, self._text(each) or b"") if name in _KEY_HEADERS else (name, each)
            for name, each in headers
        ]

    def _text(self, framed: bytes | None) -> bytes | None:
        if framed is None or framed[0] != _MAGIC:
            return framed
        known = self._known[int.from_bytes(framed[1:FRAME_BYTES], "big")]
        body = fastavro.schemaless_reader(io.BytesIO(framed[FRAME_BYTES:]), known.parsed, None)
        return known.write(known.convert(body))

    def register(self, subject: str, schema: dict[str, Any]) -> int:
        """The number of a schema under a subject."""
        key = (subject, orjson.dumps(schema))
        number = self._ids.get(key)
        if number is None:
            number = self._ids[key] = len(self._known)
            self._known.append(self._made(schema))
        return number

    def _made(self, schema: dict[str, Any]) -> _Known:
        made = Schemas(schema)
        parsed = fastavro.parse_schema(made.bare)
        if not self._with_schemas:
            return _Known(schema, parsed, made.converter(), orjson.dumps)
        head = b'{"schema":' + orjson.dumps(made.connect()) + b',"payload":'

        def write(value: Any) -> bytes:
            return head + orjson.dumps(value) + b"}"

        return _Known(schema, parsed, made.converter(), write)

    def lookup(self, subject: str, schema: dict[str, Any]) -> int | None:
        """The number of a schema that was registered, else None."""
        return self._ids.get((subject, orjson.dumps(schema)))

    def schema_of(self, schema_id: int) -> dict[str, Any]:
        """The schema of a number.

        Raises:
            Poison: `unknown_schema_id`: no schema has the number.
        """
        if not 0 <= schema_id < len(self._known):
            raise Poison(
                f"Schema {schema_id} was never made by this source", code="unknown_schema_id"
            )
        return self._known[schema_id].avro

    def versions(self, subject: str) -> tuple[dict[str, Any], ...]:
        """The schemas of a subject, oldest first."""
        return tuple(
            self._known[number].avro for (of, _), number in self._ids.items() if of == subject
        )

    def compatible(self, subject: str, schema: dict[str, Any]) -> bool:  # noqa: ARG002
        """Always: a record carries its own schema."""
        return True

    def level(self) -> str:
        """No level: nothing is refused."""
        return "NONE"

    def subject_level(self, subject: str) -> str | None:  # noqa: ARG002
        """No level: nothing is refused."""
        return "NONE"

    def set_subject_level(self, subject: str, level: str) -> None:
        """Nothing to set."""
