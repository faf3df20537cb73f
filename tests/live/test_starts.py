"""How our processes start on a broker that is not ready, or not there: they say so and end."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from demo import pipeline

from streams.app import installation_of
from streams.engine import ExitCode, Transaction, provision
from streams.errors import Misconfigured
from streams.runtime.connection import KafkaConnection
from tests.live.test_cdc_support import drop_rig, make_rig, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localstack import Addresses, Stack

pytestmark = pytest.mark.urs("M4.4")

END_S = 30.0
"""How long a process may take to refuse: most of it is the interpreter's start."""
STOP_S = 2.0
TOO_LONG_MS = 1_000_000
"""Above Kafka's own transaction.max.timeout.ms of 15 minutes."""


class Site:
    """The processes of one installation, with a prefix of its own."""

    def __init__(self, addresses: Addresses, folder: Path) -> None:
        self.prefix = f"starts{secrets.token_hex(4)}"
        self.connection = KafkaConnection(addresses.bootstrap, prefix=self.prefix)
        self._addresses = addresses
        self._folder = folder
        self._key = folder / "key"
        self._key.write_text("no key is asked for before the topics are right", encoding="utf-8")

    def start(self, name: str, **more: str) -> subprocess.Popen[str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("LOTGATE_")}
        own = pipeline.settings_of(name, self._addresses, self._folder)
        if name == "erp-hold":
            own["LOTGATE_ERP_KEY_FILE"] = str(self._key)
        told = {
            "LOTGATE_PROVISION": "false",
            "LOTGATE_PREFIX": self.prefix,
            "LOTGATE_LOG_FORMAT": "text",
        }
        return subprocess.Popen(
            pipeline.command_of(name),
            env=inherited | own | told | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def refused(self, changes: dict[str, dict[str, str]]) -> dict[str, str]:
        """Start processes side by side; give what each said when it ended with `preflight`."""
        running = {name: self.start(name, **more) for name, more in changes.items()}
        said: dict[str, str] = {}
        try:
            for name, process in running.items():
                out, err = process.communicate(timeout=END_S)
                assert process.returncode == ExitCode.PREFLIGHT, f"{name}: {out}{err}"
                sentences = [line for line in err.splitlines() if line.startswith("lotgate: ")]
                assert len(sentences) == 1, err
                assert "Traceback" not in out + err
                said[name] = sentences[0]
        finally:
            for process in running.values():
                process.kill()
                process.communicate()
        return said

    def alter(self, topic: str, name: str, value: str) -> None:
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(
            ResourceType.TOPIC, f"{self.prefix}.{topic}", incremental_configs=[entry]
        )
        admin = AdminClient({"bootstrap.servers": self.connection.bootstrap})
        for answer in admin.incremental_alter_configs([resource]).values():
            answer.result(timeout=10)


@pytest.fixture
def site(stack: Stack, broker: str, database: Addresses, tmp_path: Path) -> Site:
    addresses = stack.addresses()
    assert (addresses.bootstrap, addresses.qms_dsn) == (broker, database.qms_dsn)
    return Site(addresses, tmp_path)


def test_without_topics_every_process_names_them_and_the_command_that_makes_them(
    site: Site,
) -> None:
    said = site.refused({name: {} for name in pipeline.PROCESSES})
    missing = {
        "worker": "lotgate-lot-changelog",
        "erp-cdc": "lotgate-cdc-offsets",
        "qms-cdc": "dlq.lotgate-qms",
        "erp-hold": "inventory.hold.acks",
        "evidence": "inventory.lot.events",
    }
    for name, topic in missing.items():
        sentence = f"topic {site.prefix}.{topic} is missing: run `lotgate topology apply`"
        assert sentence in said[name], said[name]


def test_topics_that_would_lose_or_refuse_records_are_refused_by_name(site: Site) -> None:
    provision(site.connection, installation_of(site.connection))
    site.alter("lotgate-lot-changelog", "cleanup.policy", "delete")
    site.alter("lotgate-translate-input", "max.message.bytes", "1000")
    site.alter("inventory.hold.acks", "cleanup.policy", "compact")
    said = site.refused(
        {
            "worker": {"LOTGATE_TRANSACTION_TIMEOUT_MS": str(TOO_LONG_MS)},
            "qms-cdc": {},
            "erp-hold": {"LOTGATE_MIN_INSYNC": "2"},
            "evidence": {},
        }
    )
    assert (
        f"{site.prefix}.lotgate-lot-changelog has cleanup.policy=delete, needed is compact"
        in said["worker"]
    )
    assert f"set transaction.max.timeout.ms={TOO_LONG_MS}" in said["worker"]
    assert f"{site.prefix}.lotgate-translate-input takes records of 1000 bytes" in said["qms-cdc"]
    acks = f"{site.prefix}.inventory.hold.acks has"
    assert f"{acks} min.insync.replicas=1, the setting demands 2" in said["erp-hold"]
    assert f"{acks} cleanup.policy=compact, needed is delete" in said["evidence"]


def test_a_transaction_time_out_above_the_brokers_is_no_outage(broker: str) -> None:
    transaction = Transaction(KafkaConnection(broker), "too-long", timeout_ms=TOO_LONG_MS)
    with pytest.raises(Misconfigured) as refused:
        transaction.open()
    assert refused.value.code == "transaction_timeout"


@contextmanager
def silent_port() -> Iterator[str]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def closed_port() -> str:
    with silent_port() as address:
        return address


def stopped(process: subprocess.Popen[str]) -> float:
    """End a process as Kubernetes does; give the seconds it took."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=END_S)
    took = time.monotonic() - began
    assert process.returncode == 0, f"{out}{err}"
    assert "Traceback" not in out + err
    return took


@pytest.mark.parametrize("name", ["erp-cdc", "erp-hold", "evidence"])
@pytest.mark.parametrize("answers", ["refuses", "is silent"])
def test_without_a_broker_a_connector_says_so_and_stops_when_told(
    site: Site, name: str, answers: str
) -> None:
    with silent_port() as silent:
        address = silent if answers == "is silent" else closed_port()
        process = site.start(name, LOTGATE_BOOTSTRAP=address)
        try:
            assert process.stdout
            line = process.stdout.readline()
            assert f"waits for the broker at {address}" in line
            assert stopped(process) < STOP_S
        finally:
            process.kill()
            process.communicate()


def test_a_source_whose_broker_hangs_in_a_transaction_stops_when_told(
    site: Site, stack: Stack, database: Addresses, registry: str
) -> None:
    rig = make_rig(
        database.admin_dsn,
        site.connection.bootstrap,
        registry,
        "create table item(id int primary key, v text)",
        "create publication lotgate for table item",
    )
    process = site.start(
        "erp-cdc",
        LOTGATE_PROVISION="true",
        LOTGATE_PREFIX=rig.name,
        LOTGATE_REGISTRY_URL=registry,
        LOTGATE_SOURCE_DSN=rig.dsn,
        LOTGATE_SOURCE_SLOT=rig.name,
    )
    (hanging,) = [part.pid for part in stack.status() if part.name == "broker" and part.pid]
    reads = f"select 1 from pg_replication_slots where slot_name = '{rig.name}' and active"
    sent = (
        "select 1 from pg_stat_replication join pg_replication_slots on active_pid = pid"
        f" where slot_name = '{rig.name}' and sent_lsn >= '{{}}'"
    )
    try:
        until(lambda: rig.rows(reads), "the stream", END_S)
        rig.sql("insert into item values (1, 'one')")
        until(lambda: len(rig.table("item")) == 1, "the first row")
        os.kill(hanging, signal.SIGSTOP)
        try:
            rig.sql("insert into item values (2, 'two')")
            ((written,),) = rig.rows("select pg_current_wal_lsn()")
            until(lambda: rig.rows(sent.format(written)), "the second row is at the source")
            assert stopped(process) < STOP_S
        finally:
            os.kill(hanging, signal.SIGCONT)
        assert len(rig.table("item")) == 1
        with rig.running():
            until(lambda: len(rig.table("item")) == 2, "the second row, by the next process")
    finally:
        process.kill()
        process.communicate()
        drop_rig(rig, database.admin_dsn)
