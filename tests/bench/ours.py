"""The example as its reader runs it, with the worker's defaults."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import ROOT
from tests.bench.ground import clean_environment

if TYPE_CHECKING:
    from tests.bench.ground import Ground

LOTGATE = Path(sys.executable).parent / "lotgate"
EXAMPLE = "examples.lot_hold:app"


@dataclass(frozen=True)
class Ours:
    """One group of workers of an app.

    Attributes:
        ground: Where it runs.
        prefix: Which input it reads; the installation's prefix.
        group: A new one for each run.
        app: The app's place.
    """

    ground: Ground
    prefix: str
    group: str
    app: str = EXAMPLE

    @property
    def python(self) -> str:
        """The interpreter that has the product."""
        return sys.executable

    @property
    def input(self) -> str:
        """The topic it reads."""
        return f"{self.prefix}.example.inspection.events"

    @property
    def output(self) -> str:
        """The topic it writes."""
        return f"{self.prefix}.example.hold.commands"

    @property
    def full_group(self) -> str:
        """The consumer group's name on the broker."""
        return f"{self.prefix}.{self.group}"

    @property
    def folder(self) -> Path:
        """Its stores and logs."""
        return self.ground.folder / self.group

    def environment(self, instance: str = "0", **more: str) -> dict[str, str]:
        """Addresses, a single broker's replication, names. Nothing that tunes the engine."""
        return clean_environment(
            LOTGATE_BOOTSTRAP=self.ground.bootstrap,
            LOTGATE_REGISTRY_URL=self.ground.registry_url,
            LOTGATE_REPLICATION_FACTOR="1",
            LOTGATE_MIN_INSYNC="1",
            LOTGATE_PREFIX=self.prefix,
            LOTGATE_GROUP=self.group,
            LOTGATE_DATA_DIR=str(self.folder / instance),
            LOTGATE_INSTANCE_ID=instance,
            **more,
        )

    def prepare(self) -> None:
        """Make topics and register schemas with the product's own commands."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for words in (("topology", "apply"), ("schema", "publish")):
            done = subprocess.run(
                [LOTGATE, *words, "--app", self.app],
                cwd=ROOT,
                env=self.environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(f"lotgate {' '.join(words)}: {done.stdout}{done.stderr}")

    def start(self, instance: str = "0", **more: str) -> subprocess.Popen[bytes]:
        """Start one worker."""
        return self.started([str(LOTGATE), "worker", "--app", self.app], instance, **more)

    def started(self, argv: list[str], instance: str, **more: str) -> subprocess.Popen[bytes]:
        """Start a program with a worker's environment; its log is in the run's folder."""
        with (self.folder / f"worker-{instance}.log").open("wb") as log:
            return subprocess.Popen(
                argv, cwd=ROOT, env=self.environment(instance, **more), stdout=log, stderr=log
            )
