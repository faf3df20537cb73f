"""Who reads which type, and the least version that each reader may still read with.

The file is data (`schemas/consumers.json`): a consumer's name, and for each type that it reads the
`minimum` version and, if it does not read all, the `fields` that it uses. A site adds a file of its
own for readers that are not of this product.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from streams.contracts.evolution.places import lines_of
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.contracts.catalog import Catalog

_KEYS = ("minimum", "fields")


@dataclass(frozen=True, slots=True)
class Consumer:
    """One reader of one type.

    Attributes:
        name: What people call it, e.g. `stage route-cause-nonconformity`.
        reads: Full name of the type.
        minimum: It reads with this version of the type's schema or a later one.
        fields: The type's fields that it uses; empty: all.
        file: Where it says so.
        line: On which line, from 1.
    """

    name: str
    reads: str
    minimum: int
    fields: frozenset[str]
    file: str
    line: int

    def uses(self, field: str) -> bool:
        """Whether it uses one of the type's own fields (empty: the type as a whole)."""
        return not field or not self.fields or field in self.fields


def consumers_in(text: str, file: str) -> tuple[Consumer, ...]:
    """Read a file of consumers.

    Args:
        text: Its content.
        file: Its name, for messages.

    Raises:
        Misconfigured: `bad_consumers_file`, with the line.
    """
    try:
        lines, content = lines_of(text), json.loads(text)
    except ValueError as error:
        line = text[: getattr(error, "pos", 0)].count("\n") + 1
        raise _bad(file, line, f"it is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise _bad(file, 1, "it is not an object of consumers by name")
    found = []
    for name, reads in content.items():
        if not isinstance(reads, dict) or not reads:
            raise _bad(file, lines[name,], f"{name} names no type that it reads")
        for type_name, stated in reads.items():
            line = lines[name, type_name]
            minimum, fields = _stated(stated, file, line, f"{name}, {type_name}")
            found.append(Consumer(name, type_name, minimum, fields, file, line))
    return tuple(found)


def _stated(stated: Any, file: str, line: int, where: str) -> tuple[int, frozenset[str]]:
    if not isinstance(stated, dict):
        raise _bad(file, line, f"{where}: not an object with a minimum version")
    for key in stated:
        if key not in _KEYS:
            raise _bad(file, line, f"{where}: unknown key {key!r}{nearest(key, _KEYS)}")
    minimum, fields = stated.get("minimum"), stated.get("fields", [])
    if not isinstance(minimum, int) or isinstance(minimum, bool) or minimum < 1:
        raise _bad(file, line, f"{where}: the minimum version {minimum!r} is no number from 1")
    if not isinstance(fields, list) or not all(isinstance(field, str) for field in fields):
        raise _bad(file, line, f"{where}: the fields are no list of names")
    return minimum, frozenset(fields)


def consumer_faults(consumer: Consumer, catalog: Catalog) -> list[tuple[str, str]]:
    """What a consumer states that the catalog does not have: code and sentence of each."""
    name = consumer.reads
    if name not in catalog.names():
        text = f"{consumer.name} reads {name}, which no schema file declares"
        return [("unknown_schema", text + nearest(name, catalog.names()))]
    newest = catalog.version_of(name)
    if consumer.minimum > newest:
        text = f"{consumer.name} needs version {consumer.minimum} of {name}; the newest is {newest}"
        return [("unknown_version", text)]
    schema = catalog.schema(name, consumer.minimum)
    known = [field["name"] for field in schema.get("fields", ())]
    return [
        (
            "unknown_field",
            f"{consumer.name} uses {name}.{field}, which version {consumer.minimum} does not have"
            + nearest(field, known),
        )
        for field in sorted(consumer.fields.difference(known))
    ]


def nearest(word: str, known: Iterable[str]) -> str:
    """Words that name the nearest valid name; empty if none is near."""
    names = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), names, n=1, cutoff=0.5)
    return f"; the nearest is {names[found[0]]}" if found else ""


def _bad(file: str, line: int, why: str) -> Misconfigured:
    return Misconfigured(
        f"{file}:{line}: {why}",
        code="bad_consumers_file",
        advice='state {"<consumer>": {"<full name of a type>": {"minimum": 1}}}',
    )
