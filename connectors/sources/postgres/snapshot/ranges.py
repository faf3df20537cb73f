"""A table as ranges of its key: what to select, and where one range ends and the next begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import orjson

from connectors.sources.postgres.names import qualified, quoted

if TYPE_CHECKING:
    from connectors.sources.postgres.database.catalog import Catalog, Published
    from connectors.sources.postgres.selection import Mask
    from connectors.sources.postgres.snapshot.session import Session

Key = tuple[str, ...]
"""Values of a key's columns in the server's text form."""

_KEY = """
select a.attname
from pg_index i
cross join unnest(i.indkey::int2[]) with ordinality as k(number, place)
join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
where i.indexrelid = (
    select x.indexrelid from pg_index x
    where x.indrelid = %s and (x.indisprimary or x.indisreplident)
    order by x.indisprimary desc limit 1)
  and k.place <= i.indnkeyatts
order by k.place
"""


_PAGES = """
select coalesce(max(pg_relation_size(coalesce(t.relid, c.oid))), 0)
       / current_setting('block_size')::int as pages
from pg_class c left join lateral pg_partition_tree(c.oid) t on t.isleaf
where c.oid = %s
"""
_ROWS_A_PAGE = 50
"""About; it only sets how much is read at once from a table without a key."""


class Range(NamedTuple):
    """Keys behind `after`, up to and with `upto`; None is no bound."""

    after: Key | None
    upto: Key | None


_SIZE = """
select coalesce(sum(pg_table_size(coalesce(t.relid, c.oid))), 0)
from pg_class c left join lateral pg_partition_tree(c.oid) t on t.isleaf
where c.oid = {oid}
"""
_BYTES_AT_ONCE = 4 * 1024 * 1024
_FEWEST = 5


def literal(text: str) -> str:
    """A text as an SQL literal, whatever the server thinks of backslashes."""
    quoted_text = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{quoted_text}'"


class Expected(NamedTuple):
    """What a table holds, about.

    Attributes:
        rows: Its rows.
        width: Bytes of a row.
    """

    rows: int
    width: int

    def at_once(self, most: int) -> int:
        """How many rows to read at once, so that they take little memory."""
        return max(min(most, _BYTES_AT_ONCE // self.width), _FEWEST)


@dataclass(frozen=True, slots=True)
class Readable:
    """A table that can be read range by range.

    Attributes:
        table: The table as the catalogue shows it.
        key: Columns whose values tell its rows apart, in their index's order; empty without one.
        where: An operator's condition, as SQL; empty for none.
        dropped: Columns that are never read: null stands in their place.
        pages: Without a key: pages of the table, which is then read by the places of its rows;
            they hold for one view of the database only.
    """

    table: Published
    key: tuple[str, ...]
    where: str = ""
    dropped: frozenset[str] = frozenset()
    pages: int = 0

    def rows(self, part: Range, *, with_key: bool = False) -> str:
        """The SELECT of a range.

        Args:
            part: The range.
            with_key: The key's values as text behind the columns, and the rows in their order.
        """
        if not with_key or not self.key:
            return f"{self._select(', '.join(self._columns()))}{self._conditions(part)}"
        extra = [f"{quoted(name)}::text" for name in self.key]
        head = self._select(", ".join([*self._columns(), *extra]))
        return f"{head}{self._conditions(part)} ORDER BY {self._order()}"

    def _columns(self) -> list[str]:
        dropped = self.dropped
        return ["NULL" if name in dropped else quoted(name) for name in self.table.columns]

    def next_range(self, session: Session, after: Key | None, rows: int) -> Range:
        """The range of about so many rows that begins behind a key; unbounded where fewer are."""
        if not self.key:
            return self._next_pages(after, rows)
        names = ", ".join(f"{quoted(name)}::text" for name in self.key)
        found = session.row(
            f"{self._select(names)}{self._conditions(Range(after, None))} "
            f"ORDER BY {self._order()} OFFSET {rows - 1} LIMIT 1"
        )
        return Range(after, tuple(cell or "" for cell in found) if found else None)

    def _next_pages(self, after: Key | None, rows: int) -> Range:
        begin = 0 if after is None else int(after[0][1:].partition(",")[0])
        end = begin + max(rows // _ROWS_A_PAGE, 1)
        # No row has place 0 of a page.
        return Range(after, None if end >= self.pages else (f"({end},0)",))

    def expected(self, session: Session) -> Expected:
        """How many rows there are, and how large, about."""
        plan = session.row(f"EXPLAIN (FORMAT JSON) {self.rows(Range(None, None))}")
        found = orjson.loads(plan[0] or "")[0]["Plan"]
        size = session.row(_SIZE.format(oid=self.table.relation.oid))[0]
        rows = int(found["Plan Rows"])
        # The planner's width leaves out large values, which are stored apart.
        return Expected(rows, max(int(found["Plan Width"]), int(size or 0) // max(rows, 1), 1))

    def _select(self, what: str) -> str:
        # A parent of inherited tables is published for itself alone, a partitioned one as a whole.
        only = "ONLY " if self.table.kind == "r" else ""
        return f"SELECT {what} FROM {only}{qualified(self.table.name)} AS read"  # noqa: S608

    def _order(self) -> str:
        # With the table's name, for a bare one would mean the text in the list of what is selected.
        return ", ".join(f"read.{quoted(name)}" for name in self.key) or "read.ctid"

    def _conditions(self, part: Range) -> str:
        conditions = [f"({self.table.row_filter})"] if self.table.row_filter else []
        if self.where:
            # A comment at its end must not swallow what follows.
            conditions.append(f"({self.where}\n)")
        for sign, bound in ((">", part.after), ("<=", part.upto)):
            if bound is not None:
                values = ", ".join(literal(value) for value in bound)
                conditions.append(f"({self._order()}) {sign} ({values})")
        return " WHERE " + " AND ".join(conditions) if conditions else ""


def readable(catalog: Catalog, table: Published, hidden: Mask | None, where: str = "") -> Readable:
    """What there is to know about a table before it is read.

    Args:
        catalog: The source's catalogue.
        table: The table.
        hidden: What the field policy does to it.
        where: An operator's condition, as SQL.
    """
    key = key_of(catalog, table)
    if hidden is not None and hidden.hides(key):
        # Where a snapshot stands is stored as the last key's text, which must not leave.
        key = ()
    pages = 0 if key else int(catalog.value(_PAGES, table.relation.oid))
    dropped: frozenset[str] = frozenset()
    if hidden is not None:
        of_log = zip(table.columns, hidden.treatments, strict=True)
        dropped = frozenset(name for name, how in of_log if how == "drop")
    return Readable(table, key, where, dropped, pages)


def key_of(catalog: Catalog, table: Published) -> tuple[str, ...]:
    """The columns by which a table is read in ranges: primary key, else replica identity."""
    return tuple(row["attname"] for row in catalog.rows(_KEY, table.relation.oid))
