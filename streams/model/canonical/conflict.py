"""A system tried to state what another one owns."""

from __future__ import annotations

from dataclasses import dataclass

from streams.model.envelope import Envelope


@dataclass(frozen=True, slots=True)
class MasterdataConflict:
    """A statement that did not count, because its system does not own the attribute.

    Attributes:
        envelope: That of the event that said it, with an id and a type of its own.
        entity: Full name of the entity's type.
        entity_id: Id of the entity; the key.
        attribute: The attribute.
        owner: The system that owns it.
        system: The system that tried.
        tried: The value that was tried, as JSON text.
        kept: The value that stands, as JSON text; empty if none does.
    """

    envelope: Envelope
    entity: str
    entity_id: str
    attribute: str
    owner: str
    system: str
    tried: str
    kept: str = ""


@dataclass(frozen=True, slots=True)
class OwnedValue:
    """A value that stands, and who stated it.

    Attributes:
        attribute: The attribute.
        value: Its value, as JSON text.
        system: The system that stated it.
    """

    attribute: str
    value: str
    system: str


@dataclass(frozen=True, slots=True)
class OwnedEntity:
    """What the ownership stage keeps of an entity.

    Attributes:
        values: The values that stand, by name of the attribute.
    """

    values: tuple[OwnedValue, ...] = ()
