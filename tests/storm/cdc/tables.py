"""The tables that the storm writes, as its oracle knows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Key = tuple[Any, ...]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """A table: its key, and how the server's text of each column is read."""

    name: str
    key: tuple[str, ...]
    columns: dict[str, Callable[[str], Any]]

    def key_of(self, row: Row) -> Key:
        return tuple(row[name] for name in self.key)


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("item", ("id",), {"id": int, "n": int, "v": str}),
        Shape("part", ("site", "no"), {"site": str, "no": int, "q": Decimal, "v": str}),
        Shape("load", ("id",), {"id": int, "writer": int, "v": str}),
        Shape("scratch", ("id",), {"id": int, "v": str}),
    )
}
COPIED = "load"
"""The only table that is written by COPY, and by nothing else but deletes."""
EMPTIED = "scratch"
"""The only table that is truncated."""

SCHEMA = (
    "create table item(id bigint primary key, n int not null, v text)",
    "create table part(site text, no int, q numeric(12,2), v text, primary key (site, no))",
    # Its old images are whole rows; the others' are keys.
    "alter table part replica identity full",
    "create table load(id bigint primary key, writer int not null, v text)",
    "create table scratch(id int primary key, v text)",
    "create publication lotgate for table item, part, load, scratch",
)


def before_the_snapshot(rows: int) -> tuple[str, ...]:
    """Statements that fill the tables before the source first starts."""
    return (
        f"insert into item select -i, i, 'old' from generate_series(1, {rows}) i",
        f"insert into part select 'S0', i, i / 4.0, 'old' from generate_series(1, {rows}) i",
        f"insert into load select -i, 0, repeat('o', 40) from generate_series(1, {rows}) i",
    )
