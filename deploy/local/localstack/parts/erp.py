"""Tryton: the ERP whose changes are read and in which holds are placed."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
from base64 import b64encode
from typing import TYPE_CHECKING

import httpx
import psycopg

from localstack.errors import PartDidNotStart, StackError
from localstack.host.ports import HOST
from localstack.host.processes import Command
from localstack.layout import LOCAL, write_whole
from localstack.parts import postgres
from localstack.parts.database import run_scripts
from localstack.parts.part import NotReady

if TYPE_CHECKING:
    from pathlib import Path

    from localstack.host.ports import PortMemory
    from localstack.layout import Layout
    from localstack.parts.database import Database
    from localstack.progress import Report

DATABASE = "plant"
PUBLICATION = LOCAL / "erp" / "publication.sql"

SETTINGS = """\
[database]
uri = {uri}
path = {files}

[web]
listen = {listen}

[session]
timeout = 28800
max_attempt = 50
"""


class Erp:
    """The ERP of the stack.

    Args:
        layout: Folders of the stack.
        ports: Ports of the stack.
        database: The server that holds the ERP's database.
        dump: What a new plant is restored from.
    """

    name = "erp"
    needs: tuple[str, ...] = ("database",)
    ready_seconds = 90.0
    stop_signal: int = signal.SIGTERM
    stop_seconds = 15.0

    def __init__(
        self, layout: Layout, ports: PortMemory, database: Database, dump: Path | None = None
    ) -> None:
        self._layout = layout
        self._ports = ports
        self._database = database
        self._dump = dump or layout.parts / "erp" / "plant.sql.gz"
        self._home = layout.data / "erp"
        self.venv = layout.parts / "erp" / "venv"

    @property
    def url(self) -> str:
        """Root of the ERP's web server."""
        return f"http://{HOST}:{self._ports.port('erp')}"

    def prepare(self, report: Report) -> None:
        """Install the ERP, and build the plant through its API, unless both are there."""
        # Imported here: the builder runs a stack of its own, made of these very parts.
        from localstack.plant.making import make_plant  # noqa: PLC0415

        make_plant(self._layout, report)

    def port_names(self) -> tuple[str, ...]:
        """Name the web server's port."""
        return ("erp",)

    def command(self) -> Command:
        """Write the settings, restore the plant if the database is new, and return the start."""
        if not self.has_plant():
            self.restore()
        argv = [str(self.venv / "bin" / "python"), str(self.venv / "bin" / "trytond")]
        return Command(
            [*argv, "-c", str(self.settings()), "-d", DATABASE],
            env=self.environment(),
            folder=self._home,
        )

    def probe(self) -> None:
        """Show the ERP a made-up session: it must look into its database to refuse it."""
        stranger = b64encode(b"nobody:0:none").decode()
        try:
            answer = httpx.post(
                f"{self.url}/{DATABASE}/rpc/",
                headers={"Authorization": f"Session {stranger}"},
                json={"id": 1, "method": "model.res.user.get_preferences", "params": [True, {}]},
                timeout=30.0,
            )
        except httpx.TransportError as error:
            raise NotReady(str(error)) from error
        if answer.status_code != 401:
            raise NotReady(f"status {answer.status_code} to a made-up session")

    def complete(self) -> None:
        """Nothing is left to do: the dump brought everything."""

    def has_plant(self) -> bool:
        """Tell whether the ERP's tables are in the database."""
        with psycopg.connect(self._database.dsn(DATABASE, "tryton")) as connection:
            return connection.execute("select to_regclass('ir_module')").fetchone() != (None,)

    def restore(self) -> None:
        """Put the plant as it was built into the empty database, then publish its tables.

        The publication comes after the rows, so that a slot made later starts with a snapshot.
        """
        program = str(postgres.install() / "psql")
        argv = [program, "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-o", os.devnull]
        ended = subprocess.run(
            [*argv, self._database.dsn(DATABASE, "tryton")],
            input=gzip.decompress(self._dump.read_bytes()),
            capture_output=True,
            check=False,
        )
        if ended.returncode:
            raise PartDidNotStart(
                f"The plant could not be restored from {self._dump}; the database was left empty. "
                f"psql says: {ended.stderr.decode(errors='replace').strip()[-800:]} "
                "Remove the file to have the plant built again"
            )
        with psycopg.connect(self._database.dsn(DATABASE, "tryton")) as connection:
            run_scripts(connection, [PUBLICATION])

    def dump(self, target: Path) -> None:
        """Write the plant, without owners and rights, to a compressed file, whole or not at all."""
        argv = [str(postgres.install() / "pg_dump"), self._database.dsn(DATABASE, "tryton")]
        ended = subprocess.run(
            [*argv, "--no-owner", "--no-privileges", "--no-publications"],
            capture_output=True,
            check=False,
        )
        if ended.returncode:
            raise StackError(f"The plant could not be dumped: {ended.stderr.decode()[-800:]}")
        staging = target.with_name(f".{target.name}.{os.getpid()}")
        # The dump holds password hashes and keys.
        staging.touch(mode=0o600)
        staging.write_bytes(gzip.compress(ended.stdout, 9))
        staging.replace(target)

    def settings(self) -> Path:
        """Write the ERP's settings for the present ports and return the file."""
        self._home.mkdir(parents=True, exist_ok=True)
        path = self._home / "trytond.conf"
        uri = self._database.dsn("", "tryton")
        listen = f"{HOST}:{self._ports.port('erp')}"
        text = SETTINGS.format(uri=uri, files=self._home / "files", listen=listen)
        write_whole(path, text.replace("%", "%%"))
        return path

    def environment(self) -> dict[str, str]:
        """Return the ERP's environment: nothing of ours."""
        return {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "TZ": "UTC"}
