"""Which system may state which attribute of which entity."""

from streams.contracts.ownership.document import FILE, Entity, Ownership, load
from streams.contracts.ownership.rule import Attempted, Kept, Ruling, ruling

__all__ = ["FILE", "Attempted", "Entity", "Kept", "Ownership", "Ruling", "load", "ruling"]
