"""What differs between two versions of a document, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.contracts.icd.document import InterfaceDocument

_NAMED_BY = {"topics": "name", "contacts": "role", "escalation": "role", "quotas": "account"}
"""Lists whose items have names: an item that moved is no change."""
_SINGULAR = {
    "topics": "topic",
    "contacts": "contact",
    "escalation": "escalation to",
    "quotas": "quota of",
}


def differences(old: InterfaceDocument, new: InterfaceDocument) -> list[str]:
    """Say what changed, one sentence each, in the documents' order; none if nothing did."""
    before, after = (each.model_dump(mode="json", by_alias=True) for each in (old, new))
    found = list(_mapping(before, after, ""))
    if found and old.version >= new.version:
        found.append(
            f"the content changed and the version did not rise: it is {new.version}, it was"
            f" {old.version}"
        )
    return found


def _mapping(old: Mapping[str, Any], new: Mapping[str, Any], where: str) -> Iterator[str]:
    for key in dict.fromkeys((*old, *new)):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        name = key.replace("_", " ")
        if not where and key in _NAMED_BY:
            yield from _items(before or [], after or [], key)
        elif isinstance(before, dict) and isinstance(after, dict):
            yield from _mapping(before, after, f"{where}{name}: ")
        else:
            yield f"{where}{_changed(name, before, after)}"


def _items(old: list[dict[str, Any]], new: list[dict[str, Any]], key: str) -> Iterator[str]:
    by, word = _NAMED_BY[key], _SINGULAR[key]
    before, after = ({item[by]: item for item in items} for items in (old, new))
    for name, item in before.items():
        if name not in after:
            yield f"{word} {name} is gone"
        elif item != after[name]:
            yield from _mapping(item, after[name], f"{word} {name}: ")
    for name in after:
        if name not in before:
            yield f"{word} {name} is new"
    kept_before = [name for name in before if name in after]
    kept_after = [name for name in after if name in before]
    if key == "escalation" and kept_before != kept_after:
        yield f"the order of escalation is now {', '.join(kept_after)}"


def _changed(name: str, before: Any, after: Any) -> str:
    if isinstance(before, list) and isinstance(after, list):
        gone = [f"without {_told(item)}" for item in before if item not in after]
        came = [f"with {_told(item)}" for item in after if item not in before]
        return f"{name} is now {', '.join((*gone, *came)) or 'in another order'}"
    if before is None or before == []:
        return f"{name} is now {_told(after)}; it was not stated"
    if after is None or after == []:
        return f"{name} is no longer stated; it was {_told(before)}"
    return f"{name} is now {_told(after)}; it was {_told(before)}"


def _told(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(_told(item) for item in value)
        case dict():
            told = (f"{key.replace('_', ' ')} {_told(v)}" for key, v in value.items() if v)
            return "; ".join(told)
        case _:
            return str(value)
