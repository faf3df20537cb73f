"""What a failure of the database means for a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.errors import LotgateError, Misconfigured, Transient

if TYPE_CHECKING:
    import psycopg

_RETRY_CLASSES = ("08", "53", "57", "40")
"""Connection, resources, operator intervention, rollback."""
_SLOT_IN_USE = "55006"
SLOT_IN_USE = "slot_in_use"
"""Code of the failure that lasts as long as someone else reads the slot."""
_ANEW = "drop the slot, `lotgate cdc forget` this source, and start it: it takes a new snapshot"
_ADVICE = {
    "28": "correct the connection string's user or password, or the server's pg_hba.conf",
    "3D": "correct the database name in the connection string",
    "42": "run the preflight of this source and do what it says",
    "55": f"see the slot in pg_replication_slots; if it is lost: {_ANEW}",
    "58": f"the server no longer has the log that this source needs: {_ANEW}",
}
_SLOT_SIGN = "replication slot"
_SLOT_CODES = {"42704": "slot_missing", "55000": "slot_lost"}
"""By SQLSTATE: what a refusal means that speaks of a slot."""
_LOG_REMOVED = "WAL segment"
_REFUSALS = (
    "password authentication failed",
    "authentication failed",
    "no pg_hba.conf entry",
    "pg_hba.conf rejects connection",
    "does not exist",
    "no password supplied",
    "must be superuser",
    "permission denied",
    "is not permitted to log in",
    "not currently accepting connections",
    "private key file",
    "certificate",
    "does not support SSL",
    "SSL support is not compiled in",
    "channel binding",
)
"""What a connection is told that will never work; a refusal carries no SQLSTATE."""
_TLS = "SSL error:"
_TLS_BROKEN = ("unexpected eof", "closed", "reset")
"""What breaks a handshake and passes; anything else about TLS is between the two certificates."""
_INVALID = ("invalid ", "missing ", "could not parse ", "weak sslmode", "unrecognized ")
"""How the client library begins what it says of a connection string that makes no sense."""
_OPTION = "for connection option"

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
    told = text.removeprefix("connection is bad: ").removeprefix("connection failed: ")
    if told.startswith(_INVALID) or _OPTION in told:
        return Misconfigured(
            f"The connection string of PostgreSQL at {where} is not valid: {told}",
            code="source_dsn",
            kept=KEPT,
            advice="correct the connection string",
        )
    if _TLS in text and not any(sign in text for sign in _TLS_BROKEN):
        return Misconfigured(
            f"TLS with PostgreSQL at {where} cannot be agreed on: {text}",
            code="source_refused",
            kept=KEPT,
            advice="see that the connection string's sslrootcert is the authority that signed the "
            "server's certificate, and that both sides allow one version of TLS",
        )
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
    if sqlstate == _SLOT_IN_USE:
        return Transient(text, code=SLOT_IN_USE, kept=KEPT)
    if not sqlstate or sqlstate.startswith(_RETRY_CLASSES):
        return Transient(text, code="source_unavailable", kept=KEPT)
    return Misconfigured(
        f"{text} (SQLSTATE {sqlstate})",
        code=_code(sqlstate, message),
        kept=KEPT,
        advice=_ADVICE.get(sqlstate[:2], "see the server's log"),
    )


def _code(sqlstate: str, message: str) -> str:
    if sqlstate.startswith("58") and _LOG_REMOVED in message:
        return "slot_lost"
    if _SLOT_SIGN in message:
        return _SLOT_CODES.get(sqlstate, "source_failed")
    return "source_failed"


def of_psycopg(error: psycopg.Error, doing: str) -> LotgateError:
    """Name an exception of the SQL connection."""
    return judged(error.sqlstate, str(error), doing)


def silent(where: str, seconds: float) -> Transient:
    """A server that says nothing any more counts as dead.

    Args:
        where: The server.
        seconds: How long it has said nothing, in s.
    """
    return Transient(
        f"{where} has been silent for {seconds:g} s",
        code="source_silent",
        kept=KEPT,
        advice="it goes on by itself once the server answers",
    )
