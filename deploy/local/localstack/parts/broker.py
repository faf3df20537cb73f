"""Apache Kafka: one node in KRaft mode, from pinned files on the Java runtime from PyPI."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import uuid
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from localstack.errors import PartDidNotStart
from localstack.host import artifacts
from localstack.host.ports import HOST
from localstack.host.processes import Command, Process
from localstack.host.waiting import until_ready
from localstack.layout import write_whole
from localstack.parts import java
from localstack.parts.part import NotReady

if TYPE_CHECKING:
    from pathlib import Path

    from localstack.host.ports import PortMemory
    from localstack.layout import Layout
    from localstack.progress import Report

HEAP_MEGABYTES = 256
# 2 MiB for a record's body and 64 KiB for its key, headers and framing.
LARGEST_RECORD_BYTES = 2 * 1024 * 1024 + 64 * 1024
# About what the files weigh, for the progress bar.
DOWNLOAD_BYTES = 45_100_000
# A broker that ends in order writes the cache of its loaded classes, which takes seconds.
TRAINING_STOP_SECONDS = 90.0

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    # A killed worker's transaction must not block readers longer than its own timeout says.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    "message.max.bytes": str(LARGEST_RECORD_BYTES),
    "replica.fetch.max.bytes": str(LARGEST_RECORD_BYTES),
    "log.cleaner.dedupe.buffer.size": "8388608",
    "log.segment.bytes": str(64 * 1024 * 1024),
}

LOGGING = """\
<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders>
    <Console name="out"><PatternLayout pattern="%d{ISO8601} %-5p %c{1}: %m%n"/></Console>
  </Appenders>
  <Loggers>
    <Root level="WARN"><AppenderRef ref="out"/></Root>
    <Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
  </Loggers>
</Configuration>
"""


def files_of_kafka(layout: Layout) -> Path:
    """Where the broker's own files are, apart by release: two releases' files must never mix."""
    return layout.parts / f"kafka-{artifacts.kafka_version()}"


class Broker:
    """The broker of the stack."""

    name = "broker"
    needs: tuple[str, ...] = ()
    ready_seconds = 60.0
    stop_signal: int = signal.SIGTERM
    stop_seconds = 30.0

    def __init__(self, layout: Layout, ports: PortMemory) -> None:
        self._layout = layout
        self._ports = ports
        files = files_of_kafka(layout)
        self._libs = files / "libs"
        self._cache = files / "classes.aot"
        self._log_settings = files / "log4j2.xml"
        self._home = layout.data / "kafka"

    @property
    def bootstrap(self) -> str:
        """The address that clients start from."""
        return f"{HOST}:{self._ports.port('broker')}"

    def prepare(self, report: Report) -> None:
        """Fetch the broker's files, and once record the classes that a start loads."""
        wanted = artifacts.kafka_coordinates()
        if artifacts.missing(self._libs, wanted):
            what = f"Kafka {artifacts.kafka_version()}: {len(wanted)} files, 45 MB"
            with report.step(what) as step:
                step.total(DOWNLOAD_BYTES)
                artifacts.fetch(self._libs, self._layout.workshops / "kafka", wanted, step)
        write_whole(self._log_settings, LOGGING)
        if not self._cache.exists():
            with report.step("Kafka: recording classes for a quick start (once)"):
                self._train()

    def port_names(self) -> tuple[str, ...]:
        """Name the client and the controller listener."""
        return ("broker", "broker-controller")

    def command(self) -> Command:
        """Write the settings, format the data folder if it is new, and return the start."""
        return self._command(self._home, self._ports.port("broker"), self._controller_port())

    def probe(self) -> None:
        """Ask for the broker's metadata."""
        _ask(self.bootstrap)

    def complete(self) -> None:
        """Nothing is left to do: topics are the product's own business."""

    def _controller_port(self) -> int:
        return self._ports.port("broker-controller")

    def _command(self, home: Path, port: int, controller: int, extra: str = "") -> Command:
        home.mkdir(parents=True, exist_ok=True)
        settings = home / "server.properties"
        listeners = f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}"
        own = {
            "controller.quorum.voters": f"1@{HOST}:{controller}",
            "listeners": listeners,
            "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
            "log.dirs": str(home / "log"),
        }
        lines = [f"{key}={value}" for key, value in (SETTINGS | own).items()]
        write_whole(settings, "\n".join(lines) + "\n")
        if not (home / "log" / "meta.properties").exists():
            self._format(settings)
        cache = extra or f"-XX:AOTCache={self._cache}"
        argv = [*self._java(cache), "kafka.Kafka", str(settings)]
        return Command(argv, env=_environment(), folder=home)

    def _java(self, *extra: str) -> list[str]:
        class_path = ":".join(str(path) for path in sorted(self._libs.glob("*.jar")))
        logging = f"-Dlog4j2.configurationFile={self._log_settings}"
        return [*java.flags(HEAP_MEGABYTES), *extra, logging, "-cp", class_path]

    def _format(self, settings: Path) -> None:
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        argv = [*self._java(), "kafka.tools.StorageTool", "format", "-g", f"--cluster-id={cluster}"]
        ended = subprocess.run(
            [*argv, "-c", str(settings)], capture_output=True, text=True, check=False
        )
        if ended.returncode:
            raise PartDidNotStart(
                f"The broker's data folder {settings.parent} could not be formatted; it holds no "
                f"data yet. Kafka says: {(ended.stderr or ended.stdout).strip()[-800:]}"
            )

    def _train(self) -> None:
        """Run a throw-away broker that writes down the classes it loaded when it ends."""
        home = self._layout.workshops / "training"
        staging = home / "classes.aot"
        ports = (self._ports.port("training"), self._ports.port("training-controller"))
        record = f"-XX:AOTCacheOutput={staging}"
        process = Process("training", home / "run" / "training.json", home / "training.log")
        command = self._command(home, *ports, extra=record)
        process.record.parent.mkdir(parents=True, exist_ok=True)
        process.start(command)
        try:
            until_ready(process, lambda: _ask(f"{HOST}:{ports[0]}"), self.ready_seconds)
        finally:
            process.stop(self.stop_signal, TRAINING_STOP_SECONDS)
        if staging.exists():
            staging.replace(self._cache)
        shutil.rmtree(home, ignore_errors=True)


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"}


def _ask(bootstrap: str) -> None:
    silent: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "log_level": 0,
        "error_cb": lambda _error: None,
    }
    try:
        AdminClient(silent).list_topics(timeout=2.0)
    except KafkaException as error:
        raise NotReady(str(error)) from error
