"""What stands between two versions of a schema, as a value with its place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """Who is hurt by a difference."""

    NEW_READS_OLD = "the new version cannot read old records"
    OLD_READS_NEW = "the old version cannot read new records"
    MEANING = "the same bytes would mean something else"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a schema something stands.

    Attributes:
        path: From the outermost type down, e.g. `lotgate.quality.Nonconformity.lots[]`.
        owner: Full name of the innermost named type around it, which has a file of its own or
            stands in the file of another.
        field: The owner's field, empty for the type as a whole.
    """

    path: str
    owner: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason why two versions cannot both be on one topic.

    Attributes:
        code: What kind of reason: `type_changed`, `decimal_scale`, `decimal_precision`,
            `logical_type`, `type_renamed`, `field_renamed`, `no_default`, `default_changed`,
            `symbol_unknown`, `symbol_removed`, `size_changed`, `field_removed`.
        place: Where.
        what: What changed, in words.
        direction: Who is hurt.
    """

    code: str
    place: Place
    what: str
    direction: Direction

    def __str__(self) -> str:
        return f"{self.place.path}: {self.what} ({self.direction})"
