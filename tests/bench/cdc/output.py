"""What a run wrote, read back as a read_committed consumer and compared with the table."""

from __future__ import annotations

import io
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import httpx
import orjson
from confluent_kafka import Consumer, TopicPartition
from fastavro import parse_schema, schemaless_reader

from tests.bench.cdc.measure.progress import Visible
from tests.bench.cdc.table import COLUMNS, Tally, tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.ground import Ground

FRAME_BYTES: Final = 5
READERS: Final = 2
BATCH: Final = 10_000
WAIT_S: Final = 0.2
SILENCE_S: Final = 60.0


@dataclass(frozen=True)
class Written:
    """Where a run wrote its records.

    Attributes:
        bootstrap: The broker.
        registry_url: The registry.
        topic: The table's topic, of one partition.
        form: `avro` or `json`.
    """

    bootstrap: str
    registry_url: str
    topic: str
    form: str

    def tally(self, start: int, end: int) -> Tally:
        """Sum up the rows of a range of offsets; every record must be an insert or a read.

        Raises:
            ValueError: A record is something else.
        """
        return tally(self._row(self.decoded(value)) for value in self._values(start, end))

    def decoded(self, value: bytes) -> Any:
        """A record as plain values, logical types as they were written."""
        return orjson.loads(value) if self.form == "json" else self._avro(value)

    def _row(self, event: dict[str, Any]) -> list[Any]:
        after = event["after"]
        if event["op"] not in {"c", "r"} or event["before"] is not None or after is None:
            raise ValueError(f"an unexpected change: {event}")
        return [after[column] for column in COLUMNS]

    def _avro(self, value: bytes) -> Any:
        body = io.BytesIO(value)
        body.seek(FRAME_BYTES)
        return schemaless_reader(body, self._schema(value[1:FRAME_BYTES]), None)

    def _schema(self, number: bytes) -> Any:
        known = self._schemas
        if number not in known:
            url = f"{self.registry_url}/schemas/ids/{int.from_bytes(number, 'big')}"
            text = httpx.get(url, timeout=30).raise_for_status().json()["schema"]
            known[number] = parse_schema(plain(orjson.loads(text)))
        return known[number]

    @cached_property
    def _schemas(self) -> dict[bytes, Any]:
        return {}

    def _values(self, start: int, end: int) -> Iterator[bytes]:
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "bench-output",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "fetch.message.max.bytes": 8 * 1024 * 1024,
            }
        )
        place = TopicPartition(self.topic, 0, start)
        consumer.assign([place])
        heard = time.monotonic()
        try:
            # The last offsets of a range may be markers of transactions, which nobody is handed.
            while consumer.position([place])[0].offset < end:
                found = consumer.consume(BATCH, WAIT_S)
                if found:
                    heard = time.monotonic()
                elif time.monotonic() - heard > SILENCE_S:
                    raise RuntimeError(f"{self.topic}: nothing came for {SILENCE_S:.0f} s")
                for message in found:
                    if message.error() is not None or (message.offset() or 0) >= end:
                        return
                    yield message.value() or b""
        finally:
            consumer.close()


def plain(schema: Any) -> Any:
    """A schema without logical types, so that every value is read as it was written."""
    if isinstance(schema, dict):
        return {key: plain(value) for key, value in schema.items() if key != "logicalType"}
    return [plain(each) for each in schema] if isinstance(schema, list) else schema


def read_back(ground: Ground, topic: str, form: str) -> Tally:
    """Sum up the rows of a whole topic."""
    end = Visible(ground, topic).committed()
    written = Written(ground.bootstrap, ground.registry_url, topic, form)
    edges = [end * number // READERS for number in range(READERS + 1)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(READERS, context) as pool:
        found = list(pool.map(written.tally, edges[:-1], edges[1:]))
    return sum(found, Tally(0, 0))
