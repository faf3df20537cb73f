"""The translation on the real engine: a snapshot in pages, live changes, death in the middle."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer

from streams.app import schemas_of, topics_of
from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.provenance import HEADER, begun
from streams.contracts.registry import ConfluentRegistry
from streams.contracts.topics import FACTS, TRANSLATE_INPUT
from streams.engine import provision, read_partition
from streams.runtime.connection import KafkaConnection
from tests.live.translation_job import app
from tests.translation_plant import UNCODED, Plant
from tests.translation_stream import Translation, chunked, ids_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.model.rows import SourceTransaction

ROOT = Path(__file__).parents[2]
LOTS = 1_500


class Site:
    """A group of its own with its topics, and its one worker."""

    def __init__(self, bootstrap: str, registry: str, folder: Path) -> None:
        self.connection = KafkaConnection(
            bootstrap, group=f"translation-{os.getpid()}-{folder.name}"
        )
        self.registry = ConfluentRegistry(registry)
        self.codec = Codec(Catalog.load(), self.registry, group=self.connection.group)
        self.codec.prepare(schemas_of(app), register=True)
        provision(self.connection, topics_of(app, self.connection))
        self.log = folder / "worker.log"
        self.environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("LOTGATE_")},
            "LOTGATE_BOOTSTRAP": bootstrap,
            "LOTGATE_REGISTRY_URL": registry,
            "LOTGATE_GROUP": self.connection.group,
            "LOTGATE_REPLICATION_FACTOR": "1",
            "LOTGATE_MIN_INSYNC": "1",
            "LOTGATE_DATA_DIR": str(folder / "data"),
            "LOTGATE_INSTANCE_ID": "a",
            "LOTGATE_SESSION_TIMEOUT_MS": "6000",
        }
        self.worker: subprocess.Popen[bytes] | None = None

    def start(self, **more: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            self.worker = subprocess.Popen(
                [
                    str(Path(sys.executable).with_name("lotgate")),
                    "worker",
                    "--app",
                    "tests.live.translation_job:app",
                ],
                cwd=ROOT,
                env={**self.environment, **more},
                stdout=log,
                stderr=log,
            )
        return self.worker

    def end(self) -> None:
        self.registry.close()
        if self.worker is not None and self.worker.poll() is None:
            self.worker.kill()
            self.worker.wait(10)

    def send(self, records: list[SourceTransaction]) -> None:
        producer = Producer(
            {
                "bootstrap.servers": self.connection.bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
            }
        )
        topic = TRANSLATE_INPUT.full_name("", self.connection.group)
        headers: list[tuple[str, str | bytes | None]] = [(HEADER, begun("test", "1", "e-1"))]
        for record in records:
            value = self.codec.encode(TRANSLATE_INPUT, record)
            producer.produce(topic, value, record.source, headers=headers)
            producer.poll(0)
        assert producer.flush(30) == 0

    def records(self, topic: str, partitions: int) -> list[Any]:
        return [
            record
            for number in range(partitions)
            for record in read_partition(self.connection, topic, number)
            if record is not None
        ]

    def fact_ids(self) -> list[str]:
        """Ids of this group's facts; the fact topics are shared by all groups of the broker."""
        facts = [
            self.codec.decode(topic, record.value).envelope
            for topic in FACTS
            for record in self.records(topic.full_name("", self.connection.group), topic.partitions)
        ]
        return [item.event_id for item in facts if item.source.system == self.connection.group]

    def dead_letters(self) -> list[dict[str, bytes]]:
        return [dict(item.headers) for item in self.records(f"dlq.{self.connection.group}", 1)]


@pytest.fixture
def site(broker: str, registry: str, tmp_path: Path) -> Iterator[Site]:
    site = Site(broker, registry, tmp_path)
    yield site
    site.end()


def until_equal(site: Site, expected: Counter[str], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (found := Counter(site.fact_ids())) != expected:
        assert site.worker is not None
        assert site.worker.poll() is None, site.log.read_text()[-6_000:]
        lost, more = expected - found, found - expected
        text = f"{len(lost)} lost, {len(more)} too many\n{site.log.read_text()[-4_000:]}"
        assert time.monotonic() < deadline, text
        time.sleep(0.5)


@pytest.mark.urs("M4.4", "M3.3")
@pytest.mark.parametrize("point", ["before_commit:2", "after_commit:3"])
def test_a_snapshot_in_pages_and_live_changes_survive_a_death(site: Site, point: str) -> None:
    plant = Plant()
    plant.source = site.connection.group
    lots = [plant.lot(f"R-{number}")[0] for number in range(LOTS)]
    for lot in lots:
        plant.move(lot, 1, 11, shipment=f"stock.shipment.in,{lot}", state="done")
    rows = sorted(plant.rows, key=lambda address: (address[0], int(address[1])))
    snapshot = plant.snapshot(*(plant.change("u", *address) for address in rows))
    inspection, bad = plant.next(), plant.lot("U-001", UNCODED)[1]
    live = [
        plant.transaction(
            plant.change(
                "c",
                "quality_inspection",
                inspection,
                number="QI-1",
                control=1,
                origin=f"stock.shipment.in,{lots[7]}",
                state="pending",
                processed_at=None,
                processed_by=None,
                passed_by=None,
                failed_by=None,
                create_uid=5,
                write_uid=5,
            ),
            bad,
        ),
        plant.judged(inspection),
    ]
    records = [*chunked(snapshot, *([400] * (len(rows) // 400))), *live]
    oracle = Translation()
    oracle.feed(*records)
    expected = Counter(ids_of([fact for fact in oracle.said if hasattr(fact, "envelope")]))
    assert len(expected) > LOTS
    worker = site.start(LOTGATE_FAULT=point)
    site.send(records)
    assert worker.wait(60) == 137, site.log.read_text()[-6_000:]
    site.start()
    until_equal(site, expected, 60)
    letters = site.dead_letters()
    assert [letter["lotgate-dlq-code"] for letter in letters] == [b"product_without_code"]
    assert b"stock_lot" in letters[0]["lotgate-dlq-message"]
