"""A role with only what it needs reads a database whose protected values never leave it."""

from __future__ import annotations

import hmac
import json
from contextlib import closing
from dataclasses import replace
from socket import socket
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from connectors.runner.health.source_told import source_served
from connectors.sources.postgres.database.catalog import Catalog
from connectors.sources.postgres.database.grants import grants
from connectors.sources.postgres.database.preflight import everything
from connectors.sources.postgres.selection import Selection
from streams.runtime.settings import HealthSettings
from tests.live.test_cdc_support import Rig, drop_rig, make_rig, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack import Addresses

pytestmark = pytest.mark.urs("M5.6")

SECRET = b"a key that nobody may ever see..."
SCHEMA = (
    "create schema hr",
    "create table hr.person(email text primary key, born date, number int not null)",
    "alter table hr.person add plant text not null, add note text",
    "alter table hr.person alter note set storage external",
    "insert into hr.person values ('first@secret', '1999-01-01', 1, 'P1', 'n')",
    "insert into hr.person values ('other@secret', '1999-02-02', 2, 'P2', 'n')",
    "create table hr.stock(id int primary key, lot text not null, place text not null, n int)",
    "alter table hr.stock replica identity full",
    "insert into hr.stock values (1, 'L1', 'A', 5)",
)
SELECTION = Selection(
    tables=("hr.person",),
    keys={"hr.stock": ("lot", "place")},
    fields={"hr.person.email": "hash", "hr.person.born": "drop"},
    secret=SECRET,
)


@pytest.fixture
def rig(database: Addresses, broker: str, registry: str) -> Iterator[Rig]:
    rig = make_rig(database.admin_dsn, broker, registry, *SCHEMA)
    yield rig
    drop_rig(rig, database.admin_dsn)


@pytest.fixture
def role(rig: Rig) -> Iterator[str]:
    """A role made by the printed SQL alone; the value is its connection string."""
    source = rig.config(selection=SELECTION).postgres(rig.name)
    with closing(Catalog(rig.dsn)) as catalog:
        lines = list(grants(catalog, source, rig.name, ["hr.person", "hr.stock"]))
    script = "\n".join(lines)
    for _ in range(2):
        rig.sql(*(line for line in lines if not line.startswith(("--", "CREATE PUBLICATION"))))
    rig.sql(*(line for line in lines if line.startswith("CREATE PUBLICATION")))
    rig.sql(f"alter role {rig.name} password 'right'")
    assert "SUPERUSER" not in script.replace("NOSUPERUSER", "")
    yield make_conninfo(rig.dsn, user=rig.name, password="right", passfile="/dev/null")
    rig.sql(f"drop owned by {rig.name}", f"drop role {rig.name}")


def _hashed(text: str) -> str:
    return hmac.new(SECRET, text.encode(), "sha256").hexdigest()


def _events(rig: Rig, topic: str) -> list[tuple[Any, Any]]:
    found = [record for record in rig.records(topic) if record.value is not None]
    return [(rig.decoded(record.key), rig.decoded(record.value)) for record in found]


def _images(rig: Rig, topic: str) -> list[tuple[str, Any, Any, Any]]:
    """Operation, key, before and after, in the order of the log.

    Rows of a snapshot may share a position with the first change, and a delete shares one with the
    create that its row becomes under another key, in another partition.
    """

    def place(event: tuple[Any, Any]) -> tuple[int, int]:
        return event[1]["source"]["lsn"], "rd".find(event[1]["op"]) % 3

    events = sorted(_events(rig, topic), key=place)
    return [(value["op"], key, value["before"], value["after"]) for key, value in events]


def _everything_published(rig: Rig) -> bytes:
    """Every byte of every record of every topic of this rig."""
    topics = (
        "cdc.erp.hr.person",
        "cdc.erp.hr.stock",
        "cdc.erp.schema_changes",
        "cdc.erp.schema-changes",
        "lotgate-translate-input",
        "lotgate-cdc-offsets",
        "lotgate-cdc-history",
        "dlq.lotgate-erp",
    )
    parts = []
    for topic in topics:
        for record in rig.records(topic):
            headers = b"".join(value or b"" for _, value in record.headers or ())
            parts += [record.key or b"", record.value or b"", headers]
    return b"".join(parts)


@pytest.mark.parametrize(
    ("translator", "narrow"),
    [("tryton", True), ("tryton", False), ("", False)],
    ids=["as printed", "all columns published, text", "all columns published, binary"],
)
def test_protected_values_are_nowhere_and_the_role_needs_no_more(
    rig: Rig, role: str, translator: str, *, narrow: bool
) -> None:
    if not narrow:
        rig.sql("alter publication lotgate set table hr.person, hr.stock")
    with (
        psycopg.connect(role, autocommit=True) as database,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        database.execute("select born from hr.person")
    config = rig.config(dsn=role, selection=SELECTION, translator=translator)
    with closing(Catalog(role)) as catalog:
        found = everything(catalog, config.postgres(rig.name))
    assert [each for each in found if each.severity == "error"] == []
    with rig.running(dsn=role, selection=SELECTION, translator=translator) as running:
        until(lambda: running.health.state in ("reading", "ended"), "the start")
        assert running.failure is None
        rig.sql(
            "update hr.person set note = 'changed', born = '1999-03-03' "
            "where email = 'first@secret'",
            "update hr.person set email = 'moved@secret' where email = 'first@secret'",
            "insert into hr.person values ('large@secret', '1999-04-04', 3, 'P1', "
            "repeat('x', 3000000))",
            "delete from hr.person where email = 'moved@secret'",
            "update hr.stock set n = 6 where id = 1",
            "update hr.stock set place = 'B' where id = 1",
            "delete from hr.stock",
        )
        until(lambda: running.health.rows >= 10, "the rows")
    published = _everything_published(rig)
    for value in (b"secret", b"1999-0", SECRET, b"born"):
        assert value not in published
    _check_people(rig)
    _check_stock(rig)


def _check_people(rig: Rig) -> None:
    images = _images(rig, "cdc.erp.hr.person")
    first, moved = _hashed("first@secret"), _hashed("moved@secret")
    reads = {key["email"]: after for op, key, _, after in images if op == "r"}
    assert reads[first] == {"email": first, "number": 1, "plant": "P1", "note": "n"}
    assert set(reads) == {first, _hashed("other@secret")}
    changes = [(op, key["email"]) for op, key, _, _ in images if op != "r"]
    assert changes == [("u", first), ("d", first), ("c", moved), ("d", moved)]
    (dead,) = rig.records("dlq.lotgate-erp")
    assert dead.header("lotgate-dlq-code") == b"row_too_large"
    assert _hashed("large@secret").encode() in (dead.value or b"")


def _check_stock(rig: Rig) -> None:
    """Keyed by what the operator chose; a change of it is a delete and a create."""
    images = _images(rig, "cdc.erp.hr.stock")
    at_a, at_b = {"lot": "L1", "place": "A"}, {"lot": "L1", "place": "B"}
    assert [(op, key) for op, key, _, _ in images] == [
        ("r", at_a),
        ("u", at_a),
        ("d", at_a),
        ("c", at_b),
        ("d", at_b),
    ]


def test_the_publications_filters_hold_in_snapshot_and_stream(rig: Rig) -> None:
    rig.sql(
        "create publication lotgate for table hr.person (email, number, plant) "
        "where (plant = 'P1')",
        "alter table hr.person drop constraint person_pkey",
        "alter table hr.person add primary key (email, plant)",
    )
    with rig.running() as running:
        until(lambda: running.health.state in ("reading", "ended"), "the start")
        assert running.failure is None
        rig.sql(
            "insert into hr.person values ('new@secret', null, 7, 'P1', 'x'), "
            "('far@secret', null, 8, 'P2', 'x')",
            "update hr.person set number = 9 where plant = 'P2'",
            "update hr.person set plant = 'P2' where email = 'new@secret'",
        )
        until(lambda: running.health.rows >= 3, "the rows")
    images = _images(rig, "cdc.erp.hr.person")
    assert [(op, key["email"]) for op, key, _, _ in images] == [
        ("r", "first@secret"),
        ("c", "new@secret"),
        ("d", "new@secret"),
    ]
    after = images[1][3]
    assert after == {"email": "new@secret", "number": 7, "plant": "P1"}


def test_a_running_source_answers_probes_and_metrics(rig: Rig) -> None:
    rig.sql("create publication lotgate for table hr.stock")
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    settings = HealthSettings(health_host="127.0.0.1", health_port=port)
    with rig.running() as running:
        config = replace(rig.config(), dsn=rig.dsn)
        with source_served(settings, "erp-cdc", config, running.health):
            root = f"http://127.0.0.1:{port}"
            until(lambda: httpx.get(f"{root}/readyz").status_code == 200, "ready")
            rig.sql("update hr.stock set n = 7")
            until(lambda: running.health.rows >= 2, "the rows")

            def slot_is_seen() -> bool:
                return 'slot_active{source="erp"} 1.0' in httpx.get(f"{root}/metrics").text

            until(slot_is_seen, "the slot's figures")
            told = httpx.get(f"{root}/livez?verbose").json()
            lines = httpx.get(f"{root}/metrics").text.splitlines()
    assert 'lotgate_source_rows_total{source="erp"} 2.0' in lines
    assert 'lotgate_source_slot_state{source="erp",state="reserved"} 1.0' in lines
    assert json.dumps(told["reasons"]) == '{"started": [], "live": [], "ready": []}'
    assert told["lotgate.source.slot.retained"] >= 0
    assert told["lotgate.source.lag"] >= 0
