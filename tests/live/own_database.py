"""Database servers of one test's own: with settings of their own, and with a standby."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from localstack import Stack
from localstack.host.ports import HOST, PortMemory
from localstack.host.processes import Command, Process
from localstack.host.waiting import until_ready
from localstack.layout import secret
from localstack.parts import postgres
from localstack.parts.part import NotReady

from tests.parts import temporary_stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

READY_S = 60.0
STANDBY = "standby"


@dataclass
class Servers:
    """A primary, and standbys made from it.

    Attributes:
        stack: Its folders; none of its other parts run.
    """

    stack: Stack
    processes: dict[str, Process] = field(default_factory=dict)
    usual: tuple[str, ...] = ()
    """The settings that every server of a stack has, as its command line has them."""

    @property
    def password(self) -> str:
        return secret(self.stack.layout.secrets, "postgres")

    def port(self, name: str) -> int:
        return PortMemory(self.stack.layout.ports).port(name)

    def dsn(self, *names: str, database: str = "postgres") -> str:
        """A connection string of the administrator; of several servers, to the one that writes."""
        hosts = ",".join(HOST for _ in names)
        ports = ",".join(str(self.port(name)) for name in names)
        text = (
            f"host={hosts} port={ports} user=postgres dbname={database} "
            f"passfile={self.stack.database.passfile('postgres')}"
        )
        return text if len(names) == 1 else f"{text} target_session_attrs=read-write"

    def start_primary(self, settings: Mapping[str, str]) -> None:
        command = self.stack.database.command()
        self.usual = tuple(command.argv[command.argv.index("-c") :])
        self._start("database", [*command.argv, *_flags(settings)], Path(str(command.folder)))

    def start_standby(self, settings: Mapping[str, str]) -> None:
        """Copy the primary and follow it through a physical slot of the standby's name."""
        home = self.stack.layout.data / STANDBY
        user = postgres.run_as()
        home.mkdir(mode=0o700, parents=True)
        if user is not None:
            os.chown(home, *user)
        source = f"host={HOST} port={self.port('database')} user=postgres dbname=postgres"
        copying = ("-D", str(home), "-d", source, "-R", "-X", "stream", "-c", "fast", "--no-sync")
        slot = ("-C", "-S", STANDBY)
        done = subprocess.run(
            postgres.argv_as(user, "pg_basebackup", *copying, *slot),
            env=self._environment() | {"PGPASSWORD": self.password},
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        reached = f"{source} password={self.password}"
        told = {**settings, "port": str(self.port(STANDBY)), "primary_conninfo": reached}
        # Of two values for one setting the server takes the last.
        words = (*self.usual, *_flags(told))
        argv = postgres.argv_as(user, "postgres", "-D", str(home), *words)
        self._start(STANDBY, argv, home)

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.signal(signal.SIGQUIT)
        identity = process.identity()
        assert identity is None or identity.wait_gone(30)

    def end(self) -> None:
        for name in list(self.processes):
            self.kill(name)
        shutil.rmtree(self.stack.layout.data, ignore_errors=True)

    def _start(self, name: str, argv: list[str], home: Path) -> None:
        layout = self.stack.layout
        record, log = layout.run / f"own-{name}.json", layout.logs / f"{name}.log"
        process = Process(f"own-{name}", record, log)
        process.start(Command(argv, env=self._environment(), folder=home))
        self.processes[name] = process
        until_ready(process, lambda: self._probe(name), READY_S)

    def _probe(self, name: str) -> None:
        try:
            psycopg.connect(self.dsn(name), connect_timeout=3).close()
        except psycopg.OperationalError as error:
            raise NotReady(str(error).strip()) from error

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _flags(settings: Mapping[str, str]) -> list[str]:
    return [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]


@contextmanager
def own_servers(cache: Path, settings: Mapping[str, str]) -> Iterator[Servers]:
    """Lend a primary with further settings, and end it with all its standbys."""
    with temporary_stack(cache) as stack:
        stack.layout.make()
        servers = Servers(stack)
        try:
            servers.start_primary(settings)
            yield servers
        finally:
            servers.end()
