"""A dead letter's value as JSON that a person corrects, and back to bytes of its topic's schema."""

from __future__ import annotations

import difflib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import fastavro
import fastavro.validation
import orjson

from streams.contracts.wire.frames import BAD_VALUE, frame, read_plain, schema_id_of
from streams.contracts.wire.schema_tree import named_types, self_contained, title_of
from streams.errors import Misconfigured, Poison

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.contracts.codec import Codec
    from streams.contracts.wire.schema_tree import Schema

_MEANING: Final = ("logicalType", "precision", "scale")
_OCTETS: Final = ("bytes", "fixed")


@dataclass(frozen=True, slots=True)
class Draft:
    """A value to be corrected.

    Attributes:
        text: The value as indented JSON; empty if the bytes cannot be decoded.
        schema: The topic's schema without logical types: an instant is its number, a decimal its
            bytes. Bytes are text of the characters U+0000 to U+00FF, as Avro's JSON has them.
        schema_id: Its id in the registry.
        trouble: Why the bytes cannot be decoded; empty if they can.
    """

    text: str
    schema: Schema
    schema_id: int
    trouble: str = ""

    @property
    def title(self) -> str:
        """Full name of the schema."""
        return title_of(self.schema)

    def encode(self, text: str) -> bytes:
        """The bytes of a corrected value.

        Raises:
            Misconfigured: `bad_value`: it is no JSON, or does not fit the schema; says where.
        """
        try:
            value = _octets_from(orjson.loads(text), self.schema, named_types(self.schema))
            fastavro.validation.validate(value, self.schema, strict=True)
            body = io.BytesIO(frame(self.schema_id))
            body.seek(0, io.SEEK_END)
            fastavro.schemaless_writer(body, self.schema, value, strict=True)
        except (fastavro.validation.ValidationError, *BAD_VALUE) as failure:
            raise Misconfigured(
                f"the corrected value is no {self.title}: {failure}",
                code="bad_value",
                kept="the dead letter; nothing was decided",
                advice="give every field of the schema a value of its type",
            ) from failure
        return body.getvalue()


def draft_of(codec: Codec, topic: str, payload: bytes | None) -> Draft:
    """Make a draft of a record's value in the newest schema of its topic.

    Args:
        codec: Knows the registry.
        topic: Full name of the record's topic.
        payload: The record's bytes.

    Raises:
        Misconfigured: `schema_not_registered`: neither the topic nor the record names a schema.
        Transient: `registry_unreachable`.
    """
    registry, subject = codec.registry, f"{topic}-value"
    known = registry.versions(subject)
    trouble, text, writer = "", "", None
    try:
        writer = codec.writer(payload or b"")
    except Poison as poison:
        trouble = poison.message
    if known:
        schema = self_contained(known[-1])
        found = registry.lookup(subject, known[-1])
    else:
        schema = writer
        found = schema_id_of(payload or b"") if writer is not None else None
    if schema is None or found is None:
        raise Misconfigured(
            f"the registry has no schema for {topic}, and the record's bytes name none",
            code="schema_not_registered",
            kept="the dead letter; nothing was decided",
            advice="correct the bytes themselves: `lotgate dlq replay --value-file`",
        )
    bare = _bare(schema)
    if writer is not None:
        try:
            text = _json(read_plain(payload or b"", _bare(writer), bare))
        except (Poison, fastavro.read.SchemaResolutionError) as failure:
            trouble = str(failure)
    return Draft(text, bare, found, trouble)


def changed(text: str, assignments: Iterable[str]) -> str:
    """Set fields of a value.

    Args:
        text: The value as JSON.
        assignments: `field=value` or `record.field=value`; the value is JSON, else text.

    Raises:
        Misconfigured: `bad_field`: there is no such field.
    """
    value = orjson.loads(text)
    for assignment in assignments:
        path, equals, given = assignment.partition("=")
        *way, last = path.strip().split(".")
        place = value
        for name in way:
            place = place.get(name) if isinstance(place, dict) else None
        if not equals or not isinstance(place, dict) or last not in place:
            raise Misconfigured(
                f"--set {assignment!r} names no field of the record",
                code="bad_field",
                kept="the dead letter; nothing was decided",
                advice="write field=value or record.field=value, with names as `dlq show` has them",
            )
        place[last] = _given(given)
    return _json(value)


def difference(before: str, after: str) -> str:
    """What changes between two values in JSON; empty if nothing does."""
    lines = difflib.unified_diff(
        before.splitlines(), _json(orjson.loads(after)).splitlines(), "original", "corrected",
        lineterm="",
    )  # fmt: skip
    return "\n".join(lines)


def _given(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return text


def _json(value: Any) -> str:
    option = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    return orjson.dumps(value, default=_text, option=option).decode()


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _bare(schema: Schema) -> Schema:
    """A schema without what gives numbers and bytes another meaning."""
    if isinstance(schema, list):
        return [_bare(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    copied = {key: value for key, value in schema.items() if key not in _MEANING}
    for part in ("type", "items", "values"):
        if isinstance(copied.get(part), dict | list):
            copied[part] = _bare(copied[part])
    if "fields" in copied:
        copied["fields"] = [{**each, "type": _bare(each["type"])} for each in copied["fields"]]
    return copied


def _octets_from(value: Any, schema: Schema, types: dict[str, dict[str, Any]]) -> Any:
    """Text as bytes wherever the schema has bytes."""
    if isinstance(schema, str):
        schema = types.get(schema, {"type": schema})
    if isinstance(schema, list):
        branches = [branch for branch in schema if branch != "null"]
        one = len(branches) == 1 and value is not None
        return _octets_from(value, branches[0], types) if one else value
    kind = schema["type"]
    if kind in _OCTETS and isinstance(value, str):
        return value.encode("latin-1")
    if kind == "array" and isinstance(value, list):
        return [_octets_from(each, schema["items"], types) for each in value]
    if kind == "map" and isinstance(value, dict):
        return {name: _octets_from(each, schema["values"], types) for name, each in value.items()}
    if kind == "record" and isinstance(value, dict):
        fields = {field["name"]: field["type"] for field in schema["fields"]}
        return {
            name: _octets_from(each, fields[name], types) if name in fields else each
            for name, each in value.items()
        }
    return value
