"""PostgreSQL connection strings, taken apart without ever showing one."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from streams.errors import Misconfigured


def parts_of(dsn: str, setting: str = "LOTGATE_SOURCE_DSN") -> dict[str, Any]:
    """The parts of a connection string.

    Args:
        dsn: Connection string; no text of it is in an error.
        setting: The variable it was given by, for the error.

    Raises:
        Misconfigured: It is no connection string, or its password was taken for something else.
    """
    # Raised outside of the handler: the driver's own error quotes the string.
    with suppress(psycopg.Error, ValueError):
        parts = conninfo_to_dict(dsn)
        if parts and not _misread(dsn, parts):
            return parts
    raise Misconfigured(
        f"{setting} is no PostgreSQL connection string",
        code="bad_setting",
        kept="nothing was opened",
        advice="write it as postgresql://user:password@host:port/database, with special "
        "characters of the password percent-encoded, or as key=value pairs",
    )


def _misread(dsn: str, parts: dict[str, Any]) -> bool:
    """Whether a port is no number, or a password's bare `@` or `/` ended up in host or database."""
    ports = str(parts.get("port") or "").split(",")
    places = f"{parts.get('host', '')}{parts.get('dbname', '')}"
    return not all(port.isdigit() for port in ports if port) or ("://" in dsn and "@" in places)
