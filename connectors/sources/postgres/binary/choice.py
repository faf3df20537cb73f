"""Whether a source's log is read in binary form."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from connectors.sources.postgres.binary.texts import unknown_columns

if TYPE_CHECKING:
    from connectors.sources.postgres.database.catalog import Catalog
    from connectors.sources.postgres.settings import PostgresSettings

BINARY_SINCE: Final = 140_000
"""The first version whose log can be read in binary form, as the server counts versions."""
_log = logging.getLogger(__name__)


def streams_binary(settings: PostgresSettings, catalog: Catalog) -> bool:
    """Choose the form of a session's log.

    Text is read where each cell's text is needed anyway (a translator reads it), where a mode
    changes how values travel, and where a published column's binary form is not known: a value
    of it that comes up later, by a change of the table, is then rendered by the server.
    """
    if settings.translator or settings.text_only or catalog.version < BINARY_SINCE:
        return False
    types = catalog.types()
    for table in catalog.published(settings.publication):
        unknown = unknown_columns(table.relation, types)
        if unknown:
            _log.warning(
                "source %s reads values as text, which costs about three times as much: the "
                "binary form of %s.%s is not known",
                settings.source,
                table.name,
                unknown[0],
            )
            return False
    return True
