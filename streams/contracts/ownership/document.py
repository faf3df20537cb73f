"""`ownership.yaml`: one owning system for each attribute of an entity, and who stands in for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from streams.contracts.documents import Document, Strict, nearest, read, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from streams.contracts.catalog import Catalog
    from streams.contracts.documents import Complaint

FILE = "ownership.yaml"


class Owner(Strict):
    """Who may state an attribute.

    Attributes:
        owner: The system whose word counts.
        fallback: The system that counts as long as the owner has said nothing; empty for none.
    """

    owner: str = Field(min_length=1)
    fallback: str = ""

    def admits(self, system: str, earlier: str | None) -> bool:
        """Whether a system may state the attribute.

        Args:
            system: Who tries.
            earlier: Who stated the value that stands now; None if none does.
        """
        return system == self.owner or (
            bool(self.fallback) and system == self.fallback and earlier != self.owner
        )


class Entity(Owner):
    """The owner of an entity, and of single attributes of it.

    Attributes:
        attributes: Attributes with an owner of their own; the entity's owner has all others.
    """

    attributes: dict[str, Owner] = Field(default_factory=dict)

    def owner_of(self, attribute: str) -> Owner:
        """Who may state an attribute."""
        return self.attributes.get(attribute, self)


class Ownership(Strict):
    """The whole file.

    Attributes:
        entities: Owners by the full name of the entity's type, e.g. `lotgate.inventory.Lot`.
    """

    entities: dict[str, Entity]


def load(
    directory: Path, catalog: Catalog | None = None, systems: Iterable[str] | None = None
) -> Document[Ownership]:
    """Read and check the ownership file of a directory.

    Args:
        directory: Where it lies.
        catalog: The schemas whose types and fields it may name; None: any.
        systems: Systems that may be named; None: any.

    Raises:
        Misconfigured: `bad_document` or `bad_ownership`, with file, line and nearest name.
    """
    document = read(directory / FILE, Ownership)
    refuse(checked(document, catalog, systems), code="bad_ownership")
    return document


def checked(
    document: Document[Ownership],
    catalog: Catalog | None = None,
    systems: Iterable[str] | None = None,
) -> list[Complaint]:
    """What the file names that does not exist."""
    found = [] if catalog is None else list(_strange_fields(document, catalog))
    return [*found, *([] if systems is None else _strange_systems(document, set(systems)))]


def _strange_fields(document: Document[Ownership], catalog: Catalog) -> Iterator[Complaint]:
    for name, entity in document.value.entities.items():
        if name not in catalog.names():
            text = f"there is no type {name!r}{nearest(name, catalog.names())}"
            yield document.complaint(text, "entities", name)
            continue
        known = [field["name"] for field in catalog.schema(name).get("fields", ())]
        for attribute in entity.attributes:
            if attribute not in known:
                text = f"{name} has no attribute {attribute!r}{nearest(attribute, known)}"
                yield document.complaint(text, "entities", name, "attributes", attribute)


def _strange_systems(document: Document[Ownership], known: set[str]) -> Iterator[Complaint]:
    for name, entity in document.value.entities.items():
        places: list[tuple[Owner, tuple[str, ...]]] = [(entity, ("entities", name))]
        places += [
            (owner, ("entities", name, "attributes", attribute))
            for attribute, owner in entity.attributes.items()
        ]
        for owner, path in places:
            for part, system in (("owner", owner.owner), ("fallback", owner.fallback)):
                if system and system not in known:
                    text = f"there is no system {system!r}{nearest(system, known)}"
                    yield document.complaint(text, *path, part)
