"""Identity is derived from positions and subjects, never drawn at random.

Two runs over the same input give the same ids, so a replay is recognised as a replay.
"""

from __future__ import annotations

import unicodedata
from typing import NewType
from uuid import UUID, uuid5

NAMESPACE = UUID("6f0b9a58-6d3f-5c1c-9a35-5b8f1f3f7a10")
"""The one namespace of all ids that Lotgate derives. It never changes."""

LotId = NewType("LotId", str)
CauseId = NewType("CauseId", str)

UNKNOWN_MATERIAL = ""
"""The material part of a lot id whose source named the lot by number only."""


def derived_id(*parts: str | int) -> str:
    """Derive an id from what it identifies.

    Args:
        *parts: The identifying parts, most general first. Each is escaped, so that no two
            different lists of parts give the same text.

    Returns:
        A version 5 UUID as text.
    """
    return str(uuid5(NAMESPACE, "/".join(escaped(str(part)) for part in parts)))


def escaped(text: str) -> str:
    """Percent-encode the two characters that structure ids: `%` and `/`."""
    return text.replace("%", "%25").replace("/", "%2F")


def unescaped(text: str) -> str:
    """Undo `escaped`."""
    return text.replace("%2F", "/").replace("%25", "%")


def lot_id(site: str, material: str, number: str) -> LotId:
    """Mint the canonical lot id `<site>/<material>/<lot>`.

    Two materials, or two plants, may well use one lot number; hence all three. Each part is
    trimmed, normalised to NFC and keeps its case.

    Args:
        site: The plant that owns the lot; a setting of each source.
        material: Material (product) code, or `UNKNOWN_MATERIAL`.
        number: The lot number as people write it.

    Raises:
        ValueError: The site or the number is empty.
    """
    parts = [unicodedata.normalize("NFC", part.strip()) for part in (site, material, number)]
    if not parts[0] or not parts[2]:
        raise ValueError(f"a lot id needs a site and a number, got {parts!r}")
    return LotId("/".join(escaped(part) for part in parts))


def parts_of(lot: str) -> tuple[str, str, str]:
    """Split a lot id into site, material and number.

    Raises:
        ValueError: The text is no lot id.
    """
    parts = lot.split("/")
    if len(parts) != 3:
        raise ValueError(f"not a lot id: {lot!r}; expected <site>/<material>/<lot>")
    site, material, number = (unescaped(part) for part in parts)
    return site, material, number


def lots_of_number(lot: str) -> LotId:
    """The subject that stands for "every lot with this number at this site"."""
    site, _, number = parts_of(lot)
    return lot_id(site, UNKNOWN_MATERIAL, number)


def customer_item(customer: str, item: str) -> str:
    """What names a customer's item: `<customer>/<item>`, each part escaped."""
    return f"{escaped(customer)}/{escaped(item)}"
