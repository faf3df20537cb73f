"""PostgreSQL 18 from PyPI: one server with the databases of evidence, QMS and ERP."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from localstack.errors import PartDidNotStart, StackError
from localstack.host.ports import HOST
from localstack.host.processes import Command
from localstack.layout import LOCAL, secret, write_private
from localstack.parts import postgres
from localstack.parts.part import NotReady

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from localstack.host.ports import PortMemory
    from localstack.layout import Layout
    from localstack.progress import Report

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_replication_slots": "20",
    "max_wal_senders": "20",
    "max_connections": "100",
    "shared_buffers": "48MB",
    "max_wal_size": "256MB",
    # A reader that is gone must not fill the disk: its slot is given up instead, and says so.
    "max_slot_wal_keep_size": "1GB",
    "wal_keep_size": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
}

THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

INITDB = (
    *("-U", "postgres", "-A", "scram-sha-256", "--no-sync", "--no-instructions"),
    *("--locale=C.UTF-8", "-E", "UTF8"),
)

SLOT_SECONDS = 10.0

OWNERS = {"evidence": "lotgate_evidence", "qms": "qms_app", "plant": "tryton"}
"""Each database's owner. The owner of `plant` is the ERP itself."""

READERS = {"qms": "qms_cdc", "plant": "erp_cdc"}
"""Who streams a database's changes: may replicate, and select the published tables only."""


class Database:
    """The database server of the stack.

    Args:
        layout: Folders of the stack.
        ports: Ports of the stack.
        throw_away: For work whose result is dumped: it may be lost with the machine, and is fast.
    """

    name = "database"
    needs: tuple[str, ...] = ()
    ready_seconds = 60.0
    # SIGTERM waits for every client to leave; this one sends them away.
    stop_signal: int = signal.SIGINT
    stop_seconds = 20.0

    def __init__(self, layout: Layout, ports: PortMemory, *, throw_away: bool = False) -> None:
        self._settings = SETTINGS | (THROW_AWAY if throw_away else {})
        self._layout = layout
        self._ports = ports
        self._home = layout.data / "postgres"

    def prepare(self, report: Report) -> None:
        """Nothing is fetched: the server came with the Python packages."""
        del report

    def port_names(self) -> tuple[str, ...]:
        """Name the server's port."""
        return ("database",)

    def dsn(self, database: str, role: str) -> str:
        """Return a connection string whose password stands in a private file."""
        port = self._ports.port("database")
        return f"postgresql://{role}@{HOST}:{port}/{database}?passfile={self.passfile(role)}"

    def passfile(self, role: str) -> Path:
        """Return the role's password file, in libpq's form."""
        path = self._layout.secrets / f"{role}.pgpass"
        text = f"*:*:*:{role}:{secret(self._layout.secrets, role)}\n"
        if not path.exists():
            write_private(path, text)
        return path

    def command(self) -> Command:
        """Make the data folder if it is new, and return the start."""
        user = postgres.run_as()
        if not (self._home / "PG_VERSION").exists():
            self._initialise(user)
        postgres.clear_remnants(self._home)
        settings = self._settings | {"port": str(self._ports.port("database"))}
        flags = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return Command(
            postgres.argv_as(user, "postgres", "-D", str(self._home), *flags),
            env=self._environment(),
            folder=self._home,
        )

    def probe(self) -> None:
        """Connect as the administrator."""
        try:
            with psycopg.connect(self.dsn("postgres", "postgres"), connect_timeout=3) as server:
                server.execute("select 1")
        except psycopg.OperationalError as error:
            raise NotReady(str(error).strip()) from error

    def complete(self) -> None:
        """Create roles and databases that are missing, and fill the QMS when it is new."""
        with psycopg.connect(self.dsn("postgres", "postgres"), autocommit=True) as server:
            for database, owner in OWNERS.items():
                self._role(server, owner, "")
                self._database(server, database, owner)
            for database, reader in READERS.items():
                self._role(server, reader, "replication")
                _grant_connect(server, database, reader)
        with psycopg.connect(self.dsn("qms", "qms_app")) as qms:
            known = qms.execute("select to_regclass('mgmtsystem_nonconformity')").fetchone()
            if known == (None,):
                run_scripts(qms, sorted((LOCAL / "qms").glob("*.sql")))

    def remake(self, database: str) -> None:
        """Drop a database with its slots and sessions, and create it empty."""
        with psycopg.connect(self.dsn("postgres", "postgres"), autocommit=True) as server:
            _drop_slots(server, database)
            name = sql.Identifier(database)
            server.execute(sql.SQL("drop database if exists {} with (force)").format(name))
            self._database(server, database, OWNERS[database])
            if database in READERS:
                _grant_connect(server, database, READERS[database])

    def _initialise(self, user: tuple[int, int] | None) -> None:
        shutil.rmtree(self._home, ignore_errors=True)
        self._home.mkdir(parents=True)
        password = self._home.with_name("initial-password")
        write_private(password, secret(self._layout.secrets, "postgres"))
        if user is not None:
            os.chown(self._home, *user)
            os.chown(password, *user)
        place = ("-D", str(self._home), f"--pwfile={password}")
        try:
            ended = subprocess.run(
                postgres.argv_as(user, "initdb", *place, *INITDB),
                env=self._environment(),
                cwd=self._home,
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            password.unlink(missing_ok=True)
        if ended.returncode:
            shutil.rmtree(self._home, ignore_errors=True)
            raise PartDidNotStart(
                f"The database could not be created in {self._home}; nothing was kept. "
                f"initdb says: {ended.stderr.strip()[-800:]}"
            )

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def _role(self, server: psycopg.Connection, role: str, rights: str) -> None:
        found = server.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone()
        verb = "alter" if found else "create"
        server.execute(
            sql.SQL("{} role {} login {} password {}").format(
                sql.SQL(verb),
                sql.Identifier(role),
                sql.SQL(rights),
                sql.Literal(secret(self._layout.secrets, role)),
            )
        )
        self.passfile(role)

    def _database(self, server: psycopg.Connection, database: str, owner: str) -> None:
        found = server.execute("select 1 from pg_database where datname = %s", (database,))
        if found.fetchone() is None:
            name, holder = sql.Identifier(database), sql.Identifier(owner)
            server.execute(sql.SQL("create database {} owner {}").format(name, holder))
            server.execute(sql.SQL("revoke connect on database {} from public").format(name))
        if database == "plant":
            # Without it a locked row makes the ERP's API wait without limit.
            server.execute("alter database plant set lock_timeout = '5s'")


def _drop_slots(server: psycopg.Connection, database: str) -> None:
    """Drop a database's replication slots; their readers are sent away first."""
    deadline = time.monotonic() + SLOT_SECONDS
    active = "select active_pid from pg_replication_slots where database = %s and active"
    while readers := server.execute(active, (database,)).fetchall():
        if time.monotonic() > deadline:
            raise StackError(
                f"A reader of changes keeps returning to database {database}, which is to be made "
                "anew; nothing was removed. End `lotgate connect` processes first"
            )
        for (pid,) in readers:
            server.execute("select pg_terminate_backend(%s)", (pid,))
        time.sleep(0.05)
    server.execute(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = %s",
        (database,),
    )


def _grant_connect(server: psycopg.Connection, database: str, role: str) -> None:
    statement = sql.SQL("grant connect on database {} to {}")
    server.execute(statement.format(sql.Identifier(database), sql.Identifier(role)))


def run_scripts(connection: psycopg.Connection, scripts: Iterable[Path]) -> None:
    """Run SQL files in one transaction, all or none."""
    with connection.transaction():
        for script in scripts:
            connection.execute(script.read_bytes())
