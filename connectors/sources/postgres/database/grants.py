"""The SQL of a role that may do what a source does, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.sources.postgres.checks.server import connections
from connectors.sources.postgres.names import qualified, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.sources.postgres.database.catalog import Catalog
    from connectors.sources.postgres.database.published import Published
    from connectors.sources.postgres.settings import PostgresSettings

COLUMN_LISTS_SINCE = 150_000
_GUARDED = """
select n.nspname || '.' || c.relname as name
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.oid = any(%s::oid[]) and c.relrowsecurity
"""
_THERE = "select puballtables from pg_publication where pubname = %s"


def grants(
    catalog: Catalog, settings: PostgresSettings, role: str, wanted: list[str]
) -> Iterator[str]:
    """Yield the lines of a script that makes a role, its rights, and a missing publication.

    Running it again changes nothing. The role gets no password.

    Args:
        catalog: The source's catalogue; nothing is written through it.
        settings: The source's settings.
        role: Name of the role.
        wanted: `schema.table` that the source shall carry; those of the publication if empty.

    Raises:
        Misconfigured: The catalogue cannot be read.
        Transient: The connection broke.
    """
    there = catalog.rows(_THERE, settings.publication)
    published = catalog.published(settings.publication)
    carried = {table.name for table in published}
    lacking = [table for table in catalog.named(wanted) if table.name not in carried]
    tables = [*published, *lacking]
    yield f"-- What source {settings.source} needs in database {catalog.database}, no more."
    yield "-- Run it as the database's administrator; then give the role a password: \\password"
    # A process that dies may hold its own for a while.
    yield from _role(role, catalog.database, 2 * connections(settings))
    guarded = catalog.rows(_GUARDED, [table.relation.oid for table in tables])
    if guarded:
        names = ", ".join(row["name"] for row in guarded)
        yield f"-- Row-level security of {names} would hide rows from a snapshot:"
        yield f"ALTER ROLE {quoted(role)} BYPASSRLS;"
    yield from _reading(settings, tables, role)
    if lacking or not there:
        yield from _publication(catalog, settings, lacking, is_there=bool(there))
    found = set(carried) | {table.name for table in lacking}
    for name in wanted:
        if name not in found:
            yield f"-- There is no table {name}."


def _role(role: str, database: str, limit: int) -> Iterator[str]:
    name, text = quoted(role), role.replace("'", "''")
    yield (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{text}') "
        f"THEN CREATE ROLE {name}; END IF; END $$;"
    )
    yield (
        f"ALTER ROLE {name} LOGIN REPLICATION NOSUPERUSER NOCREATEDB NOCREATEROLE "
        f"CONNECTION LIMIT {limit};"
    )
    yield "-- REPLICATION alone would also allow to copy the whole server. In pg_hba.conf, first:"
    yield f"--   host     replication  {name}  all  reject"
    yield f"--   hostssl  {quoted(database)}  {name}  <address of the source>  scram-sha-256"
    yield f"GRANT CONNECT ON DATABASE {quoted(database)} TO {name};"


def _reading(settings: PostgresSettings, tables: list[Published], role: str) -> Iterator[str]:
    """SELECT for snapshots: the whole table, or the columns if not all of them are carried."""
    for schema in sorted({table.relation.schema for table in tables}):
        yield f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {quoted(role)};"
    for table in tables:
        kept = _kept(settings, table)
        listed = ""
        if table.unpublished or len(kept) < len(table.columns):
            listed = f" ({', '.join(map(quoted, kept))})"
        yield f"GRANT SELECT{listed} ON {qualified(table.name)} TO {quoted(role)};"


def _publication(
    catalog: Catalog, settings: PostgresSettings, lacking: list[Published], *, is_there: bool
) -> Iterator[str]:
    entries = []
    for table in lacking:
        kept = _kept(settings, table)
        # What the policy drops need not leave the server at all, unless it identifies rows.
        narrow = len(kept) < len(table.columns) and table.identity <= set(kept)
        columns = f" ({', '.join(map(quoted, kept))})" if narrow else ""
        if catalog.version < COLUMN_LISTS_SINCE:
            columns = ""
        entries.append(f"{qualified(table.name)}{columns}")
    name = quoted(settings.publication)
    if is_there:
        yield f"ALTER PUBLICATION {name} ADD TABLE {', '.join(entries)};"
        return
    of = f" FOR TABLE {', '.join(entries)}" if entries else ""
    yield f"CREATE PUBLICATION {name}{of} WITH (publish_via_partition_root = true);"
    for table in lacking:
        if not table.identity:
            yield f"-- {table.name} has no replica identity: give it a primary key, or"
            yield f"ALTER TABLE {qualified(table.name)} REPLICA IDENTITY FULL;"


def _kept(settings: PostgresSettings, table: Published) -> list[str]:
    selection, relation = settings.selection, table.relation
    return [
        name
        for name in table.columns
        if selection.treatment(relation.schema, relation.table, name) != "drop"
    ]
