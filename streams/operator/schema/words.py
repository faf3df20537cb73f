"""What differs between two versions of a schema, in the words of people who use the records."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from streams.contracts.wire.schema_tree import full_name, named_types, title_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.contracts.wire.schema_tree import Schema

Kind = Literal["new", "gone", "renamed", "changed", "reworded"]

_PLAIN = {
    "string": "text",
    "bytes": "raw bytes",
    "boolean": "yes or no",
    "int": "a whole number (32 bits)",
    "long": "a whole number",
    "float": "an inexact number",
    "double": "an inexact number",
    "null": "nothing",
}
_LOGICAL = {
    "timestamp-micros": "an instant to the microsecond",
    "timestamp-millis": "an instant to the millisecond",
    "local-timestamp-micros": "a local time to the microsecond, of no zone",
    "local-timestamp-millis": "a local time to the millisecond, of no zone",
    "date": "a date",
    "time-micros": "a time of day to the microsecond",
    "time-millis": "a time of day to the millisecond",
    "uuid": "an id (UUID)",
}
_EMPTY: dict[str, str] = {"[]": "an empty list", "{}": "an empty table", '""': "empty text"}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        kind: What kind of difference.
        what: The type and field, e.g. `Nonconformity.affected`.
        text: What differs.
    """

    kind: Kind
    what: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind:<8} {self.what}: {self.text}"


def changes(old: Schema, new: Schema) -> list[Change]:
    """Every difference between two self-contained schemas, outermost type first."""
    before, after = named_types(old), named_types(new)
    found: list[Change] = []
    first, last = title_of(old), title_of(new)
    if first != last:
        found.append(Change("renamed", first, f"is called {last} now"))
        if first in before:
            before = {last: before[first], **before}
    for title, schema in after.items():
        if title in before:
            found += _type_changes(title.rpartition(".")[2], before[title], schema)
    if not after and old != new:
        found.append(Change("changed", last, f"was {described(old)}, is now {described(new)}"))
    return found


def described(schema: Schema) -> str:
    """A type in words."""
    if isinstance(schema, list):
        branches = [described(branch) for branch in schema if branch != "null"]
        return " or ".join([*branches, *(["nothing"] if "null" in schema else [])])
    if isinstance(schema, str):
        return _PLAIN.get(schema, _named(schema))
    logical = schema.get("logicalType", "")
    if logical == "decimal":
        scale = schema.get("scale", 0)
        return f"an exact number of {schema['precision']} digits, {scale} after the point"
    return _LOGICAL.get(logical) or _made_of(schema)


def _made_of(schema: dict[str, Any]) -> str:
    match schema["type"]:
        case "array":
            return f"a list, each {described(schema['items'])}"
        case "map":
            return f"a table by name, each {described(schema['values'])}"
        case "fixed":
            return f"{schema['size']} raw bytes"
        case "record" | "enum" | "error":
            return _named(full_name(schema))
        case kind:
            return _PLAIN.get(str(kind), str(kind))


def _named(title: str) -> str:
    short = title.rpartition(".")[2]
    return f"{'an' if short[0] in 'AEIOU' else 'a'} {short}"


def said(default: Any) -> str:
    """A default as people say it."""
    if default is None:
        return "nothing"
    text = json.dumps(default, ensure_ascii=False, sort_keys=True)
    return _EMPTY.get(text, text)


def _type_changes(title: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    if old.get("doc") != new.get("doc"):
        yield Change("reworded", title, _reworded(old, new))
    if "symbols" in new and "symbols" in old:
        yield from _symbol_changes(title, old, new)
    elif "size" in new and old.get("size") != new["size"]:
        yield Change("changed", title, f"had {old.get('size')} bytes, has {new['size']} now")
    before = {field["name"]: field for field in old.get("fields", ())}
    after = {field["name"]: field for field in new.get("fields", ())}
    for name, field in before.items():
        if name in after:
            yield from _field_changes(f"{title}.{name}", field, after[name])
        else:
            yield _missing(f"{title}.{name}", field, after)
    for name, field in after.items():
        if name not in before and not set(field.get("aliases", ())) & set(before):
            yield Change("new", f"{title}.{name}", _new(field))


def _missing(what: str, field: dict[str, Any], after: dict[str, Any]) -> Change:
    called = {alias: name for name, f in after.items() for alias in f.get("aliases", ())}
    if (now := called.get(field["name"])) is not None:
        text = f"is called {now} now; who reads with the earlier version misses it"
        return Change("renamed", what, text)
    return Change("gone", what, _gone(field))


def _symbol_changes(title: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    added = [symbol for symbol in new["symbols"] if symbol not in old["symbols"]]
    removed = [symbol for symbol in old["symbols"] if symbol not in new["symbols"]]
    if added:
        default = old.get("default")
        reads = f"read {default!r} instead" if default else "cannot read such records"
        text = f"may now also be {', '.join(added)}; readers of the earlier version {reads}"
        yield Change("new", title, text)
    if removed:
        default = new.get("default")
        reads = f"are read as {default!r}" if default else "can no longer be read"
        text = f"may no longer be {', '.join(removed)}; records that say so {reads}"
        yield Change("gone", title, text)
    if old.get("default") != new.get("default"):
        text = f"an unknown word was read as {old.get('default')!r}, now {new.get('default')!r}"
        yield Change("changed", title, text)


def _field_changes(what: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    was, now = described(old["type"]), described(new["type"])
    if was != now:
        yield Change("changed", what, f"was {was}, is now {now}")
    if "default" in old and "default" in new and old["default"] != new["default"]:
        text = f"where a record does not say it, {said(old['default'])} was read, "
        yield Change("changed", what, f"{text}now {said(new['default'])}")
    elif ("default" in old) != ("default" in new):
        text = "may now be left out" if "default" in new else "may no longer be left out"
        yield Change("changed", what, text)
    if old.get("doc") != new.get("doc"):
        yield Change("reworded", what, _reworded(old, new))


def _new(field: dict[str, Any]) -> str:
    text = f"{described(field['type'])}. {field.get('doc', '')}".strip()
    if "default" in field:
        return f"{text} Earlier records say nothing of it and read as {said(field['default'])}."
    return f"{text} Earlier records do not have it and cannot be read."


def _gone(field: dict[str, Any]) -> str:
    if "default" in field:
        return f"readers of the earlier version find {said(field['default'])} in new records"
    return "readers of the earlier version cannot read new records"


def _reworded(old: dict[str, Any], new: dict[str, Any]) -> str:
    return f"“{old.get('doc', '')}” became “{new.get('doc', '')}”"
