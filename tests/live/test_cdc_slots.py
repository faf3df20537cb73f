"""Slots and servers in doubt: each is a named refusal with a way out, or is come through."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from localstack.host.ports import HOST
from localstack.parts import postgres
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from connectors.runner.source_position import forget_position
from connectors.runner.source_topics import SourceTopics
from streams.engine import Transaction, arm
from streams.errors import LotgateError, Misconfigured
from tests.live.own_database import STANDBY, Servers, own_servers
from tests.live.test_cdc_support import Rig, drop_rig, make_rig, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localstack import Addresses

pytestmark = [pytest.mark.urs("M4.4"), pytest.mark.timeout(180)]

SCHEMA = (
    "create table item(id int primary key, v text)",
    "insert into item values (1, 'one')",
    "create publication lotgate for table item",
)
OWN = {"max_slot_wal_keep_size": "1MB", "hot_standby_feedback": "on", "fsync": "off"}


@pytest.fixture
def rig(database: Addresses, broker: str, registry: str) -> Iterator[Rig]:
    rig = make_rig(database.admin_dsn, broker, registry, *SCHEMA)
    yield rig
    drop_rig(rig, database.admin_dsn)


@pytest.fixture
def servers(parts_cache: Path) -> Iterator[Servers]:
    with own_servers(parts_cache, OWN) as servers:
        yield servers


def _once(rig: Rig, rows: int = 0, **more: Any) -> None:
    with rig.running(**more) as running:
        until(
            lambda: (
                (running.health.state == "reading" and running.health.rows >= rows)
                or running.failure
            ),
            "the start",
        )
        assert running.failure is None


def _stop(rig: Rig, **more: Any) -> LotgateError:
    with rig.running(**more) as running:
        failure = running.ended()
    assert isinstance(failure, Misconfigured), failure
    assert failure.kept
    assert failure.advice
    return failure


def _ids(rig: Rig) -> list[int]:
    found = (rig.decoded(record.value) for record in rig.table("item"))
    return sorted(value["after"]["id"] for value in found if value is not None)


def test_a_slot_that_lost_its_log_is_refused_and_a_new_snapshot_fills_the_gap(
    servers: Servers, broker: str, registry: str
) -> None:
    rig = make_rig(servers.dsn("database"), broker, registry, *SCHEMA)
    _once(rig, 1)
    for number in range(2, 8):
        rig.sql(f"insert into item values ({number}, 'late')", "select pg_switch_wal()")
    rig.sql("checkpoint")
    lost = f"select wal_status from pg_replication_slots where slot_name = '{rig.name}'"
    until(lambda: rig.rows(lost) == [("lost",)], "the slot to lose its log")
    failure = _stop(rig)
    assert failure.code == "slot_lost"
    assert "max_slot_wal_keep_size" in failure.advice
    assert f"pg_drop_replication_slot('{rig.name}')" in failure.advice
    rig.sql(f"select pg_drop_replication_slot('{rig.name}')")
    topics = SourceTopics(rig.config(), rig.connection, rig.registry)
    assert forget_position(rig.connection, topics, rig.config()) is not None
    _once(rig, 7)
    assert set(_ids(rig)) == set(range(1, 8))
    rig.end()


def test_a_slot_made_again_by_someone_else_is_named_with_what_it_is(rig: Rig) -> None:
    _once(rig)
    rig.sql(
        f"select pg_drop_replication_slot('{rig.name}')",
        f"select pg_create_physical_replication_slot('{rig.name}')",
    )
    failure = _stop(rig)
    assert failure.code == "slot_foreign"
    assert "physical, plugin none" in failure.message


def test_a_slot_that_someone_else_reads_is_waited_for_and_then_refused(rig: Rig) -> None:
    _once(rig)
    reader = subprocess.Popen(
        [
            str(postgres.install() / "pg_recvlogical"),
            *("--start", "-S", rig.name, "-f", "/dev/null", "-n", "-d", make_conninfo(rig.dsn)),
            *("-o", "proto_version=1", "-o", "publication_names=lotgate"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        active = f"select active_pid from pg_replication_slots where slot_name = '{rig.name}'"
        ((pid,),) = until(lambda: [row for row in rig.rows(active) if row[0]], "the reader")
        failure = _stop(rig, slot_wait_s=1.0)
        assert failure.code == "slot_in_use"
        assert f"process {pid}" in failure.message
        assert "pg_recvlogical" in failure.message
    finally:
        reader.terminate()
        reader.wait(10)


def test_a_connection_string_that_makes_no_sense_is_refused_at_once(rig: Rig) -> None:
    failure = _stop(rig, dsn=make_conninfo(rig.dsn) + " sslmode=maybe")
    assert failure.code == "source_dsn"
    assert "sslmode" in failure.message
    failure = _stop(rig, dsn=make_conninfo(rig.dsn, sslmode="require"))
    assert failure.code == "source_refused"
    assert "SSL" in failure.message


def test_nothing_is_confirmed_before_it_is_stored_while_other_databases_write(
    rig: Rig, database: Addresses
) -> None:
    """The server has sent far more than what is stored; its keepalives are no confirmation."""
    confirmed = (
        "select confirmed_flush_lsn - '0/0'::pg_lsn from pg_replication_slots "
        f"where slot_name = '{rig.name}'"
    )
    with rig.running(idle_store_s=0.1) as running:
        until(lambda: running.health.state == "reading", "the start")
        commits = running.health.commits
        arm("before_commit:1~3")
        try:
            before = rig.rows("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")[0][0]
            rig.sql("insert into item values (2, 'held')")
            behind = rig.rows("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")[0][0]
            with psycopg.connect(database.admin_dsn, autocommit=True) as elsewhere:
                elsewhere.execute("create table if not exists noise(v text)")
                elsewhere.execute(
                    "insert into noise select repeat('x', 90) from generate_series(1, 9999)"
                )
                elsewhere.execute("drop table noise")
            deadline = time.monotonic() + 2.0
            while time.monotonic() < deadline and running.health.commits == commits:
                assert rig.rows(confirmed)[0][0] <= before
                time.sleep(0.05)
        finally:
            arm("")
        until(lambda: rig.rows(confirmed)[0][0] > behind + 500_000, "the slot to follow")
        assert rig.position()["lsn"] >= rig.rows(confirmed)[0][0]
    assert _ids(rig) == [1, 2]


class Proxy(threading.Thread):
    """Passes bytes on, until it is told to swallow those of the connections it has."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._target = port
        self._listener = socket.create_server((HOST, 0))
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._deaf: set[socket.socket] = set()
        self._closing = False

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def go_silent(self) -> None:
        """Keep the present connections open, and pass nothing more through them."""
        self._deaf |= set(self._pairs)

    def run(self) -> None:
        while not self._closing:
            ends = [self._listener, *(end for end in self._pairs if end not in self._deaf)]
            for ready in select.select(ends, [], [], 0.1)[0]:
                if ready is self._listener:
                    self._accept()
                else:
                    self._pass_on(ready)

    def close(self) -> None:
        self._closing = True
        self.join()
        for end in (self._listener, *self._pairs):
            end.close()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection((HOST, self._target))
        self._pairs[client], self._pairs[server] = server, client

    def _pass_on(self, end: socket.socket) -> None:
        other = self._pairs.get(end)
        if other is None:
            return  # its other end was closed a moment ago
        try:
            octets = end.recv(65536)
            if octets:
                other.sendall(octets)
                return
        except OSError:
            pass
        for each in (end, other):
            self._pairs.pop(each, None)
            each.close()


@contextmanager
def _proxied(dsn: str) -> Iterator[tuple[Proxy, str]]:
    proxy = Proxy(int(str(conninfo_to_dict(dsn)["port"])))
    proxy.start()
    try:
        yield proxy, make_conninfo(dsn, host=HOST, port=proxy.port)
    finally:
        proxy.close()


def test_a_server_that_says_nothing_any_more_is_connected_to_again(rig: Rig) -> None:
    rig.sql(f"alter database {rig.name} set wal_sender_timeout = '1s'")
    with _proxied(rig.dsn) as (proxy, dsn), rig.running(dsn=dsn, check_s=3600) as running:
        until(lambda: running.health.state == "reading", "the start")
        proxy.go_silent()
        rig.sql("insert into item values (2, 'unheard')")
        until(lambda: "silent for 2 s" in running.health.detail, "the silence to be noticed")
        until(lambda: running.health.rows >= 2, "the row")
        assert running.failure is None
    assert _ids(rig) == [1, 2]


def test_a_promoted_standby_is_followed_and_one_that_lacks_what_we_published_refused(
    servers: Servers, broker: str, registry: str
) -> None:
    servers.start_standby({})
    with psycopg.connect(servers.dsn("database"), autocommit=True) as primary:
        primary.execute(f"alter system set synchronized_standby_slots = '{STANDBY}'".encode())
        primary.execute("select pg_reload_conf()")
    rig = make_rig(servers.dsn("database"), broker, registry, *SCHEMA)
    both = servers.dsn("database", STANDBY, database=rig.name)
    with rig.running(dsn=both, slot_failover=True, idle_store_s=0.2) as running:
        until(lambda: running.health.state == "reading" or running.failure, "the start")
        rig.sql(*(f"insert into item values ({number}, 'before')" for number in range(2, 30)))
        with psycopg.connect(servers.dsn(STANDBY), autocommit=True) as standby:
            _synchronise(standby, rig.name)
            rig.sql(*(f"insert into item values ({n}, 'after the copy')" for n in range(30, 60)))
            until(lambda: running.health.rows >= 59 or running.failure, "the rows")
            servers.kill("database")
            standby.execute("select pg_promote()")
        promoted = Rig(
            servers.dsn(STANDBY, database=rig.name), broker, registry, rig.name, rig.processes
        )
        promoted.sql(*(f"insert into item values ({n}, 'promoted')" for n in range(60, 90)))
        until(lambda: running.health.rows >= 89 or running.failure, "the rows of the new server")
        assert running.failure is None
    assert Counter(_ids(promoted)) == Counter(range(1, 90))
    position = promoted.position()
    assert position["timeline"] == 2
    _pretend_old_timeline(promoted, position)
    failure = _stop(promoted, dsn=promoted.dsn, slot_failover=True)
    assert failure.code == "server_behind"
    assert "timeline 2 left it at" in failure.message
    rig.end()
    promoted.end()


def _synchronise(standby: psycopg.Connection[Any], slot: str) -> None:
    """Have the slot copied; its copy lasts once the standby has replayed what the slot needs."""
    lasting = "select 1 from pg_replication_slots where slot_name = %s and not temporary"

    def copied() -> bool:
        standby.execute("select pg_sync_replication_slots()")
        return standby.execute(lasting, (slot,)).fetchone() is not None

    until(copied, "the slot's copy")


def _pretend_old_timeline(rig: Rig, position: dict[str, Any]) -> None:
    """Store what a source would have that read the lost end of the old timeline."""
    with Transaction(rig.connection, "forger") as transaction:
        transaction.begin()
        value = json.dumps(position | {"timeline": 1}).encode()
        transaction.produce(f"{rig.name}.lotgate-cdc-offsets", b"erp", value, partition=0)
        transaction.commit()
