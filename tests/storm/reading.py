"""What the broker and the disks hold after a storm, read with plain clients."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not declared as exported
    AdminClient,
    OffsetSpec,
)
from rocksdict import Options, Rdict

from tests.storm.oracle import Output

CHECKPOINT = b"\0\0checkpoint"
Place = tuple[str, int]


class Broker:
    """Reads topics and positions."""

    def __init__(self, bootstrap: str, group: str) -> None:
        self._client: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "log_level": 0,
            "error_cb": lambda _error: None,
        }
        self._admin = AdminClient(self._client)
        self._group = group

    def ends(self, places: Iterable[Place], *, committed: bool) -> dict[Place, int]:
        """Ends of partitions: of what is committed, or with open transactions."""
        level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        wanted = {TopicPartition(*place): latest for place in places}
        answers = self._admin.list_offsets(wanted, isolation_level=level, request_timeout=15)
        return {(at.topic, at.partition): found.result().offset for at, found in answers.items()}

    def positions(self, places: Iterable[Place]) -> dict[Place, int]:
        """The group's committed positions.

        Raises:
            KafkaException: A transaction on them is open.
        """
        consumer = Consumer(
            {**self._client, "group.id": self._group, "isolation.level": "read_committed"}
        )
        try:
            found = consumer.committed([TopicPartition(*place) for place in places], 10)
        finally:
            consumer.close()
        return {(each.topic, each.partition): each.offset for each in found}

    def members(self) -> str:
        """Who is in the group and what is theirs."""
        answer = self._admin.describe_consumer_groups([self._group])[self._group]
        group = answer.result(timeout=15)
        owned = {
            each.group_instance_id: [at.partition for at in each.assignment.topic_partitions]
            for each in group.members
        }
        return f"{group.state}, coordinator {group.coordinator.id}, {owned}"

    def read(self, topic: str, partition: int) -> list[Message]:
        """All committed records of a partition."""
        consumer = Consumer(
            {
                **self._client,
                "group.id": f"{self._group}-oracle",
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        end = self.ends([(topic, partition)], committed=False)[topic, partition]
        found: list[Message] = []
        consumer.assign([TopicPartition(topic, partition, 0)])
        try:
            while True:
                for message in consumer.consume(5_000, 0.2):
                    error = message.error()
                    if error is None:
                        found.append(message)
                    elif error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    elif (message.offset() or 0) >= end:
                        return found
        finally:
            consumer.close()


def outputs(messages: Iterable[Message]) -> list[Output]:
    """The results of one partition."""
    return [
        Output(
            _octets(message.key()).decode(),
            orjson.loads(_octets(message.value())),
            {name: _octets(value).decode() for name, value in pairs(message)},
        )
        for message in messages
    ]


def kept(messages: Iterable[Message], before: int | None = None) -> dict[bytes, bytes]:
    """What a changelog says: the last value of each key, up to an offset."""
    found: dict[bytes, bytes] = {}
    for message in messages:
        if before is not None and (message.offset() or 0) >= before:
            break
        key, value = _octets(message.key()), message.value()
        if value is None:
            found.pop(key, None)
        else:
            found[key] = _octets(value)
    return found


def states(entries: dict[bytes, bytes]) -> dict[str, Any]:
    """The users' states of a changelog."""
    return {
        key.decode(): orjson.loads(value)
        for key, value in entries.items()
        if not key.startswith(b"\0")
    }


def disk(path: Path) -> tuple[int, dict[bytes, bytes]] | None:
    """A store as it lies on disk: the changelog position it claims, and its records."""
    store = Rdict(str(path), Options(raw_mode=True))
    try:
        entries: Any = store.items()
        records: dict[bytes, bytes] = dict(entries)
    finally:
        store.close()
    checkpoint = records.pop(CHECKPOINT, None)
    if checkpoint is None:
        return None
    return int(orjson.loads(checkpoint)["position"]), records


def pairs(message: Message) -> list[tuple[str, bytes]]:
    """The headers of a record."""
    headers: Any = message.headers() or []
    return list(headers)


def _octets(value: bytes | str | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""
