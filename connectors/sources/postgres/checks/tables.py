"""Checks of one published table: rights, identity, filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.sources.postgres.checks.finding import Finding, error, warning
from connectors.sources.postgres.names import qualified, quoted

if TYPE_CHECKING:
    from connectors.sources.postgres.database.published import Published
    from connectors.sources.postgres.settings import PostgresSettings


def table(settings: PostgresSettings, each: Published, role: str, index: str) -> list[Finding]:
    """Check a published table.

    Args:
        settings: The source's settings.
        each: The table.
        role: The source's role.
        index: A unique index that could be the replica identity; empty if there is none.
    """
    return [
        *_rights(settings, each, role),
        *_identity(settings, each, index),
        *_filters(settings, each),
    ]


def _rights(settings: PostgresSettings, each: Published, role: str) -> list[Finding]:
    found = []
    selection, relation = settings.selection, each.relation
    unreadable = [
        name
        for name in each.columns
        if name in each.unreadable
        and selection.treatment(relation.schema, relation.table, name) != "drop"
    ]
    if unreadable or not each.usable:
        narrow = len(unreadable) < len(each.columns) and unreadable
        columns = f" ({', '.join(map(quoted, unreadable))})" if narrow else ""
        sql = [] if each.usable else [f"GRANT USAGE ON SCHEMA {quoted(relation.schema)}"]
        sql += [f"GRANT SELECT{columns} ON {qualified(each.name)}"] if unreadable else []
        text = f"The snapshot may not read {each.name}" + (
            f" ({', '.join(unreadable)})" if narrow else ""
        )
        commands = " ".join(f"{command} TO {quoted(role)};" for command in sql)
        found.append(error("select", each.name, text, commands))
    if each.hidden:
        text = f"Row-level security hides rows of {each.name} from the snapshot"
        found.append(
            error("row_security", each.name, text, f"ALTER ROLE {quoted(role)} BYPASSRLS;")
        )
    return found


def _identity(settings: PostgresSettings, each: Published, index: str) -> list[Finding]:
    kind, name = each.relation.identity, qualified(each.name)
    ways = f"ALTER TABLE {name} REPLICA IDENTITY FULL;"
    if index:
        ways = f"ALTER TABLE {name} REPLICA IDENTITY USING INDEX {quoted(index)};"
    if not each.identity:
        reason = {
            "n": "has REPLICA IDENTITY NOTHING",
            "i": "has lost the index that was its replica identity",
        }.get(kind, "has no replica identity, because it has no primary key")
        if kind == "d" and each.has_key:
            reason = "has no replica identity, because its primary key is deferrable"
        if kind != "d" and each.has_key and each.key_at_once:
            ways = f"ALTER TABLE {name} REPLICA IDENTITY DEFAULT;"
        text = (
            f"{each.name} {reason}, so that updates and deletes of it fail while it is in "
            f"publication {settings.publication}; give it a primary key, or"
        )
        return [error("replica_identity", each.name, text, ways)]
    if kind == "i" and settings.compat == "debezium":
        text = (
            f"{each.name} has an index as its replica identity: with compat=debezium a delete "
            "carries a made-up primary key, as Debezium's does; leave compat away, or"
        )
        sql = f"ALTER TABLE {name} REPLICA IDENTITY {'DEFAULT' if each.has_key else 'FULL'};"
        return [warning("identity_index", each.name, text, sql)]
    if kind == "i" and each.has_key:
        text = (
            f"{each.name} has an index as its replica identity, so its records are keyed by "
            f"{', '.join(sorted(each.identity))} and not by its primary key; for the primary key"
        )
        sql = f"ALTER TABLE {name} REPLICA IDENTITY DEFAULT;"
        return [warning("identity_index", each.name, text, sql)]
    overridden = settings.selection.key(each.relation.schema, each.relation.table)
    if kind == "f" and not each.has_key and not overridden:
        text = (
            f"{each.name} has no primary key: its records have no key and so no order per row; "
            "name its key under `keys` in LOTGATE_SOURCE_SELECTION, or give it one"
        )
        return [warning("no_key", each.name, text)]
    return []


def _filters(settings: PostgresSettings, each: Published) -> list[Finding]:
    found = []
    publication, columns = quoted(settings.publication), set(each.columns)
    outside = sorted(each.filtering - each.identity)
    full = f"ALTER TABLE {qualified(each.name)} REPLICA IDENTITY FULL;"
    if outside:
        text = (
            f"The row filter of {each.name} looks at {', '.join(outside)}, outside of its replica "
            "identity, so that its updates and deletes fail"
        )
        found.append(error("row_filter", each.name, text, full))
    lacking = sorted(each.identity - columns)
    if lacking:
        text = (
            f"Publication {settings.publication} leaves {', '.join(lacking)} of {each.name} out, "
            "which its replica identity needs, so that its updates and deletes fail"
        )
        listed = ", ".join(map(quoted, [*each.columns, *lacking]))
        where = f" WHERE ({each.row_filter})" if each.row_filter else ""
        sql = (
            f"ALTER PUBLICATION {publication} DROP TABLE {qualified(each.name)}; ALTER PUBLICATION "
            f"{publication} ADD TABLE {qualified(each.name)} ({listed}){where};"
        )
        found.append(error("column_list", each.name, text, sql))
    return found
