"""The registry client against a real Apicurio: what it does differently must not reach us."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.evolution import publish
from streams.contracts.registry import FULL_TRANSITIVE, ConfluentRegistry
from streams.contracts.topics import HOLD_COMMANDS, INTERNAL, PUBLIC
from streams.contracts.wire.schema_tree import self_contained, shape
from streams.errors import Misconfigured, Poison
from tests.unit.contract_samples import COMMAND

pytestmark = pytest.mark.urs("M4.5")


def record(subject: str, *fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": f"live.{subject}", "fields": list(fields)}


A = {"name": "a", "type": "string"}
B = {"name": "b", "type": "string", "default": ""}


@pytest.fixture
def client(registry: str) -> Iterator[ConfluentRegistry]:
    made = ConfluentRegistry(registry)
    yield made
    made.close()


def test_the_stack_checks_everything(client: ConfluentRegistry) -> None:
    assert client.level() == FULL_TRANSITIVE


def test_a_schema_comes_back_by_its_id(client: ConfluentRegistry) -> None:
    schema = record("Comes", A, B)
    assert client.lookup("live-comes-value", schema) is None
    given = client.register("live-comes-value", schema)
    assert client.register("live-comes-value", schema) == given
    assert client.lookup("live-comes-value", schema) == given
    # The registry writes names in a form of its own; the meaning is the same.
    assert shape(self_contained(client.schema_of(given))) == shape(schema)
    assert "live-comes-value" in client.subjects()


def test_an_incompatible_schema_is_refused_with_its_reason(client: ConfluentRegistry) -> None:
    client.register("live-breaks-value", record("Breaks", A))
    broken = record("Breaks", A, {"name": "c", "type": "string"})
    assert client.compatible("live-breaks-value", record("Breaks", A, B))
    assert not client.compatible("live-breaks-value", broken)
    with pytest.raises(Misconfigured, match="incompatible_schema"):
        client.register("live-breaks-value", broken)


def test_a_decimals_scale_is_refused_by_us_where_the_registry_lets_it_in(
    client: ConfluentRegistry,
) -> None:
    def scaled(scale: int) -> dict[str, Any]:
        kind = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": scale}
        return record("Scaled", {"name": "d", "type": kind})

    publish(client, "live-scaled-value", scaled(2))
    assert client.compatible("live-scaled-value", scaled(3)), "the registry has learnt it"
    with pytest.raises(Misconfigured, match="scale"):
        publish(client, "live-scaled-value", scaled(3))
    assert len(client.versions("live-scaled-value")) == 1
    assert client.versions("live-nobody-value") == ()


def test_an_unknown_subject_takes_any_schema(client: ConfluentRegistry) -> None:
    assert client.compatible("live-nobody-value", record("Nobody", A))


def test_an_unknown_id_is_poison_and_a_wrong_address_is_not(client: ConfluentRegistry) -> None:
    with pytest.raises(Poison, match="unknown_schema_id"):
        client.schema_of(2_000_000_000)
    wrong = ConfluentRegistry(client.url.replace("/apis/ccompat/v7", "/health"))
    with pytest.raises(Misconfigured):
        wrong.level()
    wrong.close()


def test_two_who_register_at_once_get_one_id(client: ConfluentRegistry) -> None:
    schema, given = record("Once", A), []

    def register() -> None:
        own = ConfluentRegistry(client.url)
        given.append(own.register("live-once-value", schema))
        own.close()

    threads = [threading.Thread(target=register) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(given) == 6
    assert len(set(given)) == 1


@pytest.mark.urs("M3.1")
def test_every_contract_is_published_and_then_only_looked_up(client: ConfluentRegistry) -> None:
    topics = (*PUBLIC, *INTERNAL)
    catalog = Catalog.load()
    reader = Codec(catalog, client, "live", "g")
    with pytest.raises(Misconfigured, match="lotgate schema publish"):
        reader.prepare(topics)
    writer = Codec(catalog, client, "live", "g")
    writer.prepare(topics, register=True)
    reader.prepare(topics)
    payload = writer.encode(HOLD_COMMANDS, COMMAND)
    assert reader.decode(HOLD_COMMANDS, payload) == COMMAND
    stranger = Codec(Catalog(()), client)
    name, value = stranger.decode_any(payload)
    assert name == "lotgate.inventory.HoldCommand"
    assert value["lot_id"] == COMMAND.lot_id
