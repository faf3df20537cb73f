"""What must hold before a source is read; each missing thing with the SQL that provides it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.sources.postgres.names import qualified, quoted
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from connectors.sources.postgres.database.catalog import Catalog, Published
    from connectors.sources.postgres.settings import PostgresSettings


OLDEST = 140_000
"""The oldest server that this source is written for, as the server counts versions."""
_EVENTS = """
select pubinsert and pubupdate and pubdelete and pubtruncate as whole
from pg_publication where pubname = %s
"""
EVENTS = "insert, update, delete, truncate"


def check(catalog: Catalog, settings: PostgresSettings) -> list[Published]:
    """Check server, role, publication and tables.

    Returns:
        The published tables.

    Raises:
        Misconfigured: One message that names everything that is missing, with its SQL.
    """
    missing = _server(catalog, settings)
    tables = catalog.published(settings.publication)
    unpublished = _publication(catalog, settings, tables)
    missing += [unpublished] if unpublished else []
    missing += [sentence for table in tables for sentence in _table(catalog, settings, table)]
    if missing:
        raise Misconfigured(
            f"Source {settings.source} cannot start: " + " ".join(missing),
            code="source_preflight",
            kept="nothing was read or confirmed",
            advice="have the database's administrator run the SQL above, then start again",
        )
    return tables


def _server(catalog: Catalog, settings: PostgresSettings) -> list[str]:
    missing = []
    if catalog.version < OLDEST:
        missing.append(f"The server is older than PostgreSQL {OLDEST // 10_000}: upgrade it.")
    level = catalog.value("select current_setting('wal_level')")
    if level != "logical":
        missing.append(
            f"The server's wal_level is {level}, not logical: "
            "ALTER SYSTEM SET wal_level = 'logical'; and restart the server."
        )
    role = catalog.rows(
        "select rolname, rolreplication or rolsuper as may from pg_roles "
        "where rolname = current_user"
    )[0]
    if not role["may"]:
        missing.append(
            f"Role {role['rolname']} may not replicate: "
            f"ALTER ROLE {quoted(role['rolname'])} REPLICATION;"
        )
    if catalog.slot(settings.slot) is None:
        missing += _room_for_slot(catalog)
    return missing


def _room_for_slot(catalog: Catalog) -> list[str]:
    room = catalog.rows(
        "select count(*) as used, current_setting('max_replication_slots')::int as most "
        "from pg_replication_slots"
    )[0]
    if room["used"] < room["most"]:
        return []
    sentence = (
        f"All {room['most']} replication slots are taken: drop an unused one, see "
        f"pg_replication_slots, or ALTER SYSTEM SET max_replication_slots = {room['most'] + 5}; "
        "and restart the server."
    )
    return [sentence]


def _publication(catalog: Catalog, settings: PostgresSettings, tables: list[Published]) -> str:
    name = quoted(settings.publication)
    there = {table.name for table in tables}
    wanted = [table for table in settings.tables if table not in there]
    found = catalog.rows(_EVENTS, settings.publication)
    if not found:
        listed = ", ".join(qualified(table) for table in settings.tables) or "<schema>.<table>, …"
        return (
            f"Publication {settings.publication} does not exist: "
            f"CREATE PUBLICATION {name} FOR TABLE {listed};"
        )
    if not found[0]["whole"]:
        return (
            f"Publication {settings.publication} leaves out kinds of changes: "
            f"ALTER PUBLICATION {name} SET (publish = '{EVENTS}');"
        )
    if wanted:
        listed = ", ".join(qualified(table) for table in wanted)
        return (
            f"Publication {settings.publication} lacks {', '.join(wanted)}: "
            f"ALTER PUBLICATION {name} ADD TABLE {listed};"
        )
    if not tables:
        return (
            f"Publication {settings.publication} has no table: "
            f"ALTER PUBLICATION {name} ADD TABLE <schema>.<table>;"
        )
    return ""


def _table(catalog: Catalog, settings: PostgresSettings, table: Published) -> list[str]:
    missing = []
    name = qualified(table.name)
    if not table.readable:
        role = quoted(catalog.value("select current_user"))
        missing.append(
            f"The snapshot may not read {table.name}: "
            f"GRANT USAGE ON SCHEMA {quoted(table.relation.schema)} TO {role}; "
            f"GRANT SELECT ON {name} TO {role};"
        )
    if table.hidden:
        role = catalog.value("select current_user")
        missing.append(
            f"Row-level security hides rows of {table.name} from the snapshot: "
            f"ALTER ROLE {quoted(role)} BYPASSRLS;"
        )
    identity = table.relation.identity
    if identity == "n" or (identity == "d" and not table.has_key):
        missing.append(
            f"{table.name} has no replica identity, so that updates of it fail while it is in "
            f"publication {settings.publication}: give it a primary key, or "
            f"ALTER TABLE {name} REPLICA IDENTITY FULL;"
        )
    return missing
