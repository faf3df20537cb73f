"""Orders to a running source: read tables again, wait, go on, give up.

An order is a JSON object: `{"type": "execute", "tables": ["public.lot"], "where": "site = 'P1'"}`;
the types `pause`, `resume` and `stop` need no more, and `stop` may name tables. Debezium's signals
(`execute-snapshot` with `data` and `data-collections`, and its like) are understood as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

import orjson

from streams.errors import Poison

Kind = Literal["execute", "pause", "resume", "stop"]
IN_LOG: Final = "lotgate.signal"
"""Prefix of an order that a database's user puts into the log by `pg_logical_emit_message`."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done.

    Attributes:
        kind: What.
        tables: `schema.table`; for `stop` none means all.
        where: For `execute`: a condition on the rows by table, as SQL.
    """

    kind: Kind
    tables: tuple[str, ...] = ()
    where: tuple[tuple[str, str], ...] = ()

    def condition(self, table: str) -> str:
        """The condition on a table's rows; empty for all."""
        return dict(self.where).get(table, "")

    def encode(self) -> bytes:
        """The order as JSON."""
        return orjson.dumps(
            {"type": self.kind, "tables": self.tables, "conditions": dict(self.where)}
        )


def order_of(text: bytes) -> Order:
    """Read an order.

    Raises:
        Poison: It is none; says why.
    """
    try:
        found: Any = orjson.loads(text)
        kind = str(found["type"]).removesuffix("-snapshot")
        data = found.get("data") or found
        tables = tuple(
            str(name).replace('"', "")
            for name in data.get("tables", data.get("data-collections", ()))
        )
        where = {str(name): str(sql) for name, sql in dict(data.get("conditions", {})).items()}
        if data.get("where"):
            where |= {name: str(data["where"]) for name in tables}
        for each in data.get("additional-conditions", ()):
            where[str(each["data-collection"]).replace('"', "")] = str(each["filter"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _refused(f"it is not understood ({error!r})") from error
    if kind not in get_args(Kind):
        raise _refused(f"its type {kind!r} is none of {', '.join(get_args(Kind))}")
    if kind == "execute" and not tables:
        raise _refused("it names no table")
    return Order(cast("Kind", kind), tables, tuple(where.items()))


def _refused(why: str) -> Poison:
    return Poison(
        f"An order to the source is left alone: {why}",
        code="bad_signal",
        kept="the stream and the running snapshot go on as they were",
        advice="use `lotgate cdc snapshot`, or see its help for the form of an order",
    )
