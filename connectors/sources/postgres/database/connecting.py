"""How connections to the source are made, and how long an answer on one may take.

A dead host is found by TCP. Something in between that keeps answering for it (a proxy, a load
balancer), or a server process that was stopped, is not: the client library waits for its answer
for ever, and a source with it.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg

from connectors.sources.postgres.database.failures import refused_connection, silent
from connectors.sources.postgres.names import place_of, session_dsn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg.pq.abc import PGconn

LEAST_S: Final = 10.0
"""A busy server may take so long for a question to its catalogue."""
UNKNOWN_S: Final = 120.0
"""Before the server was asked how soon it wants to hear of its peers."""
PATIENT_S: Final = 3600.0
"""For statements that read or sort tables."""


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


@contextmanager
def bounded(connection: PGconn, limit_s: float, where: str) -> Iterator[None]:
    """Break the connection if what is done inside takes longer than a limit.

    Args:
        connection: The connection; only the calling thread uses it.
        limit_s: Longest time without an answer, in s.
        where: The server, for the message.

    Raises:
        Transient: It took longer; the connection is of no more use.
    """
    lock, state = threading.Lock(), {"inside": True, "broken": False}

    def cut() -> None:
        with lock:
            # Later the descriptor may be another connection's.
            if state["inside"]:
                state["broken"] = True
                with socket.socket(fileno=os.dup(connection.socket)) as line:
                    line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(limit_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except psycopg.Error as error:
        if not state["broken"]:
            raise
        raise silent(where, limit_s) from error
    finally:
        with lock:
            state["inside"] = False
        timer.cancel()
    # The library's lower calls give a failed result instead.
    if state["broken"]:
        raise silent(where, limit_s)
