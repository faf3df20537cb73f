"""What a consumer that reads committed records finds, decoded by the registry's own schemas."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import fastavro
import httpx
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition


@dataclass(frozen=True, slots=True)
class Raw:
    """A record of a raw topic."""

    partition: int
    key: dict[str, Any] | None
    value: dict[str, Any] | None
    event_id: str


class Topics:
    """Reads the topics of one storm.

    Args:
        bootstrap: The broker.
        registry: The registry's address.
        prefix: The storm's prefix of topics.
    """

    def __init__(self, bootstrap: str, registry: str, prefix: str) -> None:
        self._settings = {
            "bootstrap.servers": bootstrap,
            "group.id": f"{prefix}-judge",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            # The end of a partition is told once the broker has waited for more.
            "fetch.wait.max.ms": 20,
            "log_level": 0,
        }
        self._prefix = prefix
        self._schema = cache(lambda number: _schema(registry, number))

    def raw(self, table: str) -> list[Raw]:
        """All records of a table, partition by partition."""
        return [
            Raw(
                message.partition() or 0,
                self._decoded(message.key()),
                self._decoded(message.value()),
                _header(message, "event_id"),
            )
            for message in self._messages(f"cdc.erp.public.{table}")
        ]

    def transactions(self) -> list[dict[str, Any]]:
        """The translators' input."""
        found = self._messages("lotgate-translate-input")
        return [self._decoded(message.value()) or {} for message in found]

    def boundaries(self) -> list[dict[str, Any]]:
        """The records that tell begin and end of transactions; none where that is off."""
        found = self._messages("cdc.erp.transaction")
        return [self._decoded(message.value()) or {} for message in found]

    def positions(self) -> list[dict[str, Any]]:
        """Every position that was ever stored, in order."""
        found = self._messages("lotgate-cdc-offsets", partition=0)
        return [json.loads(_octets(message.value()) or b"{}") for message in found]

    def dead_letters(self) -> int:
        return sum(1 for _ in self._messages("dlq.lotgate-erp"))

    def _messages(self, topic: str, partition: int | None = None) -> Iterator[Message]:
        consumer = Consumer(self._settings)
        try:
            name = f"{self._prefix}.{topic}"
            known = consumer.list_topics(timeout=15).topics
            if name not in known:
                return
            parts = [partition] if partition is not None else sorted(known[name].partitions)
            for each in parts:
                consumer.assign([TopicPartition(name, each, 0)])
                yield from _until_end(consumer)
        finally:
            consumer.close()

    def _decoded(self, payload: bytes | str | None) -> Any:
        octets = _octets(payload)
        if octets is None:
            return None
        schema = self._schema(int.from_bytes(octets[1:5], "big"))
        return fastavro.schemaless_reader(io.BytesIO(octets[5:]), schema, None)


def _until_end(consumer: Consumer) -> Iterator[Message]:
    while True:
        for message in consumer.consume(5_000, 0.1):
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                return
            else:
                raise KafkaException(error)


def _schema(registry: str, number: int) -> Any:
    answer = httpx.get(f"{registry}/schemas/ids/{number}", timeout=30)
    answer.raise_for_status()
    return fastavro.parse_schema(json.loads(answer.json()["schema"]))


def _header(message: Message, name: str) -> str:
    headers: Any = message.headers() or []
    return next((value.decode() for key, value in headers if key == name), "")


def _octets(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
