"""Names and connection strings in PostgreSQL's own forms."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from streams.errors import Misconfigured

SESSION = " ".join(
    f"-c {setting}"
    for setting in (
        "datestyle=ISO",
        "intervalstyle=postgres",
        "timezone=UTC",
        "extra_float_digits=3",
        "bytea_output=hex",
        # A long snapshot is no runaway query.
        "statement_timeout=0",
        "idle_in_transaction_session_timeout=0",
    )
)
"""The text forms that `values` reads, whatever the server's defaults are."""


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def qualified(table: str) -> str:
    """An SQL name from `schema.table`."""
    schema, _, name = table.partition(".")
    return f"{quoted(schema)}.{quoted(name)}"


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


def secrets_of(dsn: str) -> tuple[str, ...]:
    """What of a connection string must never be shown: all of it, and its password by itself."""
    password = str(conninfo_to_dict(dsn).get("password") or "")
    return (dsn, password, quote(password, safe=""))


def place_of(dsn: str) -> str:
    """Host, port and database of a connection string, for messages."""
    parts = parts_of(dsn)
    return f"{parts.get('host', 'local')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"


def session_dsn(dsn: str, *, replication: bool = False) -> str:
    """A connection string with the session's text forms set."""
    more = {"replication": "database"} if replication else {}
    return make_conninfo(
        dsn,
        options=SESSION,
        client_encoding="UTF8",
        connect_timeout=10,
        keepalives_idle=20,
        application_name="lotgate",
        **more,
    )
