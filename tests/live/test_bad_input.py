"""Bad input ends as a dead letter with its bytes and position, and other keys flow on."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from confluent_kafka import Producer
from demo import pipeline
from demo.run import Demo
from localstack import PlainReport, scenario
from psycopg.rows import dict_row

from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.registry import ConfluentRegistry
from streams.contracts.topics import NONCONFORMITIES
from streams.engine import read_partition
from streams.runtime.connection import KafkaConnection
from tests.live.facts import a_nonconformity
from tests.parts import temporary_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNKNOWN_ID = b"\x00" + (999_999).to_bytes(4, "big") + b"body"
NOT_FRAMED = b'{"cause_id": "text instead of Avro"}'


@pytest.fixture(scope="module")
def demo(parts_cache: Path) -> Iterator[Demo]:
    with temporary_stack(parts_cache) as stack:
        demo = Demo(stack, PlainReport())
        demo.fresh_start()
        yield demo
        for name in pipeline.PROCESSES:
            stack.stop(name)


def dead_letters(demo: Demo) -> list[dict[str, Any]]:
    """Dead letters of the topics; the evidence store's own, of what it reads itself, are apart."""
    with psycopg.connect(demo.stack.addresses().evidence_dsn, row_factory=dict_row) as connection:
        return connection.execute(
            "select * from evidence.dead_letters where origin = 'topic'"
        ).fetchall()


def produced(demo: Demo, topic: str, key: str, value: bytes) -> tuple[int, int]:
    """Write raw bytes as a faulty client would; return partition and offset."""
    where: list[Any] = []
    producer = Producer(
        {
            "bootstrap.servers": demo.stack.addresses().bootstrap,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
        }
    )
    producer.produce(
        topic, value, key, on_delivery=lambda _, m: where.append((m.partition(), m.offset()))
    )
    producer.flush(30)
    partition, offset = where[0]
    return int(partition), int(offset)


@pytest.mark.urs("M3.3", "M4.4")
def test_bad_records_and_rows_become_dead_letters_and_the_next_events_flow(demo: Demo) -> None:
    places = {
        UNKNOWN_ID: ("lotgate-cause-input", "unknown_schema_id"),
        NOT_FRAMED: ("lotgate-lot-input", "not_framed"),
    }
    positions = {
        value: produced(demo, topic, "bad-key", value) for value, (topic, _) in places.items()
    }
    truncated = a_truncated_fact(demo)
    where_truncated = produced(demo, "quality.nonconformity.events", "bad-key", truncated)
    demo.qms.open_nonconformity("NC-BAD", "major", [(scenario.RESIN, " ")], "a lot without number")
    demo.qms.open_nonconformity("NC-GOOD", "minor", [(scenario.RESIN, "R-002")], "scratched")

    demo.watch.until(
        "the hold of the good record", lambda: "R-002" in demo.watch.acks(), 90, demo.need_running
    )
    demo.watch.until(
        "four dead letters", lambda: len(dead_letters(demo)) >= 4, 60, demo.need_running
    )

    found = dead_letters(demo)
    told = [(letter["original_topic"], letter["code"], letter["message"]) for letter in found]
    assert len(found) == 4, "\n".join(map(str, told))
    by_bytes = {bytes(letter["record_value"] or b""): letter for letter in found}
    for value, (topic, code) in places.items():
        assert_kept(by_bytes[value], topic, positions[value], code)
    letter = by_bytes[truncated]
    assert_kept(letter, "quality.nonconformity.events", where_truncated, "truncated_body")
    row = next(letter for letter in found if "nc_lot" in letter["message"])
    assert row["original_topic"] == "lotgate-translate-input"
    assert (row["code"], "Next: " in row["message"]) == ("lot_without_number", True)
    assert bytes(row["record_value"]) == record_at(demo, row)
    assert demo.watch.acks()["R-002"].result == "contained"


def record_at(demo: Demo, letter: dict[str, Any]) -> bytes | None:
    """The bytes that lie at the position which a dead letter names."""
    connection = KafkaConnection(demo.stack.addresses().bootstrap)
    topic, partition = letter["original_topic"], letter["original_partition"]
    for record in read_partition(connection, topic, partition, offset=letter["original_offset"]):
        if record is not None:
            assert record.offset == letter["original_offset"]
            return record.value
    return None


def assert_kept(letter: dict[str, Any], topic: str, position: tuple[int, int], code: str) -> None:
    """Bytes were compared by the caller; here: where it lay, why, and that advice is given."""
    assert letter["original_topic"] == topic
    assert (letter["original_partition"], letter["original_offset"]) == position
    assert letter["code"] == code
    assert "Next: " in letter["message"]


def a_truncated_fact(demo: Demo) -> bytes:
    """A real nonconformity's bytes, cut in the middle."""
    with closing(ConfluentRegistry(demo.stack.addresses().registry_url)) as registry:
        codec = Codec(Catalog.load(), registry)
        codec.prepare((NONCONFORMITIES,))
        whole = codec.encode(NONCONFORMITIES, a_nonconformity())
    return whole[: len(whole) // 2]
