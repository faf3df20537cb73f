"""How every connection to the source is made: without holding up the process meanwhile."""

from __future__ import annotations

from typing import Any

import psycopg

from connectors.sources.postgres.database.failures import refused_connection
from connectors.sources.postgres.names import place_of, session_dsn


def connected(dsn: str, *, replication: bool = False) -> psycopg.Connection[Any]:
    """Connect.

    The client library's own call would hold the interpreter for as long as a server that is away
    takes to time out; probes and the broker's threads would stand still.

    Args:
        dsn: Connection string of the source.
        replication: For replication commands and the log.

    Raises:
        Misconfigured: The server refuses the connection, or the string makes no sense.
        Transient: The server is not reachable.
    """
    try:
        return psycopg.connect(session_dsn(dsn, replication=replication), autocommit=True)
    except psycopg.Error as error:
        raise refused_connection(place_of(dsn), str(error)) from error
