"""What the schemas say of each field: regulated, personal, bound to a place, confidential.

A field of a schema carries the attribute `tags`. A published schema never changes, so tags of its
fields are stated in `schemas/tags.json`; an attribute in the schema goes before it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from streams.contracts.documents import nearest
from streams.contracts.wire.schema_tree import full_name
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.contracts.catalog import Catalog

TAGS = ("gxp", "pii", "residency", "confidential")
"""`gxp`: regulated; `pii`: of a person; `residency`: bound to its site; `confidential`."""

Stated = dict[str, dict[str, list[str]]]
"""Full name of a type → field → tags."""


@dataclass(frozen=True, slots=True)
class TaggedField:
    """A field as a policy sees it.

    Attributes:
        type: Full name of the type that has it.
        name: The field.
        path: Names from the outermost record down; empty where it was not reached from one.
        tags: Its tags.
        is_text: It holds text, so it can be replaced by a token.
    """

    type: str
    name: str
    path: tuple[str, ...]
    tags: frozenset[str]
    is_text: bool

    @property
    def full(self) -> str:
        """`<full name of the type>.<field>`."""
        return f"{self.type}.{self.name}"


def shipped_tags() -> Stated:
    """The tags of fields of published schemas."""
    text = (resources.files("schemas") / "tags.json").read_text(encoding="utf-8")
    stated: Stated = json.loads(text)
    return stated


def tagged_fields(
    schema: Mapping[str, Any], stated: Mapping[str, Mapping[str, list[str]]]
) -> tuple[TaggedField, ...]:
    """Every field of a record and of the records inside it.

    Args:
        schema: A self-contained schema of a record.
        stated: Tags by type and field, for fields that do not carry their own.
    """
    return tuple(_fields(schema, "", (), stated, {}))


def refuse_strange(stated: Stated, catalog: Catalog) -> None:
    """Refuse tags of fields that do not exist.

    Raises:
        Misconfigured: `bad_tags`, with the nearest name.
    """
    for name, fields in stated.items():
        if name not in catalog.names():
            raise _bad(f"there is no type {name!r}{nearest(name, catalog.names())}")
        known = [field["name"] for field in catalog.schema(name)["fields"]]
        for field, tags in fields.items():
            if field not in known:
                raise _bad(f"{name} has no field {field!r}{nearest(field, known)}")
            for tag in tags:
                if tag not in TAGS:
                    raise _bad(f"{name}.{field}: no tag {tag!r}{nearest(tag, TAGS)}")


def _fields(
    schema: Any,
    space: str,
    path: tuple[str, ...],
    stated: Mapping[str, Mapping[str, list[str]]],
    named: dict[str, Any],
) -> Iterator[TaggedField]:
    for record, title in _records(schema, space, named):
        for field in record["fields"]:
            name = field["name"]
            given = field.get("tags", stated.get(title, {}).get(name, ()))
            is_text = _is_text(field["type"])
            yield TaggedField(title, name, (*path, name), frozenset(given), is_text)
            inner = title.rpartition(".")[0]
            yield from _fields(field["type"], inner, (*path, name), stated, named)


def _records(
    schema: Any, space: str, named: dict[str, Any]
) -> Iterator[tuple[dict[str, Any], str]]:
    """The records in a field's type, through unions and arrays."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _records(branch, space, named)
    elif isinstance(schema, str) and schema in named:
        yield named[schema], schema
    elif isinstance(schema, dict) and schema.get("type") == "record":
        title = full_name(schema, space)
        named[title] = schema
        yield schema, title
    elif isinstance(schema, dict):
        for part in ("items", "values", "type"):
            if isinstance(schema.get(part), dict | list) or schema.get(part) in named:
                yield from _records(schema[part], space, named)


def _is_text(schema: Any) -> bool:
    if isinstance(schema, list):
        return all(branch == "null" or _is_text(branch) for branch in schema)
    if isinstance(schema, dict):
        return schema.get("type") == "array" and _is_text(schema["items"])
    return bool(schema == "string")


def _bad(why: str) -> Misconfigured:
    return Misconfigured(
        f"schemas/tags.json: {why}", code="bad_tags", advice="correct the name or the tag"
    )
