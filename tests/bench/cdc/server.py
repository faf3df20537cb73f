"""The database server of the bench: the local stack's, with room for the log of the whole run."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psycopg
from localstack.host.ports import PortMemory
from localstack.host.processes import Process
from localstack.host.waiting import until_ready
from localstack.layout import secret
from localstack.parts.database import Database
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.bench.cdc import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack.layout import Layout

SETTINGS: Final = {
    # Every reader drains the same log: it must stay until the last one has.
    "max_slot_wal_keep_size": "-1",
    "max_replication_slots": "60",
    "shared_buffers": "256MB",
    "max_wal_size": "8GB",
    # No checkpoint and no cleaning beside a measurement.
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
}
ROLE: Final = "postgres"


class OwnDatabase(Database):
    """The server without the plant's roles and databases."""

    def __init__(self, layout: Layout, ports: PortMemory) -> None:
        super().__init__(layout, ports)
        self._settings = self._settings | SETTINGS

    def complete(self) -> None:
        """Nothing is left to do."""


@dataclass(frozen=True)
class Server:
    """The running server.

    Attributes:
        dsn: Connection string of its administrator; the password stands in a file.
        password: The password itself, for programs that cannot read that file.
        pid: Its first process, for the CPU seconds of all of them.
    """

    dsn: str
    password: str
    pid: int

    def database(self, name: str) -> str:
        """Make a database with the empty table of the bench; return its connection string."""
        with self.connect(self.dsn) as server:
            server.execute(f"create database {name}".encode())
        made = make_conninfo(self.dsn, dbname=name)
        with self.connect(made) as server:
            table.make(server)
        return made

    def connect(self, dsn: str) -> psycopg.Connection:
        """A session that commits each statement."""
        return psycopg.connect(dsn, autocommit=True)

    def slot(self, dsn: str, name: str) -> None:
        """Make a slot at the end of the log."""
        with self.connect(dsn) as server:
            server.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", (name,))

    def copied(self, dsn: str, source: str, name: str) -> None:
        """Make a slot that stands where another one of the same database stands."""
        with self.connect(dsn) as server:
            server.execute("select pg_copy_logical_replication_slot(%s, %s)", (source, name))

    def drop(self, name: str) -> None:
        """Drop a slot that nobody reads any more, if it is there."""
        with self.connect(self.dsn) as server:
            server.execute(
                "select pg_terminate_backend(active_pid, 5000) from pg_replication_slots "
                "where slot_name = %s and active_pid is not null",
                (name,),
            )
            server.execute(
                "select pg_drop_replication_slot(slot_name) from pg_replication_slots "
                "where slot_name = %s",
                (name,),
            )

    def end(self) -> str:
        """The end of the log, in its text form."""
        with self.connect(self.dsn) as server:
            (found,) = server.execute("select pg_current_wal_lsn()::text").fetchone() or ("",)
        return str(found)


@contextmanager
def lent_server(layout: Layout) -> Iterator[Server]:
    """Start the server in a stack's folder; end it, however the block ends."""
    layout.make()
    ports = PortMemory(layout.ports)
    part = OwnDatabase(layout, ports)
    process = Process("bench-database", layout.run / "bench-database.json", layout.logs / "db.log")
    process.start(part.command())
    try:
        until_ready(process, part.probe, part.ready_seconds)
        found = process.identity()
        if found is None:
            raise RuntimeError("the database server does not run")
        yield Server(part.dsn("postgres", ROLE), secret(layout.secrets, ROLE), found.pid)
    finally:
        process.stop(part.stop_signal, part.stop_seconds)


def place(dsn: str) -> dict[str, str]:
    """The parts of a connection string."""
    return {key: str(value) for key, value in conninfo_to_dict(dsn).items()}
