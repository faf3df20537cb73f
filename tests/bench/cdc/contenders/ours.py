"""Our source as an operator starts it, with the settings' defaults."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.bench import ROOT
from tests.bench.cdc.contenders.source_process import SYSTEM
from tests.bench.cdc.table import PUBLICATION, TABLE
from tests.bench.ground import clean_environment
from tests.bench.measure.watch import ended

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.bench.cdc.server import Server
    from tests.bench.ground import Ground

READY_S: Final = 60.0
STREAMING: Final = "reads the log from"


@dataclass(frozen=True)
class Ours:
    """A run of our source.

    Attributes:
        ground: Broker and registry.
        server: The database server.
        dsn: The database.
        name: Of the run: the installation's prefix, the slot and the folder.
        settings: Fields of the source's configuration beside its defaults.
        snapshot: It reads the table first; else `prepare` makes its slot.
    """

    ground: Ground
    server: Server
    dsn: str
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    snapshot: bool = False

    @property
    def topic(self) -> str:
        """Where the table's records go."""
        return f"{self.name}.cdc.{SYSTEM}.public.{TABLE}"

    @property
    def slot(self) -> str:
        """The replication slot."""
        return self.name.replace("-", "_")

    @property
    def folder(self) -> Path:
        """Its log."""
        return self.ground.folder / self.name

    @property
    def form(self) -> str:
        """How its records are written."""
        return "avro"

    def prepare(self) -> None:
        """Start it once, so that slot, position and topics are there, and stop it in order.

        Raises:
            RuntimeError: It did not come to read the log; what it said last is in the text.
        """
        process = self.start()
        log, deadline = self.folder / "worker.log", time.monotonic() + READY_S
        try:
            while STREAMING not in log.read_text(encoding="utf-8", errors="replace"):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.name}: {log.read_text(errors='replace')[-2_000:]}")
                time.sleep(0.05)
        finally:
            ended([process])

    def start(self) -> subprocess.Popen[bytes]:
        """Start the process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        more = {
            "snapshot": "initial" if self.snapshot else "no_data",
            # As many as the peer's topics have.
            "raw_partitions": 1,
            **self.settings,
        }
        environment = clean_environment(
            LOTGATE_BOOTSTRAP=self.ground.bootstrap,
            LOTGATE_REGISTRY_URL=self.ground.registry_url,
            LOTGATE_REPLICATION_FACTOR="1",
            LOTGATE_MIN_INSYNC="1",
            LOTGATE_PREFIX=self.name,
            LOTGATE_PROVISION="true",
            LOTGATE_LOG_FORMAT="text",
            LOTGATE_SOURCE_DSN=self.dsn,
            LOTGATE_SOURCE_SITE="BENCH",
            LOTGATE_SOURCE_SLOT=self.slot,
            LOTGATE_SOURCE_PUBLICATION=PUBLICATION,
        )
        program = [sys.executable, "-m", "tests.bench.cdc.contenders.source_process"]
        with (self.folder / "worker.log").open("wb") as log:
            return subprocess.Popen(
                [*program, json.dumps(more)],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
