"""Checks of the publication."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.sources.postgres.checks.finding import Finding, error, warning
from connectors.sources.postgres.names import qualified, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connectors.sources.postgres.database.catalog import Catalog
    from connectors.sources.postgres.database.published import Published
    from connectors.sources.postgres.settings import PostgresSettings

EVENTS = "insert, update, delete, truncate"
_PUBLICATION = """
select pubinsert and pubupdate and pubdelete and pubtruncate as whole, puballtables, pubviaroot
from pg_publication where pubname = %s
"""
_UNPUBLISHABLE = """
select n.nspname || '.' || c.relname as name, c.relkind, c.relpersistence, c.relispartition
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where (n.nspname || '.' || c.relname = any(%s)
       or c.oid in (select (pg_partition_tree(t)).relid from unnest(%s::oid[]) t))
  and (c.relpersistence <> 'p' or c.relkind not in ('r', 'p'))
order by 1
"""
_WORDS = {"u": "unlogged", "t": "temporary"}
_KINDS = {"f": "a foreign table", "v": "a view", "m": "a materialised view", "S": "a sequence"}


def publication(
    catalog: Catalog, settings: PostgresSettings, tables: list[Published]
) -> list[Finding]:
    """Check that the publication is there, whole, and covers the tables that are needed."""
    name, wanted = settings.publication, required(settings)
    found = catalog.rows(_PUBLICATION, name)
    if not found:
        listed = _listed(wanted) or "<schema>.<table>, …"
        sql = (
            f"CREATE PUBLICATION {quoted(name)} FOR TABLE {listed} "
            "WITH (publish_via_partition_root = true);"
        )
        return [
            error("publication", name, f"Publication {name} does not exist", sql),
            *_unpublishable(catalog, wanted, []),
        ]
    row, findings = found[0], []
    if not row["whole"]:
        sql = f"ALTER PUBLICATION {quoted(name)} SET (publish = '{EVENTS}');"
        text = f"Publication {name} leaves out kinds of changes"
        findings.append(error("publication_events", name, text, sql))
    if row["puballtables"]:
        findings.append(_all_tables(name, tables))
    return [
        *findings,
        *_cover(settings, tables, wanted),
        *_partitions(name, tables, via_root=row["pubviaroot"]),
        *_unpublishable(catalog, wanted, tables),
    ]


def required(settings: PostgresSettings) -> list[str]:
    """Tables that must be published: those that are named anywhere in the source's settings."""
    selection = settings.selection
    return list(dict.fromkeys((*settings.tables, *selection.tables, *selection.keys)))


def _all_tables(name: str, tables: list[Published]) -> Finding:
    listed = _listed(table.name for table in tables)
    text = (
        f"Publication {name} is for all tables: whoever makes a table without a replica identity "
        "finds that its updates fail, and every new table is carried; name the tables"
    )
    sql = f"DROP PUBLICATION {quoted(name)}; CREATE PUBLICATION {quoted(name)} FOR TABLE {listed};"
    return warning("publication_all_tables", name, text, sql)


def _cover(settings: PostgresSettings, tables: list[Published], wanted: list[str]) -> list[Finding]:
    name = settings.publication
    there = {table.name for table in tables}
    lacking = [table for table in wanted if table not in there]
    if lacking:
        sql = f"ALTER PUBLICATION {quoted(name)} ADD TABLE {_listed(lacking)};"
        text = f"Publication {name} lacks {', '.join(lacking)}"
        return [error("publication_tables", name, text, sql)]
    if not tables:
        sql = f"ALTER PUBLICATION {quoted(name)} ADD TABLE <schema>.<table>;"
        return [error("publication_empty", name, f"Publication {name} has no table", sql)]
    return []


def _partitions(name: str, tables: list[Published], *, via_root: bool) -> list[Finding]:
    if via_root or not any(table.is_partition for table in tables):
        return []
    text = (
        f"Publication {name} publishes partitions one by one: each has its own topic and key, and "
        "a row that moves is a delete in one and an insert in another"
    )
    sql = f"ALTER PUBLICATION {quoted(name)} SET (publish_via_partition_root = true);"
    return [warning("publication_partitions", name, text, sql)]


def _unpublishable(catalog: Catalog, wanted: list[str], tables: list[Published]) -> list[Finding]:
    oids = [table.relation.oid for table in tables if table.kind == "p"]
    findings = []
    for row in catalog.rows(_UNPUBLISHABLE, wanted, oids):
        name = row["name"]
        if row["relpersistence"] == "u":
            text = f"{name} is unlogged: its changes are in no log"
            sql = f"ALTER TABLE {qualified(name)} SET LOGGED;"
        else:
            what = _KINDS.get(row["relkind"]) or _WORDS.get(row["relpersistence"], "no table")
            text = f"{name} is {what}: its changes are in no log of this server"
            sql = ""
        findings.append(error("table_unlogged", name, text, sql))
    return findings


def _listed(tables: Iterable[str]) -> str:
    return ", ".join(qualified(table) for table in tables)
