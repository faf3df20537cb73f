"""The tables of a publication as the server's catalogue describes them, with their filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.sources.postgres.log.pgoutput import Relation, RelationColumn
from connectors.sources.postgres.names import qualified, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

SENDER_MS = "select setting::bigint from pg_settings where name = 'wal_sender_timeout'"
TYPES = """
select t.oid, t.typname, t.typtype, t.typbasetype, t.typtypmod, t.typdelim,
       case when t.typcategory = 'A' then t.typelem else 0 end as element,
       coalesce((select array_agg(e.enumlabel order by e.enumsortorder)
                 from pg_enum e where e.enumtypid = t.oid), '{}') as labels,
       coalesce((select r.rngsubtype from pg_range r where r.rngtypid = t.oid
                 or (to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid), 0) as subtype,
       case when t.typtype = 'c' then
           coalesce((select array_agg(a.atttypid order by a.attnum) from pg_attribute a
                     where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped), '{}')
           else '{}' end as fields,
       case when t.oid >= 16384 then
           coalesce((select p.prosrc from pg_proc p where p.oid = t.typsend), '')
           else '' end as send
from pg_type t
where t.typtype in ('e', 'd', 'c', 'r', 'm') or t.typcategory = 'A' or t.oid >= 16384
"""

TABLES = """
select p.schemaname, p.tablename, c.oid, c.relreplident, c.relkind, c.relispartition,
       to_jsonb(p) -> 'attnames' as names, to_jsonb(p) ->> 'rowfilter' as row_filter,
       has_schema_privilege(n.oid, 'usage') as usable,
       row_security_active(c.oid) as hidden,
       (select coalesce(array_agg(m[1]::int), '{}')
          from pg_publication_rel r, pg_publication u,
               regexp_matches(coalesce(to_jsonb(r) ->> 'prqual', ''), 'varattno ([0-9]+)', 'g') m
         where r.prpubid = u.oid and u.pubname = p.pubname and r.prrelid = c.oid) as filtering
from pg_publication_tables p
join pg_namespace n on n.nspname = p.schemaname
join pg_class c on c.relnamespace = n.oid and c.relname = p.tablename
where p.pubname = %s
order by 1, 2
"""
NAMED = """
select n.nspname as schemaname, c.relname as tablename, c.oid, c.relreplident, c.relkind,
       c.relispartition, null as names, null as row_filter,
       has_schema_privilege(n.oid, 'usage') as usable, row_security_active(c.oid) as hidden,
       '{}'::int[] as filtering
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname || '.' || c.relname = any(%s) and c.relkind in ('r', 'p')
order by 1, 2
"""
COLUMNS = """
select a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull,
       a.attgenerated <> '' as generated,
       coalesce(a.attnum = any(k.indkey), false) as in_key,
       coalesce(k.indimmediate, false) as at_once,
       coalesce(a.attnum = any(r.indkey), false) as in_index,
       has_column_privilege(a.attrelid, a.attnum, 'select') as readable
from pg_attribute a
left join pg_index k on k.indrelid = a.attrelid and k.indisprimary
left join pg_index r on r.indrelid = a.attrelid and r.indisreplident
where a.attrelid = any(%s::oid[]) and a.attnum > 0 and not a.attisdropped
order by a.attrelid, a.attnum
"""
FACTS = """
select a.attname, a.attnotnull, array_position(i.indkey::int2[], a.attnum) as place,
       case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end as default_sql
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_index i on i.indrelid = c.oid and i.indisprimary
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
where n.nspname = %s and c.relname = %s
"""
CANDIDATES = """
select i.indrelid as table, min(x.relname) as index
from pg_index i join pg_class x on x.oid = i.indexrelid
where i.indrelid = any(%s::oid[]) and i.indisunique and i.indimmediate and i.indisvalid
  and i.indpred is null and i.indexprs is null
  and not exists (select from pg_attribute a where a.attrelid = i.indrelid
                  and a.attnum = any(i.indkey) and not a.attnotnull)
group by 1
"""
GENERATED_SINCE = 180_000
"""The first version that publishes generated columns, where the publication asks for it."""


@dataclass(frozen=True, slots=True)
class Published:
    """A published table.

    Attributes:
        relation: Its shape, as the log would describe it.
        kind: `r` table, `p` partitioned table.
        has_key: It has a primary key.
        key_at_once: That key is checked at once; a deferrable one is no replica identity.
        readable: The source's role may select every published column.
        usable: The role may use the table's schema.
        hidden: Row-level security hides rows from that role.
        row_filter: The publication's row filter as SQL, or empty.
        filtering: Columns that the row filter looks at.
        identity: Columns of the replica identity, published or not.
        not_null: Columns that are declared not null.
        unreadable: Published columns that the role may not select.
        is_partition: It is a partition that is published by itself.
        unpublished: Columns of the table that are not published.
    """

    relation: Relation
    kind: str
    has_key: bool
    readable: bool
    hidden: bool
    row_filter: str
    key_at_once: bool = True
    usable: bool = True
    filtering: frozenset[str] = frozenset()
    identity: frozenset[str] = frozenset()
    not_null: frozenset[str] = frozenset()
    unreadable: frozenset[str] = frozenset()
    is_partition: bool = False
    unpublished: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """`schema.table`."""
        return f"{self.relation.schema}.{self.relation.table}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The published columns, in the log's order."""
        return tuple(column.name for column in self.relation.columns)

    def query(self, dropped: Collection[str] = (), where: str = "") -> str:
        """The query that reads what the publication lets through, in the log's column order.

        Args:
            dropped: Columns that the field policy drops: never read, null in their place, so that
                no right on them is needed.
            where: A further condition as SQL.
        """
        wanted = ", ".join("NULL" if name in dropped else quoted(name) for name in self.columns)
        # A parent of inherited tables is published for itself alone, a partitioned one as a whole.
        only = "ONLY " if self.kind == "r" else ""
        conditions = " AND ".join(f"({each})" for each in (self.row_filter, where) if each)
        tail = f" WHERE {conditions}" if conditions else ""
        return f"SELECT {wanted} FROM {only}{qualified(self.name)}{tail}"  # noqa: S608 - quoted


def published_tables(
    tables: Iterable[Mapping[str, Any]], columns: Iterable[Mapping[str, Any]], version: int
) -> list[Published]:
    """Put the tables of a publication together.

    Args:
        tables: Rows of `TABLES`.
        columns: Rows of `COLUMNS` for these tables.
        version: The server's version number.
    """
    found: dict[int, list[Mapping[str, Any]]] = {}
    for column in columns:
        found.setdefault(column["attrelid"], []).append(column)
    return [_published(table, found.get(table["oid"], []), version) for table in tables]


def _published(row: Mapping[str, Any], columns: list[Mapping[str, Any]], version: int) -> Published:
    kind_of_identity = row["relreplident"]
    wanted = None if row["names"] is None else set(row["names"])
    may_generate = wanted is not None and version >= GENERATED_SINCE
    identity = {
        column["attname"]
        for column in columns
        if (kind_of_identity == "f" and not column["generated"])
        or (kind_of_identity == "d" and column["in_key"] and column["at_once"])
        or (kind_of_identity == "i" and column["in_index"])
    }
    shown = [
        column
        for column in columns
        if (wanted is None or column["attname"] in wanted)
        and (may_generate or not column["generated"])
    ]
    unreadable = frozenset(column["attname"] for column in shown if not column["readable"])
    shape = tuple(
        RelationColumn(
            column["attname"],
            column["atttypid"],
            column["atttypmod"],
            flagged=column["attname"] in identity,
        )
        for column in shown
    )
    return Published(
        Relation(row["oid"], row["schemaname"], row["tablename"], kind_of_identity, shape),
        kind=row["relkind"],
        has_key=any(column["in_key"] for column in columns),
        readable=row["usable"] and not unreadable,
        hidden=row["hidden"],
        row_filter=row["row_filter"] or "",
        key_at_once=all(column["at_once"] for column in columns if column["in_key"]),
        usable=row["usable"],
        filtering=frozenset(
            column["attname"] for column in columns if column["attnum"] in row["filtering"]
        ),
        identity=frozenset(identity),
        not_null=frozenset(column["attname"] for column in columns if column["attnotnull"]),
        unreadable=unreadable,
        is_partition=row["relispartition"],
        unpublished=frozenset(column["attname"] for column in columns if column not in shown),
    )
