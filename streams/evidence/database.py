"""How a process reaches the evidence database, and what its errors mean."""

from __future__ import annotations

from typing import Any

import psycopg

from streams.errors import Misconfigured, Transient

CONNECT_SECONDS = 10
"""How long one attempt to connect may take."""


def connected(dsn: str, name: str) -> psycopg.Connection[Any]:
    """Connect to the evidence database.

    Args:
        dsn: Connection string; never logged.
        name: Shown by the server as the client's name.

    Raises:
        Transient: The database cannot be reached.
        Misconfigured: It refuses the role, or the string is wrong.
    """
    try:
        return psycopg.connect(
            dsn, autocommit=True, connect_timeout=CONNECT_SECONDS, application_name=name
        )
    except psycopg.ProgrammingError as error:
        raise Misconfigured(
            "LOTGATE_EVIDENCE_DSN is no PostgreSQL connection string",
            code="bad_setting",
            advice="write it as postgresql://user@host:port/database",
        ) from error
    except psycopg.Error as error:
        raise judged(error) from error


_RIGHTS = ("42501", "28000", "28P01", "3D000", "3F000")
"""SQL states that a person must put right: privileges, login, no such database or schema."""


def judged(error: psycopg.Error) -> Transient | Misconfigured:
    """Judge what the database said: come back later, or a person must act."""
    told = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if error.sqlstate in _RIGHTS or "authentication failed" in told:
        return Misconfigured(
            f"the evidence database refuses this role: {told}",
            code="database_refused",
            kept="all records stay in their topics",
            advice="correct LOTGATE_EVIDENCE_DSN, or let the role own the database",
        )
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Transient(
            f"the evidence database cannot be used now: {told}",
            code="database_unreachable",
            kept="all records stay in their topics; nothing is stored in part",
        )
    return Misconfigured(
        f"the evidence database does not fit this build: {told}",
        code="database_mismatch",
        kept="all records stay in their topics",
        advice="check that nobody changed the schema `evidence`; it can be dropped and refilled",
    )
