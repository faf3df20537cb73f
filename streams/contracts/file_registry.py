"""A registry in one file, for sites without a network between build and plant."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from streams.contracts.evolution import problems
from streams.contracts.registry import FULL_TRANSITIVE, unknown_id
from streams.contracts.wire.schema_tree import self_contained, shape
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

    from streams.contracts.wire.schema_tree import Schema


class FileRegistry:
    """Schemas and ids in one JSON file, replaced as a whole on every registration.

    One writer at a time; readers may be many. Ids rise from 1 and are never given twice.

    Args:
        path: The file; an absent one is an empty registry.

    Raises:
        Misconfigured: `bad_registry_file`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._schemas: dict[int, Schema] = {}
        self._subjects: dict[str, list[int]] = {}
        self._read()

    def register(self, subject: str, schema: Schema) -> int:
        """See `Registry.register`."""
        self._read()
        known = self._id_of(subject, schema)
        if known is not None:
            return known
        for earlier in self._subjects.get(subject, ()):
            found = problems(self._schemas[earlier], schema)
            if found:
                raise Misconfigured(
                    f"The schema for {subject} is not compatible with id {earlier}: {found[0]}",
                    code="incompatible_schema",
                    kept="nothing was registered or produced",
                    advice="make the change compatible, or publish a new topic beside the old one",
                )
        text = json.dumps(schema, sort_keys=True)
        same = [
            i for i, other in self._schemas.items() if json.dumps(other, sort_keys=True) == text
        ]
        schema_id = same[0] if same else max(self._schemas, default=0) + 1
        self._schemas[schema_id] = schema
        self._subjects.setdefault(subject, []).append(schema_id)
        self._write()
        return schema_id

    def lookup(self, subject: str, schema: Schema) -> int | None:
        """See `Registry.lookup`."""
        found = self._id_of(subject, schema)
        if found is None:
            self._read()
            found = self._id_of(subject, schema)
        return found

    def schema_of(self, schema_id: int) -> Schema:
        """See `Registry.schema_of`."""
        if schema_id not in self._schemas:
            self._read()
        if schema_id not in self._schemas:
            raise unknown_id(schema_id, str(self._path))
        return self._schemas[schema_id]

    def versions(self, subject: str) -> tuple[Schema, ...]:
        """See `Registry.versions`."""
        self._read()
        return tuple(self._schemas[schema_id] for schema_id in self._subjects.get(subject, ()))

    def compatible(self, subject: str, schema: Schema) -> bool:
        """See `Registry.compatible`."""
        self._read()
        return not any(problems(self._schemas[i], schema) for i in self._subjects.get(subject, ()))

    def level(self) -> str:
        """See `Registry.level`; a file keeps this one level."""
        return FULL_TRANSITIVE

    def subject_level(self, subject: str) -> str | None:  # noqa: ARG002 - one level for all
        """See `Registry.subject_level`; a file keeps one level for all subjects."""
        return FULL_TRANSITIVE

    def set_subject_level(self, subject: str, level: str) -> None:
        """See `Registry.set_subject_level`."""
        if level != FULL_TRANSITIVE:
            raise Misconfigured(
                f"{self._path} keeps every subject at {FULL_TRANSITIVE}; {subject} cannot be set "
                f"to {level}",
                code="registry_refused",
                advice="publish a new topic beside the old one",
            )

    def _id_of(self, subject: str, schema: Schema) -> int | None:
        wanted = shape(self_contained(schema))
        ids = self._subjects.get(subject, ())
        return next((i for i in ids if shape(self_contained(self._schemas[i])) == wanted), None)

    def _read(self) -> None:
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        try:
            content: dict[str, Any] = json.loads(text)
            self._schemas = {int(key): value for key, value in content["schemas"].items()}
            self._subjects = {name: list(ids) for name, ids in content["subjects"].items()}
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise Misconfigured(
                f"{self._path} is no schema bundle ({error!r})",
                code="bad_registry_file",
                advice="restore it from the release it came with",
            ) from error

    def _write(self) -> None:
        content = {"schemas": self._schemas, "subjects": self._subjects}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(self._path.name + ".new")
        with beside.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
