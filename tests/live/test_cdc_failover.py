"""A standby takes over: followed if it has all that was published, refused if it lacks some."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from streams.engine import Transaction
from streams.errors import Misconfigured
from tests.live.own_database import STANDBY, Servers, own_servers
from tests.live.test_cdc_support import Rig, make_rig, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.urs("M4.4"), pytest.mark.timeout(180)]

SCHEMA = (
    "create table item(id int primary key, v text)",
    "insert into item values (1, 'one')",
    "create publication lotgate for table item",
)


@pytest.fixture
def servers(parts_cache: Path) -> Iterator[Servers]:
    with own_servers(parts_cache, {"fsync": "off"}) as servers:
        yield servers


def _ids(rig: Rig) -> list[int]:
    found = (rig.decoded(record.value) for record in rig.table("item"))
    return sorted(value["after"]["id"] for value in found if value is not None)


def test_a_promoted_standby_is_followed_and_one_that_lacks_what_we_published_refused(
    servers: Servers, broker: str, registry: str
) -> None:
    servers.start_standby({"hot_standby_feedback": "on"})
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
    with promoted.running(slot_failover=True) as running:
        failure = running.ended()
    assert isinstance(failure, Misconfigured)
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
