"""Partitioned tables above published partitions, which Debezium's snapshot reads as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.sources.postgres.database.catalog import Catalog
    from connectors.sources.postgres.database.published import Published

_PARENTS = """
with recursive above(oid) as (
    select i.inhparent from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where c.relispartition and i.inhrelid = any(%s::oid[])
    union
    select i.inhparent from pg_inherits i join above a on i.inhrelid = a.oid
)
select n.nspname as schema, c.relname as table
from above a join pg_class c on c.oid = a.oid join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'p'
"""


def with_parents(catalog: Catalog, published: list[Published]) -> list[Published]:
    """The tables and, in order of names, each partitioned table above one of them.

    Its rows are read a second time under its own name; in the log it never appears.

    Args:
        catalog: The source's catalogue.
        published: The published tables.
    """
    found = catalog.rows(_PARENTS, [each.relation.oid for each in published])
    known = {each.name for each in published}
    names = [f"{row['schema']}.{row['table']}" for row in found]
    more = catalog.named([name for name in names if name not in known])
    return sorted([*published, *more], key=lambda each: each.name)
