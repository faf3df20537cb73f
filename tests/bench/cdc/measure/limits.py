"""What the server could send at most: its own client for the log, and a COPY."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localstack.parts import postgres

from tests.bench.cdc.table import PUBLICATION, TABLE
from tests.bench.measure import procfs

if TYPE_CHECKING:
    from tests.bench.cdc.server import Server


@dataclass(frozen=True)
class Limit:
    """A reader that throws everything away.

    Attributes:
        rows: How many rows were sent.
        wall_s: Seconds from its start to its end.
        cpu_s: CPU seconds of the reader.
        server_s: CPU seconds of the database server.
    """

    rows: int
    wall_s: float
    cpu_s: float
    server_s: float

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / self.wall_s

    @property
    def cpu_per_million(self) -> float:
        """CPU seconds of the reader per million rows."""
        return self.cpu_s * 1e6 / self.rows

    @property
    def server_per_million(self) -> float:
        """CPU seconds of the server per million rows."""
        return self.server_s * 1e6 / self.rows


def log_limit(server: Server, dsn: str, slot: str, end: str, rows: int) -> Limit:
    """Drain a slot by `pg_recvlogical`, binary, into nothing."""
    program = str(postgres.install() / "pg_recvlogical")
    options = ("proto_version=1", f"publication_names={PUBLICATION}", "binary=true")
    argv = [program, "-d", dsn, "--slot", slot, "--start", "-f", os.devnull, "--no-loop"]
    argv += [word for option in options for word in ("-o", option)]
    return _timed(server, [*argv, "--endpos", end], rows)


def copy_limit(server: Server, dsn: str, rows: int) -> Limit:
    """Read the table by a binary COPY into nothing."""
    program = str(postgres.install() / "psql")
    command = f"copy {TABLE} to stdout (format binary)"
    return _timed(server, [program, "-d", dsn, "-q", "-o", os.devnull, "-c", command], rows)


def _timed(server: Server, argv: list[str], rows: int) -> Limit:
    server_s = procfs.cpu_s(server.pid)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    wall_s, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{argv[0]}: {done.stderr.decode(errors='replace')[-1_000:]}")
    return Limit(
        rows=rows,
        wall_s=wall_s,
        cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        server_s=procfs.cpu_s(server.pid) - server_s,
    )
