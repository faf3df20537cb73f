"""One Debezium connector in a Connect worker of its own."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from localstack.host.ports import HOST, PortMemory

from tests.bench.cdc.server import place
from tests.bench.cdc.table import PUBLICATION, TABLE
from tests.bench.ground import clean_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.bench.cdc.debezium.setup import Installed
    from tests.bench.cdc.server import Server
    from tests.bench.ground import Ground

WORKER: Final = "org.apache.kafka.connect.cli.ConnectStandalone"
HEAP: Final = "-Xmx1g"
AVRO: Final = "io.apicurio.registry.utils.converter.AvroConverter"
JSON: Final = "org.apache.kafka.connect.json.JsonConverter"
COMPAT_API: Final = "/apis/ccompat/v7"
NATIVE_API: Final = "/apis/registry/v2"

PRODUCER: Final[Mapping[str, Any]] = {
    "producer.linger.ms": 20,
    "producer.batch.size": 262_144,
    "producer.compression.type": "lz4",
}
QUEUES: Final[Mapping[str, Any]] = {"max.batch.size": 8_192, "max.queue.size": 32_768}


@dataclass(frozen=True)
class Tuning:
    """What is set beside the defaults.

    Attributes:
        form: Of the records: `avro` or `json` (without schemas, the cheapest there is).
        worker: Settings of the Connect worker.
        connector: Settings of the connector.
    """

    form: str = "avro"
    worker: Mapping[str, Any] = field(default_factory=dict)
    connector: Mapping[str, Any] = field(default_factory=dict)


DEFAULTS: Final = Tuning()
FAST_AVRO: Final = Tuning("avro", PRODUCER, {**QUEUES, "poll.interval.ms": 50})
FAST_JSON: Final = Tuning("json", PRODUCER, {**QUEUES, "poll.interval.ms": 50})
QUICK: Final = Tuning("avro", {}, {**QUEUES, "poll.interval.ms": 10})
"""For short waits: a connector that looks every 10 ms, a producer that does not linger."""


@dataclass(frozen=True)
class Debezium:
    """A run of Debezium.

    Attributes:
        ground: Broker and registry.
        server: The database server.
        installed: Where the programs are.
        dsn: The database.
        name: Of the run: topic prefix, slot and folder.
        tuning: What is set beside the defaults.
        snapshot: It reads the table first; else its slot is there already.
    """

    ground: Ground
    server: Server
    installed: Installed
    dsn: str
    name: str
    tuning: Tuning = DEFAULTS
    snapshot: bool = False

    @property
    def topic(self) -> str:
        """Where the table's records go."""
        return f"{self.name}.public.{TABLE}"

    @property
    def slot(self) -> str:
        """The replication slot."""
        return self.name.replace("-", "_")

    @property
    def folder(self) -> Path:
        """Its settings and its log."""
        return self.ground.folder / self.name

    @property
    def form(self) -> str:
        """How its records are written."""
        return self.tuning.form

    def start(self) -> subprocess.Popen[bytes]:
        """Start the worker."""
        self.folder.mkdir(parents=True, exist_ok=True)
        files = [
            self._written("worker.properties", self._worker()),
            self._written("connector.properties", self._connector()),
        ]
        logging = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        argv = [str(self.installed.java), HEAP, logging, "-cp", self.installed.class_path, WORKER]
        with (self.folder / "worker.log").open("wb") as log:
            return subprocess.Popen(
                [*argv, *map(str, files)],
                cwd=self.folder,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _written(self, name: str, settings: Mapping[str, Any]) -> Path:
        path = self.folder / name
        lines = [f"{key}={value}" for key, value in settings.items()]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def _worker(self) -> dict[str, Any]:
        port = PortMemory(self.folder / "ports.json").port("connect")
        return {
            "bootstrap.servers": self.ground.bootstrap,
            "listeners": f"http://{HOST}:{port}",
            "plugin.path": self.installed.plugins,
            "plugin.discovery": "hybrid_warn",
            "offset.storage.file.filename": self.folder / "offsets",
            **self._converter("key"),
            **self._converter("value"),
            **self.tuning.worker,
        }

    def _converter(self, part: str) -> dict[str, Any]:
        head = f"{part}.converter"
        if self.tuning.form == "json":
            return {head: JSON, f"{head}.schemas.enable": "false"}
        return {
            head: AVRO,
            f"{head}.apicurio.registry.url": self.ground.registry_url.replace(
                COMPAT_API, NATIVE_API
            ),
            f"{head}.apicurio.registry.as-confluent": "true",
            f"{head}.apicurio.registry.use-id": "contentId",
            f"{head}.apicurio.registry.headers.enabled": "false",
            f"{head}.apicurio.registry.auto-register": "true",
            f"{head}.apicurio.registry.find-latest": "false",
        }

    def _connector(self) -> dict[str, Any]:
        where = place(self.dsn)
        return {
            "name": self.name,
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
            "database.hostname": where["host"],
            "database.port": where["port"],
            "database.user": where["user"],
            "database.password": self.server.password,
            "database.dbname": where["dbname"],
            "database.sslmode": "disable",
            "plugin.name": "pgoutput",
            "slot.name": self.slot,
            "publication.name": PUBLICATION,
            "publication.autocreate.mode": "disabled",
            "topic.prefix": self.name,
            "snapshot.mode": "initial" if self.snapshot else "no_data",
            "schema.name.adjustment.mode": "avro",
            "topic.creation.default.partitions": 1,
            "topic.creation.default.replication.factor": 1,
            **self.tuning.connector,
        }
