"""The local stack on real parts: found again, ended for certain, ready when it says so."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest
from confluent_kafka.admin import AdminClient
from localstack import PartStatus, Stack
from localstack.host.ports import is_free
from localstack.layout import LOCAL, REPOSITORY

from tests.parts import temporary_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack import Addresses

WAIT_SECONDS = 30.0

HANGING_STARTER = """
import sys, time
from pathlib import Path
from localstack import Stack
stack = Stack(Path(sys.argv[1]), cache=Path(sys.argv[2]))
stack.up(("database",))
stack.start_process("worker", ["/bin/sleep", "600"])
print("started", flush=True)
time.sleep(600)
"""


@pytest.fixture
def own(parts_cache: Path) -> Iterator[Stack]:
    """A stack that the test may start, kill and end as it likes."""
    with temporary_stack(parts_cache) as stack:
        yield stack


def pids(states: list[PartStatus]) -> dict[str, int | None]:
    return {state.name: state.pid for state in states if state.pid}


def test_broker_answers_and_refuses_unknown_topics(broker: str) -> None:
    metadata = AdminClient({"bootstrap.servers": broker}).list_topics(timeout=10)
    assert len(metadata.brokers) == 1


def test_registry_checks_full_transitive_by_default(registry: str) -> None:
    level = httpx.get(f"{registry}/config").json()["compatibilityLevel"]
    assert level == "FULL_TRANSITIVE"


def test_registry_refuses_an_incompatible_schema(registry: str) -> None:
    url = f"{registry}/subjects/stack-check-value/versions"
    kinds = ("string", "int")
    bodies = [
        {"schema": f'{{"type":"record","name":"a","fields":[{{"name":"x","type":"{kind}"}}]}}'}
        for kind in kinds
    ]
    answers = [httpx.post(url, json=body).status_code for body in bodies]
    assert answers == [200, 409]


def test_readers_see_published_tables_only(database: Addresses) -> None:
    with psycopg.connect(database.qms_dsn) as reader:
        stages = reader.execute("select count(*) from mgmtsystem_nonconformity_stage").fetchone()
        published = reader.execute("select count(*) from pg_publication_tables").fetchone()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("delete from nc_lot")
    assert (stages, published) == ((6,), (6,))


def test_reader_of_one_database_may_not_enter_another(database: Addresses) -> None:
    foreign = database.qms_dsn.replace("/qms?", "/evidence?")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(foreign)


def test_reader_may_make_a_logical_slot(database: Addresses) -> None:
    with psycopg.connect(database.qms_dsn, autocommit=True) as reader:
        made = "select slot_name from pg_create_logical_replication_slot('probe', 'pgoutput', true)"
        assert reader.execute(made).fetchone() == ("probe",)


def test_secrets_are_private(stack: Stack, database: Addresses) -> None:
    del database
    modes = {path.stat().st_mode & 0o777 for path in stack.layout.secrets.iterdir()}
    assert modes == {0o600}


def test_second_up_finds_what_runs(own: Stack, parts_cache: Path) -> None:
    own.up(("database",))
    first = pids(own.status())
    again = Stack(own.layout.root, cache=parts_cache)
    again.up(("database",))
    assert pids(again.status()) == first
    assert again.addresses() == own.addresses()


def test_killed_database_comes_back_with_its_data(own: Stack) -> None:
    own.up(("database",))
    with psycopg.connect(own.addresses().evidence_dsn) as evidence:
        evidence.execute("create table kept as select 1 as one")
    own.kill("database", signal.SIGKILL)
    own.start("database")
    with psycopg.connect(own.addresses().evidence_dsn) as evidence:
        assert evidence.execute("select one from kept").fetchone() == (1,)


def test_down_ends_all_after_the_starter_was_killed(own: Stack, parts_cache: Path) -> None:
    paths = os.pathsep.join([str(LOCAL), str(REPOSITORY)])
    argv = [sys.executable, "-c", HANGING_STARTER, str(own.layout.root), str(parts_cache)]
    environment = dict(os.environ, PYTHONPATH=paths)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"started\n"
        starter.kill()
    running = pids(own.status())
    assert set(running) == {"database", "worker"}
    own.down()
    deadline = time.monotonic() + WAIT_SECONDS
    while pids(own.status()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not pids(own.status())
    assert not any(Path(f"/proc/{pid}/exe").exists() for pid in running.values())


def test_a_port_taken_by_a_stranger_is_replaced(own: Stack) -> None:
    own.layout.make()
    before = own.addresses().admin_dsn
    port = int(before.split("127.0.0.1:")[1].split("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
        own.up(("database",))
        assert own.addresses().admin_dsn != before
