"""What a failure of the database means for a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.errors import LotgateError, Misconfigured, Transient

if TYPE_CHECKING:
    import psycopg

_RETRY_CLASSES = ("08", "53", "57", "40")
"""Connection, resources, operator intervention, rollback."""
_SLOT_IN_USE = "55006"
_ADVICE = {
    "28": "correct the connection string's user or password, or the server's pg_hba.conf",
    "3D": "correct the database name in the connection string",
    "42": "run the preflight of this source and do what it says",
    "55": "see the slot in pg_replication_slots; if it is lost, drop it, delete this source's "
    "stored position and take a new snapshot",
    "58": "the server no longer has the log that this source needs: drop the slot, delete this "
    "source's stored position and take a new snapshot",
}
_REFUSALS = (
    "password authentication failed",
    "no pg_hba.conf entry",
    "does not exist",
    "no password supplied",
    "must be superuser",
    "permission denied",
    "invalid connection option",
)
"""What the server says to a connection that will never work; a refusal carries no SQLSTATE."""

KEPT = "nothing behind the stored position was confirmed, the server keeps its log"


class Stopped(Transient):
    """The source was asked to stop while it waited."""

    code = "stopped"


def refused_connection(where: str, message: str) -> LotgateError:
    """Name a connection that could not be made.

    Args:
        where: Host, port and database, without secrets.
        message: What the client library says.
    """
    text = " ".join(message.split())
    if any(sign in text for sign in _REFUSALS):
        return Misconfigured(
            f"PostgreSQL at {where} refuses the connection: {text}",
            code="source_refused",
            kept=KEPT,
            advice="correct the connection string, the role or the server's pg_hba.conf",
        )
    return Transient(
        f"PostgreSQL at {where} is not reachable: {text}",
        code="source_unreachable",
        kept=KEPT,
        advice="start the server or correct the connection string",
    )


def judged(sqlstate: str | None, message: str, doing: str) -> LotgateError:
    """Name a failure of a command or of the stream.

    Args:
        sqlstate: The server's code, None when the connection broke.
        message: What the server says.
        doing: What was being done.
    """
    text = f"{doing} failed: {' '.join(message.split())}"
    if not sqlstate or sqlstate.startswith(_RETRY_CLASSES) or sqlstate == _SLOT_IN_USE:
        return Transient(text, code="source_unavailable", kept=KEPT)
    return Misconfigured(
        f"{text} (SQLSTATE {sqlstate})",
        code="source_failed",
        kept=KEPT,
        advice=_ADVICE.get(sqlstate[:2], "see the server's log"),
    )


def of_psycopg(error: psycopg.Error, doing: str) -> LotgateError:
    """Name an exception of the SQL connection."""
    return judged(error.sqlstate, str(error), doing)
