"""What must hold before a source is read: all in one list, each with the SQL that mends it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from connectors.sources.postgres.checks import publication, selection, server
from connectors.sources.postgres.checks.tables import table
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from connectors.sources.postgres.checks.finding import Finding
    from connectors.sources.postgres.database.catalog import Catalog
    from connectors.sources.postgres.database.published import Published
    from connectors.sources.postgres.settings import PostgresSettings

_log = logging.getLogger(__name__)


def check(catalog: Catalog, settings: PostgresSettings) -> list[Published]:
    """Check server, role, publication, tables and selection.

    Warnings are logged once per connection. The slot is checked against the stored position, which
    tells more than the slot alone: see `invariant`.

    Returns:
        The published tables.

    Raises:
        Misconfigured: One message that names everything that is missing, with its SQL.
    """
    tables, found = findings(catalog, settings)
    errors = [each.sentence() for each in found if each.severity == "error"]
    if errors:
        raise Misconfigured(
            f"Source {settings.source} cannot start: " + " ".join(errors),
            code="source_preflight",
            kept="nothing was read or confirmed",
            advice="have the database's administrator run the SQL above, then start again; "
            f"`lotgate cdc preflight {settings.source}-cdc` shows the list",
        )
    for each in found:
        if each not in catalog.told:
            catalog.told.add(each)
            _log.warning("source %s: %s", settings.source, each.sentence())
    return tables


def everything(catalog: Catalog, settings: PostgresSettings) -> list[Finding]:
    """Everything that is wrong or may become so, the slot included; errors first.

    Raises:
        Misconfigured: The catalogue cannot be read.
        Transient: The connection broke.
    """
    _, found = findings(catalog, settings)
    return sorted([*found, *server.slot(catalog, settings)], key=lambda each: each.severity)


def findings(catalog: Catalog, settings: PostgresSettings) -> tuple[list[Published], list[Finding]]:
    """The published tables, and what is wrong or may become so but for the slot; errors first.

    Raises:
        Misconfigured: The catalogue cannot be read.
        Transient: The connection broke.
    """
    tables = catalog.published(settings.publication)
    types, indexes = catalog.types(), catalog.candidates(tables)
    who = str(catalog.value("select current_user"))
    found = [
        *server.server(catalog, settings),
        *server.role(catalog, settings),
        *publication.publication(catalog, settings, tables),
    ]
    for each in tables:
        found += table(settings, each, who, indexes.get(each.relation.oid, ""))
    found += selection.keys(settings, tables)
    found += selection.policy(settings, tables, types)
    found += selection.names(settings, tables)
    found += selection.unknown_types(tables, types)
    return tables, sorted(found, key=lambda each: each.severity)
