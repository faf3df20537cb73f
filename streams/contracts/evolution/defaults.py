"""Defaults that changed or fields that went: readable to Avro, yet another statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.contracts.evolution.findings import Direction, Finding, Place
from streams.contracts.wire.schema_tree import named_types, self_contained, title_of

if TYPE_CHECKING:
    from streams.contracts.wire.schema_tree import Schema


def default_findings(old: Schema, new: Schema) -> list[Finding]:
    """Defaults by which the two versions would complete one still older record differently."""
    pairs = _pairs(old, new)
    found = [
        Finding(
            "default_changed",
            Place(f"{title}.{name}", title, name),
            f"the default {was['default']!r} became {now['default']!r}",
            Direction.MEANING,
        )
        for title, before, after in pairs
        for name, (was, now) in _both(before, after).items()
        if "default" in was and "default" in now and was["default"] != now["default"]
    ]
    return found + [
        Finding(
            "default_changed",
            Place(title, title),
            f"the default symbol {before['default']!r} became {after['default']!r}",
            Direction.MEANING,
        )
        for title, before, after in pairs
        if "symbols" in before and "default" in before and "default" in after
        if before["default"] != after["default"]
    ]


def removed_fields(old: Schema, new: Schema) -> list[Finding]:
    """Fields that went but may go, as they have a default: who uses one reads the default now."""
    found = []
    for title, before, after in _pairs(old, new):
        names = {field["name"] for field in after.get("fields", ())}
        for field in before.get("fields", ()):
            if field["name"] not in names and "default" in field:
                place = Place(f"{title}.{field['name']}", title, field["name"])
                text = f"is gone; who reads it would find its default {field['default']!r}"
                found.append(Finding("field_removed", place, text, Direction.OLD_READS_NEW))
    return found


def _pairs(old: Schema, new: Schema) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every named type that both versions have: its name, how it was, how it is.

    An outermost type that was renamed is the same type under another name.
    """
    old, new = self_contained(old), self_contained(new)
    before, after = named_types(old), named_types(new)
    pairs = [(name, before[name], after[name]) for name in before if name in after]
    first, last = title_of(old), title_of(new)
    if first != last and first in before and last in after:
        pairs.append((last, before[first], after[last]))
    return pairs


def _both(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    was = {field["name"]: field for field in before.get("fields", ())}
    now = {field["name"]: field for field in after.get("fields", ())}
    return {name: (was[name], now[name]) for name in was if name in now}
