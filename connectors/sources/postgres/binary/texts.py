"""Which function turns a type's binary form into the server's text, types made of others too.

A type that is not known here is rendered by the server itself.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from connectors.sources.postgres.binary import documents, moments, nested, places, scalars

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from connectors.sources.postgres.binary.scalars import Render
    from connectors.sources.postgres.log.pgoutput import Relation
    from connectors.sources.postgres.shape.types import TypeFacts

MONEY: Final = 790
_BUILT_IN: Final[dict[int, Render]] = {
    16: scalars.boolean,
    17: scalars.bytea,
    18: scalars.char,
    19: scalars.plain,
    20: scalars.int8,
    21: scalars.int2,
    22: nested.vector_of(scalars.int2),
    23: scalars.int4,
    25: scalars.plain,
    26: scalars.uint4,
    27: scalars.tid,
    28: scalars.uint4,
    29: scalars.uint4,
    30: nested.vector_of(scalars.uint4),
    114: scalars.plain,
    142: scalars.plain,
    600: places.point,
    601: places.lseg,
    602: places.path,
    603: places.box,
    604: places.polygon,
    628: places.line,
    650: places.cidr,
    700: scalars.float4,
    701: scalars.float8,
    718: places.circle,
    774: places.macaddr,
    829: places.macaddr,
    869: places.inet,
    1042: scalars.plain,
    1043: scalars.plain,
    1082: moments.date,
    1083: moments.time,
    1114: moments.timestamp,
    1184: moments.timestamptz,
    1186: moments.interval,
    1266: moments.timetz,
    1560: scalars.bits,
    1562: scalars.bits,
    1700: scalars.numeric,
    1790: scalars.plain,
    2950: scalars.uuid,
    2970: scalars.snapshot,
    3220: scalars.lsn,
    3614: documents.tsvector,
    3615: documents.tsquery,
    3802: scalars.versioned,
    4072: scalars.versioned,
    5038: scalars.snapshot,
    5069: scalars.uint8,
}
_BY_SENDER: Final[dict[str, Render]] = {
    "textsend": scalars.plain,
    "varcharsend": scalars.plain,
    "bpcharsend": scalars.plain,
    "hstore_send": documents.hstore,
    "ltree_send": scalars.versioned,
    "lquery_send": scalars.versioned,
    "ltxtq_send": scalars.versioned,
}
"""Types of extensions, by the function that makes their binary form."""


class UnknownForm(ValueError):
    """A type's binary form is not known.

    Args:
        oid: The type.
    """

    def __init__(self, oid: int) -> None:
        super().__init__(f"the binary form of type {oid} is not known")
        self.oid = oid


def renderer(oid: int, types: Mapping[int, TypeFacts]) -> Render:
    """Find how a column's binary values become what the server would print.

    Args:
        oid: The column's type.
        types: What the catalogue says about types that are not built in.

    Raises:
        UnknownForm: It, or a type that it is made of, is not known.
    """
    # The text of money depends on the database; alone in a column its number is enough.
    return scalars.cents if oid == MONEY else _exact(oid, types)


def _exact(oid: int, types: Mapping[int, TypeFacts]) -> Render:
    known = _BUILT_IN.get(oid)
    if known is not None:
        return known
    facts = types.get(oid)
    if facts is None:
        raise UnknownForm(oid)
    if facts.kind == "d":
        return _exact(facts.base, types)
    if facts.element:
        return nested.array_of(_exact(facts.element, types), facts.delimiter.encode())
    if facts.subtype:
        made = nested.range_of if facts.kind == "r" else nested.multirange_of
        return made(_exact(facts.subtype, types))
    return _named(oid, facts, types)


def _named(oid: int, facts: TypeFacts, types: Mapping[int, TypeFacts]) -> Render:
    if facts.kind == "e":
        return scalars.plain
    if facts.kind == "c":
        fields = {each: _exact(each, types) for each in facts.fields}
        return nested.record_of(fields.__getitem__)
    if facts.send not in _BY_SENDER:
        raise UnknownForm(oid)
    return _BY_SENDER[facts.send]


def renderers(
    relation: Relation, types: Mapping[int, TypeFacts], ask: Callable[[int, bytes], bytes]
) -> list[Render]:
    """Find the renderers of a table's columns.

    Args:
        relation: The table as the log describes it.
        types: What the catalogue says about types that are not built in.
        ask: Has the server itself make the text of a type's binary form; slow, but always right.
    """
    found = []
    for column in relation.columns:
        try:
            found.append(renderer(column.oid, types))
        except UnknownForm:
            found.append(partial(ask, column.oid))
    return found


def unknown_columns(relation: Relation, types: Mapping[int, TypeFacts]) -> list[str]:
    """The columns whose binary form is not known."""
    unknown = []
    for column in relation.columns:
        try:
            renderer(column.oid, types)
        except UnknownForm:
            unknown.append(column.name)
    return unknown
