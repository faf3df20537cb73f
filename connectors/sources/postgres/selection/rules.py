"""The rules of a selection: keys by table, treatment by column. Values only."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import orjson

from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Treatment = Literal["pass", "hash", "drop"]
TREATMENTS: Final = get_args(Treatment)
LEAST_SECRET: Final = 16
"""Bytes of the shortest key that a hash may have; half of what SHA-256 can use."""
MEMBERS: Final = frozenset({"tables", "keys", "fields"})
EXAMPLE: Final = (
    '{"tables": ["public.part"], "keys": {"public.part": ["number"]}, '
    '"fields": {"public.person.email": "hash", "public.person.born": "drop"}}'
)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a source carries of the published tables.

    Attributes:
        tables: `schema.table` that must be published; empty accepts whatever is.
        keys: Per `schema.table` the columns that make its records' key, in place of the primary
            key or the replica identity.
        fields: Per `schema.table.column` what becomes of its values: `pass`, `hash` (HMAC-SHA-256
            of the value's text) or `drop` (the column exists nowhere behind this source).
        later: Members of `fields` whose column may be missing.
        secret: Key of the hash; never logged.
    """

    tables: tuple[str, ...] = ()
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fields: Mapping[str, Treatment] = field(default_factory=dict)
    later: frozenset[str] = frozenset()
    secret: bytes = field(default=b"", repr=False)

    @property
    def hashes(self) -> bool:
        """Some column is hashed, so that a secret is needed."""
        return "hash" in self.fields.values()

    def treatment(self, schema: str, table: str, column: str) -> Treatment:
        """What becomes of a column's values."""
        return self.fields.get(f"{schema}.{table}.{column}", "pass")

    def key(self, schema: str, table: str) -> tuple[str, ...]:
        """The columns that replace a table's own key; empty for its own."""
        return self.keys.get(f"{schema}.{table}", ())

    def missing(self, schema: str, table: str, columns: Iterable[str]) -> list[str]:
        """Rules for columns that the table does not have: a misspelt rule would protect nothing."""
        start = f"{schema}.{table}."
        there = {start + column for column in columns}
        return sorted(
            rule
            for rule in self.fields
            if rule.startswith(start) and rule not in there and rule not in self.later
        )

    def digest(self, text: bytes) -> bytes:
        """The hash of a value: 64 hexadecimal digits, the same for the same text everywhere.

        Args:
            text: The value's text form, as the server writes it.
        """
        return hmac.digest(self.secret, text, "sha256").hex().encode()


def read_selection(text: str, secret: bytes, where: str) -> Selection:
    """Read a selection from its JSON form.

    A column's name with a question mark behind it may be missing from the table, for a rule that
    is set before the column is added.

    Args:
        text: `{"tables": [...], "keys": {...}, "fields": {...}}`; empty for no selection.
        secret: Key of the hash; empty without one.
        where: The variable or file, for messages.

    Raises:
        Misconfigured: It is not of that form, or a hash has no key or a short one.
    """
    if not text.strip():
        return Selection(secret=secret)
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _wrong(where, f"is no JSON: {error}") from error
    if not isinstance(found, dict) or set(found) - MEMBERS:
        raise _wrong(where, "may have the members tables, keys and fields, and no others")
    fields = _texts(found.get("fields", {}), where, "fields")
    selection = Selection(
        tables=_names(found.get("tables", []), where, "tables"),
        keys={
            table: _names(columns, where, f"keys of {table}")
            for table, columns in _mapping(found.get("keys", {}), where, "keys").items()
        },
        fields={name.removesuffix("?"): _treatment(how, name, where) for name, how in fields},
        later=frozenset(name[:-1] for name, _ in fields if name.endswith("?")),
        secret=secret,
    )
    _complete(selection, where)
    return selection


def _complete(selection: Selection, where: str) -> None:
    short = [name for name in selection.fields if name.count(".") < 2]
    if short:
        raise _wrong(where, f"names {short[0]!r} in fields, which is not schema.table.column")
    if [name for name in (*selection.keys, *selection.tables) if "." not in name]:
        raise _wrong(where, "names a table without its schema")
    if [table for table, columns in selection.keys.items() if not columns]:
        raise _wrong(where, "has a key without columns")
    for table, columns in selection.keys.items():
        gone = [name for name in columns if selection.fields.get(f"{table}.{name}") == "drop"]
        if gone:
            raise _wrong(where, f"makes {gone[0]} part of the key of {table} and drops it")
    if selection.hashes and len(selection.secret) < LEAST_SECRET:
        raise Misconfigured(
            f"{where} hashes columns, and the hash's key "
            + ("is shorter than 16 bytes" if selection.secret else "is not set"),
            code="hash_key",
            kept="nothing was read",
            advice="set LOTGATE_SOURCE_HASH_KEY_FILE to a file with 32 random bytes as text, e.g. "
            "of `openssl rand -hex 32`, and keep it: another key gives other hashes",
        )


def _wrong(where: str, what: str) -> Misconfigured:
    return Misconfigured(
        f"{where} {what}",
        code="bad_selection",
        kept="nothing was read",
        advice=f"write it like {EXAMPLE}",
    )


def _mapping(value: Any, where: str, member: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(where, f"has {member} that are no object")
    return value


def _names(value: Any, where: str, member: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise _wrong(where, f"has {member} that are no list of names")
    return tuple(value)


def _texts(value: Any, where: str, member: str) -> list[tuple[str, Any]]:
    return list(_mapping(value, where, member).items())


def _treatment(how: Any, name: str, where: str) -> Treatment:
    if how not in TREATMENTS:
        raise _wrong(where, f"treats {name} as {how!r}; there are {', '.join(TREATMENTS)}")
    known: Treatment = how
    return known
