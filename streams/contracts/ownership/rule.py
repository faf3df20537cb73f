"""The rule of ownership: what of an event may go on, and who tried what. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.contracts.ownership.document import Entity


@dataclass(frozen=True, slots=True)
class Kept:
    """A value that stands.

    Attributes:
        value: The value, as JSON text.
        system: Who stated it.
    """

    value: str
    system: str


@dataclass(frozen=True, slots=True)
class Attempted:
    """A statement by a system that does not own the attribute.

    Attributes:
        attribute: The attribute.
        owner: The system that owns it.
        tried: The value, as JSON text.
        kept: The value that stands instead; empty if none does.
    """

    attribute: str
    owner: str
    tried: str
    kept: str


@dataclass(frozen=True, slots=True)
class Ruling:
    """What becomes of an event.

    Attributes:
        kept: Every value that stands after it, by attribute.
        attempted: What was tried in vain.
        passes: Something of it may go on, and every attribute has a value that stands.
    """

    kept: Mapping[str, Kept]
    attempted: tuple[Attempted, ...]
    passes: bool


def ruling(
    entity: Entity, system: str, said: Mapping[str, str], stands: Mapping[str, Kept]
) -> Ruling:
    """Judge what a system says of an entity.

    Args:
        entity: The owners.
        system: Who says it.
        said: Values by attribute, as JSON text.
        stands: The values that stand, by attribute.
    """
    kept, attempted, is_heard = dict(stands), [], False
    for attribute, value in said.items():
        owner, earlier = entity.owner_of(attribute), stands.get(attribute)
        if owner.admits(system, earlier.system if earlier else None):
            kept[attribute], is_heard = Kept(value, system), True
        elif earlier is None or earlier.value != value:
            known = earlier.value if earlier else ""
            attempted.append(Attempted(attribute, owner.owner, value, known))
    is_whole = all(attribute in kept for attribute in said)
    return Ruling(kept, tuple(attempted), is_heard and is_whole)
