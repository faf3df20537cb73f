"""The peers as runs: settings on disk, a process to start, a group to follow."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench import job
from tests.bench.ground import PARTITIONS, clean_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.ground import Ground
    from tests.bench.peers.setup import Peers

PROGRAMS: Final = Path(__file__).parent / "programs"
JVM: Final = (
    "-Xmx512m",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)


@dataclass(frozen=True)
class Peer:
    """One peer's run.

    Attributes:
        ground: Where it runs.
        peers: Where the peers are.
        input: The topic that it reads.
        group: A new one for each run; its output topic bears the same name.
        settings: What this row sets beside the peer's defaults.
    """

    ground: Ground
    peers: Peers
    input: str
    group: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> str:
        """The topic it writes."""
        return f"{self.group}-holds"

    @property
    def full_group(self) -> str:
        """The consumer group's name on the broker."""
        return self.group

    @property
    def folder(self) -> Path:
        """Its stores and logs."""
        return self.ground.folder / self.group

    def prepare(self) -> None:
        """Make the output topic and the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ground.make_topic(self.output)

    def start(self, instance: str = "0") -> subprocess.Popen[bytes]:
        """Start the process."""
        argv, more = self.command()
        with (self.folder / f"worker-{instance}.log").open("wb") as log:
            return subprocess.Popen(
                argv, cwd=self.folder, env=clean_environment(**more), stdout=log, stderr=log
            )

    def command(self) -> tuple[list[str], dict[str, str]]:
        """Program and arguments, and what the environment needs beside."""
        raise NotImplementedError

    def described(self) -> Path:
        """The run's settings as a JSON file for the Python programs."""
        place = self.folder / "settings.json"
        given = {
            "bootstrap": self.ground.bootstrap,
            "group": self.group,
            "folder": str(self.folder / "state"),
            "input": self.input,
            "output": self.output,
            "partitions": PARTITIONS,
            "schema": job.INSPECTION,
            "hold_schema": job.HOLD,
            "hold_id": 1,
            "settings": dict(self.settings),
        }
        place.write_text(json.dumps(given), encoding="utf-8")
        return place


class KafkaStreams(Peer):
    """Kafka Streams; `settings` are its own properties and the program's `bench.` ones."""

    def command(self) -> tuple[list[str], dict[str, str]]:
        """The Java program with a properties file."""
        schema = self.folder / "inspection.avsc"
        schema.write_text(json.dumps(job.INSPECTION), encoding="utf-8")
        properties = {
            "application.id": self.group,
            "bootstrap.servers": self.ground.bootstrap,
            "state.dir": str(self.folder / "state"),
            "processing.guarantee": "exactly_once_v2",
            "num.stream.threads": 1,
            "replication.factor": 1,
            "auto.offset.reset": "earliest",
            "bench.schema": schema,
            "bench.hold.id": 1,
            "bench.cached": "false",
            "bench.input": self.input,
            "bench.output": self.output,
            **self.settings,
        }
        place = self.folder / "streams.properties"
        lines = [f"{key}={value}" for key, value in properties.items()]
        place.write_text("\n".join(lines) + "\n", encoding="utf-8")
        start = [str(self.peers.java), *JVM, "-cp", self.peers.class_path]
        return [*start, "LotHold", str(place)], {}


class Quix(Peer):
    """Quix Streams; `settings` go to its `Application`."""

    def command(self) -> tuple[list[str], dict[str, str]]:
        """The Python program with its settings."""
        program = PROGRAMS / "quix_lot_hold.py"
        return [str(self.peers.python), str(program), str(self.described())], {}


class StockFaust(Peer):
    """Faust as it comes."""

    def command(self) -> tuple[list[str], dict[str, str]]:
        """Faust's own worker command."""
        program = PROGRAMS / "faust_lot_hold.py"
        words = ["worker", "--without-web", "--loglevel", "warn"]
        named = {"BENCH_SETTINGS": str(self.described())}
        return [str(self.peers.python), str(program), *words], named
