"""What changed between two shapes of a table, as data and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.base import ShapeColumn, TableShape

ADDED, DROPPED, RENAMED = "column_added", "column_dropped", "column_renamed"
RETYPED, KEYED, IDENTIFIED = "type_changed", "key_changed", "identity_changed"
MOVED = "column_moved"

IDENTITIES = {"d": "the primary key", "f": "all columns", "i": "an index", "n": "nothing"}
"""What a replica identity shows of an old row."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that changed.

    Attributes:
        kind: `column_added`, `column_dropped`, `column_renamed` (another name at the same place
            with the same type: very likely), `column_moved`, `type_changed`, `key_changed`,
            `identity_changed`.
        column: The column, by its new name; empty if the whole table is meant.
        was: What it was before; empty for none.
        now: What it is now; empty for none.
    """

    kind: str
    column: str
    was: str
    now: str

    @property
    def words(self) -> str:
        """The difference as a phrase."""
        phrases = {
            ADDED: f"column {self.column} {self.now} was added",
            DROPPED: f"column {self.column} {self.was} was dropped",
            RENAMED: f"column {self.was} was renamed to {self.now}",
            MOVED: f"column {self.column} moved from place {self.was} to {self.now}",
            RETYPED: f"the type of {self.column} changed from {self.was} to {self.now}",
            KEYED: f"the key changed from ({self.was}) to ({self.now})",
            IDENTIFIED: f"the log shows {self.now} of an old row instead of {self.was}",
        }
        return phrases[self.kind]


def differences(old: TableShape, new: TableShape) -> tuple[Difference, ...]:
    """What makes the new shape of the old one; nothing if they are equal."""
    return (*_columns(old, new), *_table(old, new))


def _columns(old: TableShape, new: TableShape) -> Iterator[Difference]:
    was = {column.name: column for column in old.columns}
    now = {column.name: column for column in new.columns}
    renamed = _renamed(old, new)
    came = now.keys() - was.keys() - set(renamed.values())
    for column in old.columns:
        if column.name not in now and column.name not in renamed:
            yield Difference(DROPPED, column.name, column.type, "")
    for before, after in renamed.items():
        yield Difference(RENAMED, after, before, after)
    for column in new.columns:
        if column.name in came:
            yield Difference(ADDED, column.name, "", column.type)
        elif column.name in was and not _alike(was[column.name], column):
            yield Difference(RETYPED, column.name, was[column.name].type, column.type)
    if was.keys() == now.keys():
        yield from _moved(old, new)


def _moved(old: TableShape, new: TableShape) -> Iterator[Difference]:
    places = {column.name: place for place, column in enumerate(old.columns, 1)}
    for place, column in enumerate(new.columns, 1):
        if places[column.name] != place:
            yield Difference(MOVED, column.name, str(places[column.name]), str(place))


def _renamed(old: TableShape, new: TableShape) -> dict[str, str]:
    """Columns that stand where another of the same type stood, by their old names.

    The log does not number columns, so a rename is seen only if nothing else came or went.
    """
    if len(old.columns) != len(new.columns):
        return {}
    names = {column.name for column in old.columns}, {column.name for column in new.columns}
    return {
        before.name: after.name
        for before, after in zip(old.columns, new.columns, strict=True)
        if before.name not in names[1] and after.name not in names[0] and _alike(before, after)
    }


def _alike(before: ShapeColumn, after: ShapeColumn) -> bool:
    return (before.oid, before.typmod) == (after.oid, after.typmod)


def _table(old: TableShape, new: TableShape) -> Iterator[Difference]:
    renamed = _renamed(old, new)
    was = [renamed.get(column.name, column.name) for column in old.columns if column.key]
    now = [column.name for column in new.columns if column.key]
    if old.identity != new.identity:
        named = [IDENTITIES.get(each, each) for each in (old.identity, new.identity)]
        yield Difference(IDENTIFIED, "", *named)
    elif set(was) != set(now) and new.identity != "f":
        yield Difference(KEYED, "", ", ".join(was), ", ".join(now))
