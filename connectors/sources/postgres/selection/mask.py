"""A field policy applied: to a table's shape, to its rows, and to the bytes of a dead letter."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from connectors.sources.postgres.log.pgoutput import UNCHANGED, Relation
from connectors.sources.postgres.selection.text import text_reader
from streams.errors import Misconfigured, Poison

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from connectors.sources.postgres.log.pgoutput import Cells
    from connectors.sources.postgres.selection.rules import Selection, Treatment
    from connectors.sources.postgres.shape.types import TypeFacts

TEXT_OID: Final = 25
NO_TYPMOD: Final = -1
_word = struct.Struct(">I")
_short = struct.Struct(">H")
_SIZED: Final = b"tb"
_BINARY: Final = ord("b")
_HEAD: Final = 5
"""Bytes before a row message's first mark: its kind and the relation."""


@dataclass(frozen=True, slots=True)
class Mask:
    """What the field policy does to one table.

    A hashed column becomes a text column, so that nothing behind the mask needs to know of it.

    Attributes:
        source: The table as the log describes it.
        relation: The table as it is behind the mask: without dropped columns, hashed ones as text.
        treatments: Per column of the log what becomes of it.
        of_text: Per hashed column (by its number in the log) the hash of a text value.
        of_binary: The same of a binary value, as pgoutput and COPY send it.
    """

    source: Relation
    relation: Relation
    treatments: tuple[Treatment, ...]
    of_text: Mapping[int, Callable[[bytes], bytes]]
    of_binary: Mapping[int, Callable[[bytes], bytes]]

    def hides(self, names: Collection[str]) -> bool:
        """One of these columns does not leave as it is."""
        return any(
            how != "pass" and column.name in names
            for column, how in zip(self.source.columns, self.treatments, strict=True)
        )

    def cells(self, cells: Cells, *, binary: bool = False) -> Cells:
        """A row of the log as it is behind the mask.

        Args:
            cells: Values in the log's column order.
            binary: The values are in the server's binary form.

        Raises:
            Poison: A value to be hashed is not of its type; the value is not shown.
        """
        if len(cells) != len(self.treatments):
            raise Poison(
                f"A row of {self.relation.schema}.{self.relation.table} has {len(cells)} values "
                f"for {len(self.treatments)} columns",
                code="malformed_row",
            )
        digests = self.of_binary if binary else self.of_text
        return [
            cell if how == "pass" or cell is None or cell is UNCHANGED else digests[index](cell)
            for index, (cell, how) in enumerate(zip(cells, self.treatments, strict=True))
            if how != "drop"
        ]

    def message(self, message: bytes) -> bytes:
        """An insert, update or delete of the log with its rows as they are behind the mask.

        For dead letters: a message that cannot be walked through is left out but for its head.
        """
        parts = [message[:_HEAD]]
        place = _HEAD
        try:
            while place < len(message):
                parts.append(message[place : place + 1])
                row, place = self._row(message, place + 1)
                parts.append(row)
        except (IndexError, KeyError, struct.error, Poison):
            return message[:_HEAD]
        return b"".join(parts)

    def _row(self, message: bytes, place: int) -> tuple[bytes, int]:
        (count,) = _short.unpack_from(message, place)
        place += _short.size
        kept: list[bytes] = []
        if count != len(self.treatments):
            raise IndexError(count)
        for index, how in enumerate(self.treatments):
            kind, start = message[place], place
            place += 1
            if kind in _SIZED:
                place += _word.size + _word.unpack_from(message, place)[0]
            if place > len(message):
                raise IndexError(place)
            if how == "drop":
                continue
            cell = message[start:place]
            if how == "hash" and kind in _SIZED:
                digests = self.of_binary if kind == _BINARY else self.of_text
                digest = digests[index](cell[1 + _word.size :])
                cell = b"t" + _word.pack(len(digest)) + digest
            kept.append(cell)
        return _short.pack(len(kept)) + b"".join(kept), place


def mask_of(
    selection: Selection,
    relation: Relation,
    types: Mapping[int, TypeFacts],
    unpublished: Collection[str] = (),
) -> Mask | None:
    """The mask of a table; None where every column passes, which then costs nothing.

    Args:
        selection: The rules.
        relation: The table as the log describes it.
        types: Types that are not built in.
        unpublished: Columns that the table has although the publication leaves them out.

    Raises:
        Misconfigured: A rule names a column that the table does not have (it may have been
            renamed), drops a key's column, or hashes a type whose text form is not known.
    """
    schema, table = relation.schema, relation.table
    names = [column.name for column in relation.columns]
    if lost := selection.missing(schema, table, (*names, *unpublished)):
        raise _refused(
            f"The field policy names {', '.join(lost)}, which {schema}.{table} does not publish; "
            "if it was renamed, its values would leave unprotected",
            "correct the policy, or write the name with a question mark if it comes later",
        )
    treatments = tuple(selection.treatment(schema, table, name) for name in names)
    if all(how == "pass" for how in treatments):
        return None
    of_text: dict[int, Callable[[bytes], bytes]] = {}
    of_binary: dict[int, Callable[[bytes], bytes]] = {}
    columns = []
    for index, (column, how) in enumerate(zip(relation.columns, treatments, strict=True)):
        if how == "drop":
            continue
        columns.append(column)
        if how == "hash":
            columns[-1] = replace(column, oid=TEXT_OID, typmod=NO_TYPMOD)
            reader = text_reader(column.oid, types)
            if reader is None:
                raise _refused(
                    f"The field policy hashes {schema}.{table}.{column.name}, whose type has no "
                    "text form that is the same in every mode",
                    "drop the column instead, or publish the table without it",
                )
            of_text[index] = selection.digest
            of_binary[index] = _read_and_hashed(
                reader, selection, f"{schema}.{table}.{column.name}"
            )
    masked = replace(relation, columns=tuple(columns))
    return Mask(relation, masked, treatments, of_text, of_binary)


def _read_and_hashed(
    reader: Callable[[bytes], bytes], selection: Selection, name: str
) -> Callable[[bytes], bytes]:
    def digest(raw: bytes) -> bytes:
        try:
            text = reader(raw)
        except (struct.error, ValueError, OverflowError, IndexError):
            # Without the cause: its text may hold the value.
            raise Poison(
                f"A value of {name}, which is hashed, is not of its type",
                code="undecodable_row",
                kept="the dead letter holds the row's position; protected values are left out",
                advice="correct the value in the source",
            ) from None
        return selection.digest(text)

    return digest


def _refused(what: str, advice: str) -> Misconfigured:
    return Misconfigured(
        what,
        code="field_policy",
        kept="nothing behind the stored position was confirmed, no value left the source",
        advice=advice,
    )
