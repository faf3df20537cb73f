"""A Kafka cluster of the storm's own: one or three combined nodes that can be killed one by one."""

from __future__ import annotations

import signal
import subprocess
import time
from base64 import urlsafe_b64encode
from pathlib import Path
from uuid import uuid4

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from localstack import Stack
from localstack.host.ports import HOST, PortMemory
from localstack.host.processes import Command, Process
from localstack.parts import java
from localstack.parts.broker import HEAP_MEGABYTES, SETTINGS, files_of_kafka

READY_S = 90.0
PARTITIONS_OF_STATE = 4


class Cluster:
    """Nodes numbered from 1."""

    def __init__(self, folder: Path, cache: Path, nodes: int) -> None:
        self.folder = folder / "cluster"
        self.nodes = tuple(range(1, nodes + 1))
        self.down: set[int] = set()
        stack = Stack(folder / "stack", cache=cache)
        stack.prepare(parts=("broker",))
        self._kafka = files_of_kafka(stack.layout)
        self._ports = PortMemory(folder / "ports.json")
        self._id = urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
        (self.folder / "run").mkdir(parents=True)

    @property
    def bootstrap(self) -> str:
        return ",".join(f"{HOST}:{self._ports.port(f'broker{n}')}" for n in self.nodes)

    @property
    def copies(self) -> int:
        return len(self.nodes)

    @property
    def min_insync(self) -> int:
        return min(2, self.copies)

    def start_all(self) -> None:
        for node in self.nodes:
            self.start(node)
        self.wait_ready()

    def start(self, node: int) -> None:
        home = self.folder / str(node)
        settings = home / "server.properties"
        if not settings.exists():
            home.mkdir(parents=True)
            settings.write_text("".join(f"{k}={v}\n" for k, v in self._settings(node).items()))
            tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={self._id}"]
            subprocess.run(
                [*self._java(), *tool, "-c", str(settings)], check=True, capture_output=True
            )
        quick = f"-XX:AOTCache={self._kafka / 'classes.aot'}"
        self._process(node).start(Command([*self._java(quick), "kafka.Kafka", str(settings)]))
        self.down.discard(node)

    def kill(self, node: int) -> None:
        """SIGKILL, and wait until it is gone."""
        self.down.add(node)
        process = self._process(node)
        process.signal(signal.SIGKILL)
        identity = process.identity()
        if identity is not None and not identity.wait_gone(30):
            raise TimeoutError(f"broker {node} does not end")

    def heal(self) -> None:
        for node in sorted(self.down):
            self.start(node)
        self.wait_ready()

    def end(self) -> None:
        for node in self.nodes:
            self.kill(node)

    def wait_ready(self) -> None:
        """Wait until all nodes are there and all partitions have all copies."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        deadline = time.monotonic() + READY_S
        while not self._is_whole(admin):
            if time.monotonic() > deadline:
                raise TimeoutError("the cluster is not whole again")
            time.sleep(0.2)

    def coordinator(self, group: str) -> int:
        """The node that coordinates a group."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        deadline = time.monotonic() + READY_S
        while True:
            try:
                answer = admin.describe_consumer_groups([group])[group].result(timeout=15)
                return int(answer.coordinator.id)
            except KafkaException:
                # It is loading the group; a moment later it answers.
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.2)

    def transaction_coordinator(self, transactional_id: str) -> int:
        """The node that leads the partition of the transaction log that an id belongs to."""
        hashed = 0
        for letter in transactional_id:
            hashed = (31 * hashed + ord(letter)) & 0xFFFFFFFF
        number = (hashed & 0x7FFFFFFF) % PARTITIONS_OF_STATE
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        topic = admin.list_topics("__transaction_state", timeout=15)
        return int(topic.topics["__transaction_state"].partitions[number].leader)

    def _is_whole(self, admin: AdminClient) -> bool:
        try:
            found = admin.list_topics(timeout=2)
        except KafkaException:
            return False
        parts = [part for topic in found.topics.values() for part in topic.partitions.values()]
        whole = all(len(part.isrs) == len(part.replicas) and part.leader > 0 for part in parts)
        return whole and set(found.brokers) == set(self.nodes)

    def _settings(self, node: int) -> dict[str, str]:
        port = self._ports.port(f"broker{node}")
        controllers = {n: f"{HOST}:{self._ports.port(f'controller{n}')}" for n in self.nodes}
        copies, insync = str(self.copies), str(self.min_insync)
        return {
            **SETTINGS,
            "node.id": str(node),
            "controller.quorum.voters": ",".join(f"{n}@{at}" for n, at in controllers.items()),
            "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{controllers[node]}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
            "log.dirs": str(self.folder / str(node) / "log"),
            "default.replication.factor": copies,
            "min.insync.replicas": insync,
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": str(PARTITIONS_OF_STATE),
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": insync,
            "transaction.state.log.num.partitions": str(PARTITIONS_OF_STATE),
            # A storm has no time to wait for the long sessions of calm days.
            "group.min.session.timeout.ms": "1000",
            "group.consumer.min.session.timeout.ms": "1000",
            "group.consumer.session.timeout.ms": "3000",
            "group.consumer.min.heartbeat.interval.ms": "500",
            "group.consumer.heartbeat.interval.ms": "500",
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "replica.lag.time.max.ms": "3000",
        }

    def _java(self, *extra: str) -> list[str]:
        libraries = ":".join(str(path) for path in sorted((self._kafka / "libs").glob("*.jar")))
        logging = f"-Dlog4j2.configurationFile={self._kafka / 'log4j2.xml'}"
        return [*java.flags(HEAP_MEGABYTES), *extra, logging, "-cp", libraries]

    def _process(self, node: int) -> Process:
        name = f"broker{node}"
        return Process(name, self.folder / "run" / f"{name}.json", self.folder / f"{name}.log")
