"""A table's row encoder: its source is made and compiled once, when the log describes the table."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from connectors.base import RawRecord
from connectors.sources.encoding import primitives as avro
from connectors.sources.postgres.generated.forms import NAMES, form_of
from connectors.sources.postgres.generated.program import copy_source, run_source
from connectors.sources.postgres.generated.walking import Planned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from connectors.sources.postgres.shape.tables import Table
    from connectors.sources.postgres.shape.types import TypeFacts

CREATE, UPDATE, DELETE = 0, 1, 2
"""Places of the operations in a span's tails."""
FAULTS: Final = (ValueError, OverflowError, IndexError, KeyError, TypeError, struct.error)
"""What a row that needs the long way may raise."""
_FIVE: Final = 5 << 76 | 2 << 62
"""Version and variant of a UUID made of SHA-1, as bits of the whole."""
_KEPT: Final = (1 << 128) - 1 - (0xF << 76) - (3 << 62)
"""The bits of the hash that are kept."""


class Span(NamedTuple):
    """What the rows of one table in one transaction share, encoded.

    Attributes:
        heads: By the number of the sequence's digits: the source block up to the digits.
        middle: The source block behind them, up to the row's place in the log.
        block: From there to the event's two counts.
        tails: Per operation: from the counts to the record's end.
        lost_tails: The same without what tells of missing values.
        event: The event ids up to the ordinal.
        seed: What an event's UUID is made of, up to the ordinal.
    """

    heads: Sequence[bytes]
    middle: bytes
    block: bytes
    tails: Sequence[bytes]
    lost_tails: Sequence[bytes]
    event: bytes
    seed: bytes


@dataclass(frozen=True, slots=True)
class Encoder:
    """The compiled functions of one table.

    Attributes:
        source: Their source text, for people.
        run: Carries consecutive rows of the log, see `program.run_source`.
        copied: Encodes one row of a binary copy, given from the place behind its number of columns:
            the key's Avro body (None without a key) and the row's. Raises one of `FAULTS` for a
            row that needs the long way.
    """

    source: str
    run: Callable[..., tuple[int, int, int, int, int]]
    copied: Callable[[bytes, int], tuple[bytes | None, bytes]]


def encoder_of(
    table: Table,
    types: Mapping[int, TypeFacts],
    *,
    tombstones: bool = True,
    counted: bool = True,
) -> Encoder | None:
    """Make a table's encoder.

    Args:
        table: The table.
        types: What the catalogue says about types that are not built in.
        tombstones: A delete is followed by a record without a value.
        counted: Events say their number in their transaction.

    Returns:
        None if a field policy hides some of its values: its rows go the long way.
    """
    if table.mask is not None or not table.plan.columns:
        return None
    columns = _planned(table, types)
    run = run_source(columns, tombstones=tombstones, mirror=table.plan.mirror, counted=counted)
    source = f"{run}\n\n{copy_source(columns)}"
    names = {**NAMES, **_names(table, columns)}
    where = f"<rows of {table.name}>"
    exec(compile(source, where, "exec"), names)  # noqa: S102 - written above, from our own lines
    return Encoder(source, names["run"], names["copied"])


def _planned(table: Table, types: Mapping[int, TypeFacts]) -> tuple[Planned, ...]:
    plan = table.plan
    planned = []
    for number, column in enumerate(plan.columns):
        oid = _base(plan.relation.columns[number].oid, types)
        form = form_of(column, oid, table.renders[number])
        planned.append(Planned(number, column, form, number in plan.key_indexes))
    return tuple(planned)


def _base(oid: int, types: Mapping[int, TypeFacts]) -> int:
    """A domain's base type; any other type is its own."""
    facts = types.get(oid)
    while facts is not None and facts.kind == "d":
        oid = facts.base
        facts = types.get(oid)
    return oid


def _names(table: Table, columns: tuple[Planned, ...]) -> dict[str, Any]:
    """What the source of one table refers to."""
    plan = table.plan
    oid, count = plan.relation.oid, len(columns)
    some, none = avro.SOME, avro.NULL
    new_row = table.value_frame + none + some
    old_row = table.value_frame + some

    def head(kind: bytes, mark: bytes) -> bytes:
        return struct.pack(">cIcH", kind, oid, mark, count)

    names: dict[str, Any] = {
        "ways": {
            head(b"I", b"N"): (new_row, b"", CREATE, None),
            head(b"U", b"N"): (new_row, b"", UPDATE, None),
            head(b"U", b"K"): (new_row, b"", UPDATE, False),
            head(b"U", b"O"): (new_row, b"", UPDATE, True),
            head(b"D", b"K"): (old_row, none, DELETE, None),
            head(b"D", b"O"): (old_row, none, DELETE, None),
        },
        "new_mark": struct.pack(">cH", b"N", count),
        "key_frame": table.key_frame,
        "value_frame": table.value_frame,
        "topic": plan.topic,
        "join": b"".join,
        "uint8": struct.Struct(">Q").unpack_from,
        "sha1": hashlib.sha1,
        "from_bytes": int.from_bytes,
        "KEPT": _KEPT,
        "FIVE": _FIVE,
        "new": tuple.__new__,
        "Record": RawRecord,
        "FAULTS": FAULTS,
    }
    for each in columns:
        column = each.column
        names |= {
            f"nothing{each.number}": column.nothing,
            f"same{each.number}": column.unchanged,
            f"name{each.number}": avro.string(column.name),
        }
        for name, value in each.form.names.items():
            names[name.format(i=each.number)] = value
    return names
