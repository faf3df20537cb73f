"""Whether two versions of a schema can live on one topic: our own verdict, with reasons.

Registries differ: some give no reason, none we know notices that a decimal's scale or a time's
unit changed, which reads every old value as another one. The check here is symmetric (FULL): the
new schema reads old bytes and the old schema reads new bytes; over all versions it is transitive.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from streams.contracts.wire.schema_tree import full_name, named_types, self_contained, title_of
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.contracts.catalog import Declaration
    from streams.contracts.registry import Registry
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
    old, new = self_contained(old), self_contained(new)
    forward = _Check(new, old, "the new version cannot read old records").run()
    backward = _Check(old, new, "the old version cannot read new records").run()
    return forward + [found for found in backward if found not in forward]


def transitive_problems(versions: Iterable[Schema]) -> list[str]:
    """`problems` over every pair of versions, oldest first."""
    known = list(versions)
    return [
        found
        for index, new in enumerate(known)
        for old in known[:index]
        for found in problems(old, new)
    ]


def publish(registry: Registry, subject: str, schema: Schema) -> int:
    """Register a schema after our own verdict, whatever the registry's level lets through.

    Returns:
        Its id.

    Raises:
        Misconfigured: `incompatible_schema`, with the reasons.
        Transient: `registry_unreachable`.
    """
    for number, earlier in enumerate(registry.versions(subject), 1):
        found = problems(earlier, schema)
        if found:
            raise Misconfigured(
                f"The schema for {subject} cannot live beside its version {number}: "
                + "; ".join(found),
                code="incompatible_schema",
                kept="nothing was registered or produced",
                advice="make the change compatible, or publish a new topic beside the old one",
            )
    return registry.register(subject, schema)


def fingerprint(text: str) -> str:
    """SHA-256 of a schema file's text, as hex. Documentation counts: a published text is final."""
    return hashlib.sha256(text.encode()).hexdigest()


def lock_problems(files: Iterable[Declaration], lock: Mapping[str, str]) -> list[str]:
    """How the schema files differ from what was published.

    Args:
        files: The catalog's files.
        lock: Fingerprint by path, as published.

    Returns:
        One sentence for each file that changed, vanished or is not locked yet.
    """
    found = {file.path: fingerprint(file.text) for file in files}
    changed = [
        f"{path} was published and has changed; add the next version instead"
        for path, known in lock.items()
        if found.get(path, known) != known
    ]
    gone = [f"{path} was published and is gone" for path in lock if path not in found]
    new = [f"{path} is not locked yet" for path in found if path not in lock]
    return changed + gone + new


class _Check:
    """Whether one schema reads what another wrote."""

    def __init__(self, reader: Schema, writer: Schema, direction: str) -> None:
        self._reader, self._writer, self._direction = reader, writer, direction
        self._reader_types = named_types(reader)
        self._writer_types = named_types(writer)
        self._found: list[str] = []

    def run(self) -> list[str]:
        self._compare(self._reader, self._writer, title_of(self._reader))
        return self._found

    def _say(self, where: str, what: str) -> None:
        self._found.append(f"{where}: {what} ({self._direction})")

    def _compare(self, reader: Schema, writer: Schema, where: str) -> None:
        reader = _known(reader, self._reader_types)
        writer = _known(writer, self._writer_types)
        if isinstance(writer, list):
            for branch in writer:
                self._compare(reader, branch, where)
        elif isinstance(reader, list):
            self._compare_with_union(reader, writer, where)
        else:
            self._compare_plain(reader, writer, where)

    def _compare_with_union(self, reader: list[Schema], writer: Schema, where: str) -> None:
        attempts = []
        for branch in reader:
            mark = len(self._found)
            self._compare(branch, writer, where)
            attempts.append(self._found[mark:])
            del self._found[mark:]
        if all(attempts):
            same = [a for b, a in zip(reader, attempts, strict=True) if _kind(b) == _kind(writer)]
            if same:
                self._found += same[0]
            else:
                self._say(where, f"no branch of the union takes {title_of(writer)}")

    def _compare_plain(self, reader: Schema, writer: Schema, where: str) -> None:
        kind = _kind(reader)
        if kind != _kind(writer):
            if kind not in _PROMOTES.get(_kind(writer), ()) or _meaning(reader) != _meaning(writer):
                self._say(where, f"{_kind(writer)} became {kind}")
            return
        if _meaning(reader) != _meaning(writer):
            self._say(where, f"{_meaning(writer)} became {_meaning(reader)}")
        if kind == "array":
            self._compare(reader["items"], writer["items"], f"{where}[]")
        elif kind == "map":
            self._compare(reader["values"], writer["values"], f"{where}{{}}")
        elif isinstance(reader, dict) and "name" in reader:
            self._compare_named(reader, writer, where)

    def _compare_named(self, reader: dict[str, Any], writer: dict[str, Any], where: str) -> None:
        if full_name(writer) not in {full_name(reader), *reader.get("aliases", ())}:
            self._say(where, f"{full_name(writer)} became {full_name(reader)}")
        if "fields" in reader:
            self._compare_fields(reader, writer, where)
        elif "symbols" in reader:
            self._compare_symbols(reader, writer, where)
        elif reader["size"] != writer["size"]:
            self._say(where, f"size {writer['size']} became {reader['size']}")

    def _compare_fields(self, reader: dict[str, Any], writer: dict[str, Any], where: str) -> None:
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            names = [field["name"], *field.get("aliases", ())]
            source = next((written[name] for name in names if name in written), None)
            if source is not None:
                self._compare(field["type"], source["type"], f"{where}.{field['name']}")
            elif "default" not in field:
                self._say(f"{where}.{field['name']}", "has no default and is not always written")

    def _compare_symbols(self, reader: dict[str, Any], writer: dict[str, Any], where: str) -> None:
        missing = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
        if missing and "default" not in reader:
            self._say(where, f"symbols {missing} are unknown and there is no default symbol")


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
