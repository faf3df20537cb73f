"""`zones.yaml`: what happens to tagged fields on their way into each zone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from streams.contracts.documents import Document, Strict, nearest, read, refuse
from streams.contracts.zones.tags import TAGS, shipped_tags, tagged_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from streams.contracts.catalog import Catalog
    from streams.contracts.documents import Complaint
    from streams.contracts.zones.tags import TaggedField

FILE = "zones.yaml"
Action = Literal["pass", "tokenise", "deny"]


class Rule(Strict):
    """What happens to some fields.

    Attributes:
        id: Names the rule in dead letters.
        tags: Fields with any of these tags.
        fields: These fields, `<full name of the type>.<field>`.
        action: `pass`, `tokenise` or `deny`.
        reason: Why.
    """

    id: str = Field(min_length=1)
    tags: tuple[Literal["gxp", "pii", "residency", "confidential"], ...] = ()
    fields: tuple[str, ...] = ()
    action: Action
    reason: str = Field(min_length=1)

    @model_validator(mode="after")
    def _means_something(self) -> Rule:
        if not self.tags and not self.fields:
            raise ValueError("a rule names tags or fields")
        return self

    def covers(self, field: TaggedField) -> bool:
        """Whether the rule is about a field."""
        return field.full in self.fields or not field.tags.isdisjoint(self.tags)


class Zone(Strict):
    """A zone.

    Attributes:
        doc: What belongs to it.
        rules: The first that covers a field decides; a field that none covers passes.
    """

    doc: str = Field(min_length=1)
    rules: tuple[Rule, ...] = ()

    def rule_for(self, field: TaggedField) -> Rule | None:
        """The rule that decides on a field; None lets it pass."""
        return next((rule for rule in self.rules if rule.covers(field)), None)


class Zones(Strict):
    """The whole file.

    Attributes:
        zones: Zones by name.
        sinks: The zone of each system that data goes to.
    """

    zones: dict[str, Zone]
    sinks: dict[str, str]


def load(
    directory: Path, catalog: Catalog, systems: Iterable[str] | None = None
) -> Document[Zones]:
    """Read and check the zones file of a directory.

    Args:
        directory: Where it lies.
        catalog: The schemas whose fields it may name.
        systems: Systems that may be named; None: any.

    Raises:
        Misconfigured: `bad_document` or `bad_zones`, with file, line and nearest name.
    """
    document = read(directory / FILE, Zones)
    refuse(checked(document, known_fields(catalog), systems), code="bad_zones")
    return document


def known_fields(catalog: Catalog) -> dict[str, TaggedField]:
    """Every field of every schema in the catalog, by its full name."""
    stated = shipped_tags()
    found = {}
    for name in catalog.names():
        schema = catalog.schema(name)
        if schema["type"] == "record":
            found.update({field.full: field for field in tagged_fields(schema, stated)})
    return found


def checked(
    document: Document[Zones],
    fields: Mapping[str, TaggedField],
    systems: Iterable[str] | None = None,
) -> list[Complaint]:
    """What the file names that does not exist, and tokens where none can be."""
    return [*_sinks(document, systems), *_rules(document, fields)]


def _sinks(document: Document[Zones], systems: Iterable[str] | None) -> Iterator[Complaint]:
    known = None if systems is None else set(systems)
    for system, zone in document.value.sinks.items():
        if zone not in document.value.zones:
            text = f"there is no zone {zone!r}{nearest(zone, document.value.zones)}"
            yield document.complaint(text, "sinks", system)
        if known is not None and system not in known:
            text = f"there is no system {system!r}{nearest(system, known)}"
            yield document.complaint(text, "sinks", system)


def _rules(document: Document[Zones], fields: Mapping[str, TaggedField]) -> Iterator[Complaint]:
    for name, zone in document.value.zones.items():
        for number, rule in enumerate(zone.rules):
            path = ("zones", name, "rules", number, "fields")
            for place, field in enumerate(rule.fields):
                if field not in fields:
                    text = f"rule {rule.id}: no schema has {field!r}{nearest(field, fields)}"
                    yield document.complaint(text, *path, place)
                elif rule.action == "tokenise" and not fields[field].is_text:
                    text = f"rule {rule.id}: {field} is no text, so it has no token; deny it"
                    yield document.complaint(text, *path, place)


__all__ = ["FILE", "TAGS", "Rule", "Zone", "Zones", "checked", "known_fields", "load"]
