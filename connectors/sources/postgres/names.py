"""Names and connection strings in PostgreSQL's own forms."""

from __future__ import annotations

from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from streams.runtime.connection_string import parts_of

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
