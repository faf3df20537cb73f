"""Compatibility levels: which versions a new one must be able to meet, and in which direction."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from streams.contracts.evolution.defaults import default_findings
from streams.contracts.evolution.findings import Direction, Finding
from streams.contracts.evolution.reading import reading_findings
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.contracts.wire.schema_tree import Schema


class Level(StrEnum):
    """What a subject demands of a new version, by the registries' own names."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def transitive(self) -> bool:
        """Whether every earlier version counts, not only the last."""
        return self.value.endswith("_TRANSITIVE")

    @property
    def directions(self) -> frozenset[Direction]:
        """What it looks at; a changed meaning hurts in either direction."""
        side = self.value.removesuffix("_TRANSITIVE")
        both = {Direction.NEW_READS_OLD, Direction.OLD_READS_NEW, Direction.MEANING}
        match side:
            case "BACKWARD":
                return frozenset(both - {Direction.OLD_READS_NEW})
            case "FORWARD":
                return frozenset(both - {Direction.NEW_READS_OLD})
            case "FULL":
                return frozenset(both)
            case _:
                return frozenset()

    def demands(self, other: Level) -> bool:
        """Whether this level refuses all that `other` refuses."""
        if not other.directions <= self.directions:
            return False
        return self.transitive or not other.transitive


def level_named(text: str, where: str) -> Level:
    """The level that a registry tells.

    Args:
        text: Its name.
        where: Who told it, for the message.

    Raises:
        Misconfigured: `unknown_level`.
    """
    try:
        return Level(text.upper())
    except ValueError:
        raise Misconfigured(
            f"{where} has the compatibility level {text!r}, which is none that we know",
            code="unknown_level",
            kept="nothing was registered",
            advice=f"set one of {', '.join(Level)}",
        ) from None


def findings(old: Schema, new: Schema) -> list[Finding]:
    """Every reason why two versions cannot both be on one topic, changed meanings included."""
    return reading_findings(old, new) + default_findings(old, new)


def findings_at(level: Level, earlier: Sequence[Schema], new: Schema) -> list[tuple[int, Finding]]:
    """What a level has against a new version.

    Args:
        level: The level.
        earlier: Versions so far, oldest first.
        new: The new version.

    Returns:
        Each reason with the number (from 1) of the earlier version that it is about.
    """
    numbered = list(enumerate(earlier, 1))
    counted = numbered if level.transitive else numbered[-1:]
    return [
        (number, found)
        for number, old in counted
        for found in findings(old, new)
        if found.direction in level.directions
    ]
