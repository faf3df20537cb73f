"""Interface documents against a running broker and registry: clean, then each drift by name."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import closing, contextmanager
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from aiokafka.client import AIOKafkaClient  # type: ignore[import-untyped]
from aiokafka.protocol.api import Request, RequestStruct, Response  # type: ignore[import-untyped]
from aiokafka.protocol.types import Array, Boolean, Float64, Int16, Int32, Schema, String  # type: ignore[import-untyped]
from click.testing import CliRunner, Result
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourcePatternType,
    ResourceType,
)
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from connectors.runner.health.sink import SinkHealth, SinkTold
from connectors.runner.sink.config import SinkConfig
from streams.app import installation_of, main_job, schemas_of
from streams.cli import cli
from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.evolution.publishing import publish_all
from streams.contracts.registry import ConfluentRegistry
from streams.contracts.topic_specs import TopicSpec
from streams.contracts.topics import LOTS
from streams.engine import access_rules, account_quotas, provision
from streams.runtime.connection import KafkaConnection
from streams.runtime.health import HealthServer
from tests.live.own_broker import ACCESS_CONTROL, own_broker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.urs("M1.6", "X2")

ROOT = Path(__file__).parents[2]
DOCUMENTS = ROOT / "deploy" / "contracts" / "icd"
TESTED = "2026-11-24"
"""A day on which every shipped contact counts as tested."""
DAY_MS = 86_400_000


class Site:
    """An installation of a test's own.

    Args:
        bootstrap: The broker.
        registry: The schema registry.
        prefix: The installation's prefix.
    """

    def __init__(self, bootstrap: str, registry: str, prefix: str) -> None:
        self.connection = KafkaConnection(bootstrap, prefix=prefix)
        self.registry = registry
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})

    def name(self, topic: str) -> str:
        return f"{self.connection.prefix}.{topic}"

    def install(self) -> None:
        provision(self.connection, installation_of(self.connection))
        with closing(ConfluentRegistry(self.registry)) as registry:
            codec = Codec(Catalog.load(), registry, self.connection.prefix, self.connection.group)
            topics = schemas_of(main_job())
            publish_all(registry, {codec.subject(t): codec.schema(t) for t in topics})

    def set(self, topic: str, **settings: str) -> None:
        entries = [
            ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
            for name, value in settings.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, self.name(topic), incremental_configs=entries)
        for answer in self.admin.incremental_alter_configs([resource]).values():
            answer.result(timeout=10)

    def verify(self, *words: str, folder: Path = DOCUMENTS) -> Result:
        settings = {
            "bootstrap": self.connection.bootstrap,
            "registry_url": self.registry,
            "prefix": self.connection.prefix,
            "replication_factor": 1,
            "min_insync": 1,
        }
        told = ["icd", "verify", "--dir", str(folder), "--on", TESTED, "--json", *words]
        return CliRunner().invoke(cli, told, obj=lambda: settings)


def answer(result: Result, code: int) -> dict[str, Any]:
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def drifts(site: Site, *words: str, folder: Path = DOCUMENTS) -> list[tuple[str, str, str]]:
    """Subject, code and text of every difference."""
    result = site.verify(*words, folder=folder)
    found = answer(result, 4 if '"drifts":[{' in result.stdout else 0)
    return [(each["subject"], each["code"], each["text"]) for each in found["drifts"]]


def test_an_installation_verifies_clean_and_every_change_of_it_is_one_line(
    broker: str, registry: str
) -> None:
    site = Site(broker, registry, "icd")
    missing = answer(site.verify(), 4)["drifts"]
    assert {each["code"] for each in missing} == {"topic_missing"}
    site.install()
    assert answer(site.verify(), 0)["drifts"] == []
    assert answer(site.verify("--complete"), 4)["not_compared"][0].startswith("accounts: ")

    site.set("inventory.hold.commands", retention_ms=str(7 * DAY_MS))
    site.set("inventory.hold.acks", cleanup_policy="compact")
    site.set("inventory.hold.state", cleanup_policy="compact,delete")
    lots, facts = site.name("inventory.lot.events"), site.name("quality.nonconformity.events")
    for done in site.admin.create_partitions([NewPartitions(lots, 6)]).values():
        done.result(timeout=10)
    with closing(ConfluentRegistry(registry)) as found:
        found.set_subject_level(f"{facts}-value", "BACKWARD")
        specs = site.name("quality.customer_spec.events")
        found.set_subject_level(f"{specs}-value", "NONE")
        found.register(f"{specs}-value", Catalog.load().schema(str(LOTS.schema)))
        found.set_subject_level(f"{specs}-value", "FULL_TRANSITIVE")
    named = {(subject, code): text for subject, code, text in drifts(site)}
    assert named.keys() == {
        (site.name("inventory.hold.commands"), "retention_drift"),
        (site.name("inventory.hold.acks"), "audit_compacted"),
        (site.name("inventory.hold.state"), "cleanup_drift"),
        (lots, "partitions_drift"),
        (facts, "level_drift"),
        (specs, "version_drift"),
    }
    assert named[site.name("inventory.hold.commands"), "retention_drift"] == (
        "retention is 7d on the broker, the document says forever"
    )
    late = site.verify("--on", "2027-06-01")
    ages = [each for each in answer(late, 4)["drifts"] if each["code"] == "contact_untested"]
    assert len(ages) == 16
    assert "90 are allowed" in ages[0]["text"]


@contextmanager
def probes(contract: dict[str, Any]) -> Iterator[str]:
    told = SinkTold("erp-hold", "1", SinkHealth(), contract)
    server = HealthServer("127.0.0.1", 0, told.report)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()


def test_a_running_connector_is_asked_for_its_retry_budget_and_dead_letters(
    broker: str, registry: str
) -> None:
    site = Site(broker, registry, "icdc")
    site.install()
    kept = SinkConfig(target="erp", prefix="icdc").contract
    with probes(kept) as url:
        assert drifts(site, "--connector", f"erp-hold={url}") == []
    with probes({**kept, "retry": {**kept["retry"], "reads": 9}, "dead_letters": "dlq.x"}) as url:
        found = drifts(site, "--connector", f"erp-hold={url}")
        other = site.verify("--connector", f"evidence={url}")
        assert (other.exit_code, "it is erp-hold" in other.stderr) == (2, True)
    assert found == [
        (
            "connector erp-hold",
            "dead_letters_drift",
            "it writes dead letters to dlq.x, the document says icdc.dlq.lotgate-erp-hold",
        ),
        (
            "connector erp-hold",
            "retry_drift",
            "its retry budget has reads=9, the document says 3",
        ),
    ]
    gone = site.verify("--connector", f"erp-hold={url}")
    assert (gone.exit_code, "connector_unreachable" in gone.stderr) == (5, True)


def test_two_hundred_topics_are_compared_in_less_than_five_seconds(
    broker: str, registry: str, tmp_path: Path
) -> None:
    site = Site(broker, registry, "many")
    document = yaml.safe_load((DOCUMENTS / "canonical-facts.yaml").read_text(encoding="utf-8"))
    pattern = next(t for t in document["topics"] if t["name"] == LOTS.name)
    document["topics"] = [
        {**deepcopy(pattern), "name": f"plant.t{number}.events", "partitions": 1}
        for number in range(200)
    ]
    (tmp_path / "many.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    kept = {"cleanup.policy": "delete", "retention.ms": "-1"}
    names = [f"many.plant.t{number}.events" for number in range(200)]
    provision(site.connection, [TopicSpec(name, 1, 1, kept) for name in names])
    with closing(ConfluentRegistry(registry)) as found:
        schema = Catalog.load().schema(str(LOTS.schema))
        for name in names:
            found.set_subject_level(f"{name}-value", "FULL_TRANSITIVE")
            found.register(f"{name}-value", schema)
    result = answer(site.verify(folder=tmp_path), 0)
    assert (result["topics"], result["drifts"]) == (200, [])
    assert result["seconds"] < 5
    site.set("plant.t117.events", retention_ms="1")
    assert [each[0] for each in drifts(site, folder=tmp_path)] == ["many.plant.t117.events"]


def rule(account: str, topic: str, right: AclOperation, *, prefixed: bool = False) -> AclBinding:
    return AclBinding(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.PREFIXED if prefixed else ResourcePatternType.LITERAL,
        f"User:{account}",
        "*",
        right,
        AclPermissionType.ALLOW,
    )


def grant(site: Site, rules: list[AclBinding], *, in_all: int) -> None:
    """Add rules, and wait until the broker tells of them: it does so a moment later."""
    for done in site.admin.create_acls(rules).values():
        done.result(timeout=10)
    until(lambda: len(access_rules(site.connection) or ()) == in_all)


def until(is_so: Callable[[], bool]) -> None:
    Retrying(
        retry=retry_if_result(lambda found: not found),
        stop=stop_after_delay(10),
        wait=wait_fixed(0.05),
    )(is_so)


class _Altered(Response):  # type: ignore[misc]
    API_KEY, API_VERSION = 49, 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "entries",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("entity", Array(("type", String("utf-8")), ("name", String("utf-8")))),
            ),
        ),
    )


class _Alter(RequestStruct):  # type: ignore[misc]
    API_KEY, API_VERSION = 49, 0
    RESPONSE_TYPE = _Altered
    SCHEMA = Schema(
        (
            "entries",
            Array(
                ("entity", Array(("type", String("utf-8")), ("name", String("utf-8")))),
                ("ops", Array(("key", String("utf-8")), ("value", Float64), ("remove", Boolean))),
            ),
        ),
        ("validate_only", Boolean),
    )


class _AlterQuotas(Request[_Alter]):  # type: ignore[misc]
    API_KEY = 49

    def __init__(self, account: str, key: str, value: float) -> None:
        self._entry = ([("user", account)], [(key, value, False)])

    def build(self, request_struct_class: type[_Alter]) -> _Alter:
        return request_struct_class([self._entry], False)


async def set_quota(bootstrap: str, account: str, key: str, value: float) -> None:
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        done = await client.send(client.get_random_node(), _AlterQuotas(account, key, value))
        assert done.entries[0][0] == 0, done
    finally:
        await client.close()


class _NoSchemas(BaseHTTPRequestHandler):
    """A registry that has a level and no subject: what is looked at here is the broker."""

    def do_GET(self) -> None:
        known = self.path == "/config"
        body = json.dumps({"compatibilityLevel": "FULL_TRANSITIVE"} if known else {}).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def empty_registry() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _NoSchemas)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_accounts_and_quotas_are_compared_with_a_broker_that_keeps_them(
    parts_cache: Path, tmp_path: Path
) -> None:
    document = yaml.safe_load((DOCUMENTS / "erp-hold.yaml").read_text(encoding="utf-8"))
    sink, evidence, worker = "lotgate-erp-hold", "lotgate-evidence", "lotgate-worker"
    document["topics"] = [
        {key: value for key, value in topic.items() if key != "schema"}
        for topic in document["topics"]
        if topic["name"] == "inventory.hold.commands"
    ]
    document["quotas"] = [{"account": f"User:{sink}", "producer_bytes_per_s": 1_000_000}]
    (tmp_path / "erp-hold.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    with own_broker(parts_cache, ACCESS_CONTROL) as stack, empty_registry() as registry:
        site = Site(stack.broker.bootstrap, registry, "acl")
        topic = site.name("inventory.hold.commands")
        provision(site.connection, installation_of(site.connection))
        given = [
            rule(sink, topic, AclOperation.READ),
            rule(worker, "acl.", AclOperation.ALL, prefixed=True),
        ]
        grant(site, given, in_all=2)
        found = drifts(site, folder=tmp_path)
        assert found == [
            (
                topic,
                "access_drift",
                f"User:{evidence} may not READ it on the broker, the document lets it",
            ),
            (
                topic,
                "access_drift",
                f"User:{worker} may READ it on the broker, the document does not know that",
            ),
            (
                f"quota of User:{sink}",
                "quota_drift",
                "producer_bytes_per_s is not set on the broker, the document says 1e+06",
            ),
        ]
        grant(site, [rule(evidence, topic, AclOperation.READ)], in_all=3)
        asyncio.run(set_quota(site.connection.bootstrap, sink, "producer_byte_rate", 1_000_000))
        until(lambda: sink in account_quotas(site.connection))
        assert [each[2] for each in drifts(site, folder=tmp_path)] == [found[1][2]]
