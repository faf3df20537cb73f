"""Two versions of one type live on one topic, whoever is rolled out first."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, Producer, TopicPartition

from streams.cli import cli
from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.evolution.publishing import publish_all
from streams.contracts.provisioning import topic_spec
from streams.contracts.registry import FULL_TRANSITIVE, ConfluentRegistry
from streams.engine import provision
from streams.errors import Misconfigured
from streams.model.facts import Nonconformity
from streams.rules.hold import route_cause
from streams.runtime.connection import KafkaConnection
from tests.earlier_quality import DEVIATION, FIRST, FIRST_CATALOG, NC, TODAY, as_first
from tests.unit.contract_samples import LOT_ID, SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.urs("M4.5")

NOW = {
    NC: SAMPLES["lotgate.quality.Nonconformity"],
    DEVIATION: SAMPLES["lotgate.quality.Deviation"],
}
"""An event of today for each topic; every field has a value of its own."""
READ_WITHIN_S = 20.0


class Plant:
    """One installation's broker and registry, and the builds that are rolled out on it."""

    def __init__(self, broker: str, client: ConfluentRegistry, prefix: str) -> None:
        self.broker, self.registry, self.prefix = broker, client, prefix
        self.first = Codec(FIRST_CATALOG, self.registry, prefix)
        self.today = Codec(Catalog.load(), self.registry, prefix)
        connection = KafkaConnection(broker, prefix)
        specs = [topic_spec(replace(topic, partitions=1), connection) for topic in TODAY.values()]
        provision(connection, specs)

    def name(self, topic: str) -> str:
        return TODAY[topic].full_name(self.prefix, "g")

    def roll_out(self, codec: Codec) -> None:
        """What a release does before it runs: publish its schemas, with their level."""
        topics = FIRST if codec is self.first else TODAY
        wanted = {codec.subject(topic): codec.schema(topic) for topic in topics.values()}
        publish_all(self.registry, wanted)
        codec.prepare(topics.values())

    def write(self, codec: Codec, *events: Any) -> None:
        producer = Producer({"bootstrap.servers": self.broker, "enable.idempotence": True})
        for event in events:
            topic = NC if hasattr(event, "nc_id") else DEVIATION
            declared = FIRST[topic] if codec is self.first else TODAY[topic]
            producer.produce(self.name(topic), codec.encode(declared, event), declared.key(event))
        assert producer.flush(30) == 0

    def read(self, codec: Codec, topic: str) -> list[Any]:
        """Everything on the topic, as a build of that time reads it."""
        declared = FIRST[topic] if codec is self.first else TODAY[topic]
        consumer = Consumer({"bootstrap.servers": self.broker, "group.id": "reads-nothing-back"})
        place = TopicPartition(self.name(topic), 0, 0)
        _, end = consumer.get_watermark_offsets(place, timeout=20)
        consumer.assign([place])
        found: list[Any] = []
        until = time.monotonic() + READ_WITHIN_S
        while len(found) < end:
            assert time.monotonic() < until, f"{len(found)} of {end} records"
            for record in consumer.consume(end, 0.5):
                assert record.error() is None
                payload = record.value()
                assert isinstance(payload, bytes)
                found.append(codec.decode(declared, payload))
        consumer.close()
        return found


@pytest.fixture
def client(registry: str) -> Iterator[ConfluentRegistry]:
    made = ConfluentRegistry(registry)
    yield made
    made.close()


def numbered(topic: str, count: int) -> list[Any]:
    lots = [f"{LOT_ID}-{number}" for number in range(count)]
    return [replace(NOW[topic], ref=f"{number}", lots=(lot,)) for number, lot in enumerate(lots)]


def test_the_writer_first_then_the_readers(broker: str, client: ConfluentRegistry) -> None:
    plant = Plant(broker, client, "writer-first")
    plant.roll_out(plant.first)
    events = {topic: numbered(topic, 4) for topic in TODAY}
    for old in events.values():
        plant.write(plant.first, *map(as_first, old[:2]))
    plant.roll_out(plant.today)
    for new in events.values():
        plant.write(plant.today, *new[2:])
        plant.write(plant.first, as_first(new[0]))  # one writer is not rolled out yet
    for topic, sent in events.items():
        # The old reader misses what it does not know, and nothing else.
        assert plant.read(plant.first, topic) == [as_first(event) for event in [*sent, sent[0]]]
        old, new = plant.read(plant.today, topic)[:2], plant.read(plant.today, topic)[2:4]
        assert new == sent[2:]
        assert [as_first(event) for event in old] == [as_first(event) for event in sent[:2]]
        assert [event.affected[0].lot_id for event in old] == [event.lots[0] for event in sent[:2]]
        assert plant.registry.subject_level(f"{plant.name(topic)}-value") == FULL_TRANSITIVE
        assert len(plant.registry.versions(f"{plant.name(topic)}-value")) == 2
    # Rules of the new build decide the same of both forms.
    for was, now in zip(plant.read(plant.today, NC)[:2], events[NC][:2], strict=True):
        assert isinstance(was, Nonconformity)
        assert route_cause.decide(None, was) == route_cause.decide(None, now)


def test_the_readers_first_then_the_writer(broker: str, client: ConfluentRegistry) -> None:
    plant = Plant(broker, client, "readers-first")
    plant.roll_out(plant.first)
    for topic in TODAY:
        plant.write(plant.first, as_first(numbered(topic, 1)[0]))
    plant.roll_out(plant.today)
    for topic in TODAY:
        (old,) = plant.read(plant.today, topic)
        assert as_first(old) == as_first(numbered(topic, 1)[0])
    for topic in TODAY:
        sent = numbered(topic, 3)
        plant.write(plant.today, *sent[1:])
        assert plant.read(plant.today, topic)[1:] == sent[1:]
        # Back to the release before: it still reads all that the new one wrote.
        assert plant.read(plant.first, topic) == [as_first(event) for event in sent]


def test_what_would_break_a_reader_is_refused_by_us_and_by_the_registry(
    broker: str, client: ConfluentRegistry
) -> None:
    plant = Plant(broker, client, "refused")
    plant.roll_out(plant.first)
    topic = TODAY[NC]
    subject, schema = plant.today.subject(topic), plant.today.schema(topic)
    broken = json.loads(json.dumps(schema))
    broken["fields"] = [field for field in broken["fields"] if field["name"] != "severity"]
    with pytest.raises(Misconfigured, match=r"Nonconformity\.severity: has no default") as caught:
        publish_all(plant.registry, {subject: broken})
    assert caught.value.code == "incompatible_schema"
    with pytest.raises(Misconfigured, match="incompatible_schema"):
        plant.registry.register(subject, broken)
    assert len(plant.registry.versions(subject)) == 1


def lotgate(broker: str, registry: str, *words: str, code: int | None) -> str:
    settings = {"bootstrap": broker, "registry_url": registry, "prefix": "schema-commands"}
    result = CliRunner().invoke(cli, ["schema", *words], obj=lambda: settings)
    assert code is None or result.exit_code == code, result.output
    return result.output


def test_check_and_publish_at_a_live_registry(
    broker: str, registry: str, client: ConfluentRegistry
) -> None:
    def run(*words: str, code: int | None = 0) -> str:
        return lotgate(broker, registry, *words, code=code)

    def subjects() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(run("check", "--json", code=None))["subjects"]
        return found

    subject = "schema-commands.quality.nonconformity.events-value"
    codec = Codec(FIRST_CATALOG, client, "schema-commands")
    codec.prepare([FIRST[NC]], register=True)
    # Only the first version is there: the new build says what is missing before it starts.
    assert {each["state"] for each in subjects()} == {"missing"}
    assert " levels set)" in run("publish")
    assert "(0 new, 0 levels set)" in run("publish")
    assert len(client.versions(subject)) == 2
    assert {each["state"] for each in subjects()} == {"there"}
    assert not any(each["weak"] or each["reasons"] for each in subjects())
    assert "[level_weakened]" in run("publish", "--level", "BACKWARD", code=2)

    client.set_subject_level(subject, "NONE")
    shown = run("check", code=4)
    assert f"WEAK     {subject} is at NONE" in shown
    foreign = {
        "type": "record", "name": "lotgate.quality.Nonconformity",
        "fields": [{"name": "severity", "type": "long"}],
    }  # fmt: skip
    client.register(subject, foreign)  # what the weak level lets somebody do
    shown = run("check", code=4)
    assert "avro/quality/nonconformity.v2.avsc:" in shown
    assert "Nonconformity.severity: long became string" in shown
    assert "hurts stage route-cause-nonconformity" in shown
    assert "(0 new, 1 levels set)" in run("publish")
