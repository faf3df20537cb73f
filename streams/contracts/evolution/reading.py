"""Whether two versions of a schema can live on one topic: our own verdict, with reasons.

Registries differ: some give no reason, none we know notices that a decimal's scale or a time's
unit changed, which reads every old value as another one, or that a symbol went and old records
that hold it now read as the default symbol. The check here is symmetric (FULL): the new schema
reads old bytes and the old schema reads new bytes; over all versions it is transitive.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from streams.contracts.evolution.findings import Direction, Finding, Place
from streams.contracts.wire.schema_tree import full_name, named_types, self_contained, title_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.contracts.wire.schema_tree import Schema

_PROMOTES = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}
"""What a written type may be read as (Avro 1.12, schema resolution)."""

_MEANING = ("logicalType", "precision", "scale")


def problems(old: Schema, new: Schema) -> list[str]:
    """Why two versions cannot both be on one topic.

    Returns:
        One sentence for each reason, empty if each version reads the other.
    """
    return [str(found) for found in reading_findings(old, new)]


def reading_findings(old: Schema, new: Schema) -> list[Finding]:
    """`problems` as values."""
    old, new = self_contained(old), self_contained(new)
    forward = _Check(new, old, Direction.NEW_READS_OLD).run()
    return forward + _Check(old, new, Direction.OLD_READS_NEW).run()


def transitive_problems(versions: Iterable[Schema]) -> list[str]:
    """`problems` over every pair of versions, oldest first."""
    known = list(versions)
    return [
        found
        for index, new in enumerate(known)
        for old in known[:index]
        for found in problems(old, new)
    ]


class _Check:
    """Whether one schema reads what another wrote."""

    def __init__(self, reader: Schema, writer: Schema, direction: Direction) -> None:
        self._reader, self._writer, self._direction = reader, writer, direction
        self._reader_types = named_types(reader)
        self._writer_types = named_types(writer)
        self._found: list[Finding] = []

    def run(self) -> list[Finding]:
        self._compare(self._reader, self._writer, Place(title_of(self._reader)))
        return list(dict.fromkeys(self._found))

    def _say(self, code: str, place: Place, what: str) -> None:
        self._found.append(Finding(code, place, what, self._direction))

    def _compare(self, reader: Schema, writer: Schema, place: Place) -> None:
        reader = _known(reader, self._reader_types)
        writer = _known(writer, self._writer_types)
        if isinstance(writer, list):
            for branch in writer:
                self._compare(reader, branch, place)
        elif isinstance(reader, list):
            self._compare_with_union(reader, writer, place)
        else:
            self._compare_plain(reader, writer, place)

    def _compare_with_union(self, reader: list[Schema], writer: Schema, place: Place) -> None:
        attempts = []
        for branch in reader:
            mark = len(self._found)
            self._compare(branch, writer, place)
            attempts.append(self._found[mark:])
            del self._found[mark:]
        if all(attempts):
            known = [_known(branch, self._reader_types) for branch in reader]
            same = [a for b, a in zip(known, attempts, strict=True) if _kind(b) == _kind(writer)]
            if same:
                self._found += same[0]
            else:
                text = f"no branch of the union takes {title_of(writer)}"
                self._say("type_changed", place, text)

    def _compare_plain(self, reader: Schema, writer: Schema, place: Place) -> None:
        kind = _kind(reader)
        if kind != _kind(writer):
            if kind not in _PROMOTES.get(_kind(writer), ()) or _meaning(reader) != _meaning(writer):
                self._say("type_changed", place, f"{_kind(writer)} became {kind}")
            return
        self._compare_meaning(_meaning(reader), _meaning(writer), place)
        if kind == "array":
            self._compare(reader["items"], writer["items"], _below(place, "[]"))
        elif kind == "map":
            self._compare(reader["values"], writer["values"], _below(place, "{}"))
        elif isinstance(reader, dict) and "name" in reader:
            self._compare_named(reader, writer, place)

    def _compare_meaning(
        self, reader: dict[str, Any], writer: dict[str, Any], place: Place
    ) -> None:
        if reader == writer:
            return
        if reader.get("logicalType") != writer.get("logicalType"):
            self._say("logical_type", place, f"{_spoken(writer)} became {_spoken(reader)}")
        elif reader.get("scale") != writer.get("scale"):
            text = f"the decimal's scale {writer.get('scale')} became {reader.get('scale')}"
            self._say("decimal_scale", place, text)
        elif reader.get("precision", 0) < writer.get("precision", 0):
            text = f"the decimal's precision {writer['precision']} became {reader.get('precision')}"
            self._say("decimal_precision", place, text)

    def _compare_named(self, reader: dict[str, Any], writer: dict[str, Any], place: Place) -> None:
        mine = full_name(reader)
        place = Place(place.path, mine)
        if full_name(writer) not in {mine, *_aliases(reader)}:
            self._say("type_renamed", place, f"{full_name(writer)} became {mine}")
        if "fields" in reader:
            self._compare_fields(reader, writer, place)
        elif "symbols" in reader:
            self._compare_symbols(reader, writer, place)
        elif reader["size"] != writer["size"]:
            self._say("size_changed", place, f"size {writer['size']} became {reader['size']}")

    def _compare_fields(self, reader: dict[str, Any], writer: dict[str, Any], place: Place) -> None:
        written = {field["name"]: field for field in writer["fields"]}
        later_names = {a: f["name"] for f in writer["fields"] for a in f.get("aliases", ())}
        for field in reader["fields"]:
            name = field["name"]
            here = Place(f"{place.path}.{name}", place.owner, name)
            names = [name, *field.get("aliases", ())]
            source = next((written[known] for known in names if known in written), None)
            if source is not None:
                self._compare(field["type"], source["type"], here)
            elif "default" not in field:
                self._say("no_default", here, "has no default and is not always written")
            elif name in later_names:
                text = f"is called {later_names[name]} now, so its default would be read instead"
                self._say("field_renamed", here, text)

    def _compare_symbols(
        self, reader: dict[str, Any], writer: dict[str, Any], place: Place
    ) -> None:
        missing = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
        if missing and "default" not in reader:
            text = f"symbols {missing} are unknown and there is no default symbol"
            self._say("symbol_unknown", place, text)
        elif missing and self._direction is Direction.NEW_READS_OLD:
            text = f"symbols {missing} are gone and would be read as {reader['default']!r}"
            self._say("symbol_removed", place, text)


def _below(place: Place, more: str) -> Place:
    return replace(place, path=place.path + more)


def _aliases(schema: dict[str, Any]) -> list[str]:
    """A named type's other full names; a bare one is in the type's own namespace."""
    space = full_name(schema).rpartition(".")[0]
    found = [str(alias) for alias in schema.get("aliases", ())]
    return [alias if "." in alias or not space else f"{space}.{alias}" for alias in found]


def _known(schema: Schema, types: dict[str, dict[str, Any]]) -> Schema:
    """The declaration behind a reference; anything else as it is."""
    return types.get(schema, schema) if isinstance(schema, str) else schema


def _kind(schema: Schema) -> str:
    return str(schema["type"]) if isinstance(schema, dict) else str(schema)


def _meaning(schema: Schema) -> dict[str, Any]:
    if not isinstance(schema, dict):
        return {}
    meaning = {key: schema[key] for key in _MEANING if key in schema}
    if meaning.get("logicalType") == "decimal":
        meaning.setdefault("scale", 0)
    return meaning


def _spoken(meaning: dict[str, Any]) -> str:
    return str(meaning.get("logicalType") or "a plain value")
