"""What is promised as a whole: the schema files, their lock, who reads them; and what breaks it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any

from streams.contracts.catalog import Catalog
from streams.contracts.evolution.consumers import Consumer, consumer_faults, consumers_in
from streams.contracts.evolution.defaults import removed_fields
from streams.contracts.evolution.findings import Direction, Finding, Place
from streams.contracts.evolution.levels import Level, findings_at
from streams.contracts.evolution.lock import lock_problems
from streams.contracts.evolution.places import Places
from streams.contracts.wire.schema_tree import named_types, title_of
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.resources.abc import Traversable

    from streams.contracts.wire.schema_tree import Schema

LOCK = "lock.json"
CONSUMERS = "consumers.json"


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something that breaks what was promised.

    Attributes:
        code: As `Finding.code`, or `changed_after_publication`, `not_locked`, `version_gap`,
            `unknown_schema`, `unknown_version`, `unknown_field`.
        file: The file, relative to the directory of the contracts.
        line: The line in it, from 1; 0 for the file as a whole.
        text: What is wrong.
        field: `<full name>.<field>`, or the full name, or empty.
        hurts: Consumers that are hurt.
    """

    code: str
    file: str
    line: int
    text: str
    field: str = ""
    hurts: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        hurts = f"; hurts {', '.join(self.hurts)}" if self.hurts else ""
        return f"{place}: {self.text}{hurts} [{self.code}]"


@dataclass(frozen=True)
class Contracts:
    """Schema files with their lock and their readers.

    Attributes:
        catalog: The schema files.
        lock: Fingerprint by path, as published.
        consumers: Who reads what.
    """

    catalog: Catalog
    lock: dict[str, str]
    consumers: tuple[Consumer, ...]

    @classmethod
    def load(cls, root: Traversable | None = None, more: Iterable[Consumer] = ()) -> Contracts:
        """Read `avro/`, `lock.json` and `consumers.json`.

        Args:
            root: Their directory; by default what came with the product.
            more: A site's own readers.

        Raises:
            Misconfigured: `bad_schema_file`, `duplicate_schema_name`, `bad_consumers_file`,
                `bad_lock_file`.
        """
        root = root if root is not None else resources.files("schemas")
        try:
            lock = json.loads((root / LOCK).read_text(encoding="utf-8"))
            told = (root / CONSUMERS).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise Misconfigured(
                f"{root} holds no contracts: {error}",
                code="bad_lock_file",
                advice=f"give a directory with avro/, {LOCK} and {CONSUMERS}",
            ) from error
        if not isinstance(lock, dict):
            raise Misconfigured(f"{root / LOCK} holds no fingerprints", code="bad_lock_file")
        return cls(Catalog.load(root / "avro"), lock, (*consumers_in(told, CONSUMERS), *more))

    def complaints(self, level: Level = Level.FULL_TRANSITIVE) -> list[Complaint]:
        """Everything that breaks the promises, without any registry.

        Args:
            level: What every version owes to the ones before it.
        """
        found = [
            Complaint(
                "changed_after_publication" if path in self.lock else "not_locked",
                f"avro/{path}",
                0,
                f"it {text}",
            )
            for path, _, text in (
                each.partition(" ")
                for each in lock_problems(self.catalog.declarations(), self.lock)
            )
        ]
        for name in self.catalog.names():
            found += self._versions(name, level)
        for consumer in self.consumers:
            found += [
                Complaint(code, consumer.file, consumer.line, text, hurts=(consumer.name,))
                for code, text in consumer_faults(consumer, self.catalog)
            ]
        return found

    def readers(self, name: str) -> list[Consumer]:
        """Consumers of a type, or of a type that contains it."""
        return [reader for reader in self.consumers if name in self._inside(reader.reads)]

    def hurt(self, name: str, version: int, finding: Finding) -> tuple[str, ...]:
        """Consumers that a difference from an earlier version hurts.

        Who cannot read old records is hurt whatever it reads with; who reads with an old version
        is hurt by new records only if its minimum lets it read with that one.

        Args:
            name: The type.
            version: The earlier version.
            finding: The difference.
        """
        field = _own_field(finding.place, name)
        hurt = (
            reader.name
            for reader in self.readers(name)
            if reader.reads != name or reader.uses(field)
            if finding.direction is not Direction.OLD_READS_NEW
            or reader.reads != name
            or reader.minimum <= version
        )
        return tuple(dict.fromkeys(hurt))

    def explained(self, schema: Schema, version: int, finding: Finding) -> str:
        """A finding in words, with its file and line and the consumers that it hurts.

        Args:
            schema: The schema that it is about.
            version: The earlier version.
            finding: The difference.
        """
        file, line = self.place_of(finding.place)
        hurts = self.hurt(title_of(schema), version, finding)
        told = f"{finding}; hurts {', '.join(hurts)}" if hurts else str(finding)
        return f"{file}:{line}: {told}" if line else told

    def place_of(self, place: Place) -> tuple[str, int]:
        """File and line of what a finding is about; the newest file that declares it."""
        for path, places in reversed(self._places):
            line = places.line_of(place.owner, place.field)
            if line is not None:
                return f"avro/{path}", line
        return "avro", 0

    @cached_property
    def _places(self) -> list[tuple[str, Places]]:
        return [(file.path, Places(file.text, file.schema)) for file in self.catalog.declarations()]

    def _inside(self, name: str) -> set[str]:
        """The types in a type, itself included."""
        if name not in self.catalog.names():
            return {name}
        return {name, *named_types(self.catalog.schema(name))}

    def _versions(self, name: str, level: Level) -> Iterator[Complaint]:
        numbers = sorted(f.version for f in self.catalog.declarations() if f.name == name)
        if numbers != list(range(1, len(numbers) + 1)):
            file, line = self.place_of(Place(name, name))
            text = f"{name} has the versions {numbers}; they count from 1 without a gap"
            yield Complaint("version_gap", file, line, text, name)
            return
        schemas: list[Any] = []
        for number in numbers:
            schema = self.catalog.schema(name, number)
            for earlier, finding in findings_at(level, schemas, schema):
                yield self._complaint(name, number, earlier, finding)
            for finding in removed_fields(schemas[-1], schema) if schemas else ():
                if finding.place.owner == name and self.hurt(name, number - 1, finding):
                    yield self._complaint(name, number, number - 1, finding)
            schemas.append(schema)

    def _complaint(self, name: str, number: int, earlier: int, finding: Finding) -> Complaint:
        file, line = self.place_of(finding.place)
        told = f"version {number} beside version {earlier}: {finding}"
        hurts = self.hurt(name, earlier, finding)
        return Complaint(finding.code, file, line, told, finding.place.path, hurts)


def _own_field(place: Place, name: str) -> str:
    """The field of the outermost type that a place is in; empty if it is the type itself."""
    below = place.path.removeprefix(name)
    return below.lstrip(".").split(".")[0].rstrip("[]{}")
