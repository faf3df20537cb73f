"""Going on inside a transaction whose rows share their places in the log."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.live.test_cdc_support import Rig, drop_rig, make_rig, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack import Addresses

    from streams.engine import Record

pytestmark = [pytest.mark.urs("M4.4"), pytest.mark.timeout(180)]

ROWS = 6_000
DEATHS = 5
SMALL: dict[str, Any] = {"chunk_bytes": 16_000}
"""A chunk of the log is far shorter than the rows that share one place."""


@pytest.fixture
def rig(database: Addresses, broker: str, registry: str) -> Iterator[Rig]:
    rig = make_rig(
        database.admin_dsn,
        broker,
        registry,
        "create table item(id int primary key, v text)",
        "create table pair(id int primary key, v text)",
        "create publication lotgate for table item, pair",
    )
    yield rig
    drop_rig(rig, database.admin_dsn)


def _copy(rig: Rig, first: int, *, also: str = "") -> None:
    """One transaction: a COPY, a statement of many rows, and a COPY into another table."""
    with psycopg.connect(rig.dsn) as database:
        for table, rows in (("item", ROWS // 2), ("pair", ROWS // 4)):
            with database.cursor() as cursor, cursor.copy(f"copy {table} from stdin") as copy:
                for number in range(first, first + rows):
                    copy.write_row((number, "copied"))
            if table == "item":
                database.execute(
                    "insert into item select i, 'many' from generate_series(%s::int, %s::int) i",
                    (first + ROWS // 2, first + ROWS * 3 // 4 - 1),
                )
        if also:
            database.execute(also.encode())


def _values(rig: Rig, table: str) -> list[dict[str, Any]]:
    return [rig.decoded(record.value) for record in rig.table(table)]


def _die_inside(rig: Rig) -> list[int]:
    """Let processes die, each a little further on; gives the places inside that were stored."""
    deaths = rig.die(["after_commit:2"] * DEATHS, **SMALL, limits={"rows": 300})
    _, errors = deaths.communicate(timeout=60)
    assert deaths.returncode == 0, errors.decode()
    positions = [json.loads(record.value or b"{}") for record in _positions(rig)]
    return [each["middle"]["ordinal"] for each in positions if each.get("middle")]


def _positions(rig: Rig) -> list[Record]:
    return rig.records("lotgate-cdc-offsets")


def test_rows_that_share_a_place_in_the_log_are_gone_on_with_by_their_ordinals(rig: Rig) -> None:
    with rig.running(**SMALL) as running:
        until(lambda: running.health.state == "reading", "the start")
    _copy(rig, 1)
    reached = _die_inside(rig)
    assert len(reached) >= 2 * DEATHS - 1
    assert reached == sorted(set(reached)), "each process went on where the last one stood"
    with rig.running(**SMALL) as running:
        until(lambda: _length(rig) == ROWS or running.failure, "the rest", 60)
        assert running.failure is None
    records = [*rig.table("item"), *rig.table("pair")]
    ids = Counter(record.header("event_id") for record in records)
    assert len(ids) == ROWS
    assert max(ids.values()) == 1
    values = [*_values(rig, "item"), *_values(rig, "pair")]
    copied = [value for value in values if value["after"]["v"] == "copied"]
    places = {value["source"]["lsn"] for value in copied}
    assert len(places) < len(copied) // 20, "copied rows share their places in the log"
    orders = [value["transaction"]["total_order"] for value in values]
    assert sorted(orders) == list(range(1, ROWS + 1))
    assert len({value["source"]["txId"] for value in values}) == 1


def _length(rig: Rig) -> int:
    return len(rig.table("item")) + len(rig.table("pair"))


def test_with_another_set_of_tables_the_transaction_is_read_again_under_the_same_ids(
    rig: Rig,
) -> None:
    """Ordinals count rows of the published tables; where these changed, nothing is skipped."""
    with rig.running(**SMALL) as running:
        until(lambda: running.health.state == "reading", "the start")
    _copy(rig, 1)
    assert _die_inside(rig)
    rig.sql("create table late(id int primary key)", "alter publication lotgate add table late")
    with rig.running(**SMALL) as running:
        until(lambda: rig.position().get("middle") is None or running.failure, "the rest", 60)
        assert running.failure is None
    ids = {record.header("event_id") for record in (*rig.table("item"), *rig.table("pair"))}
    assert len(ids) == ROWS
    whole = [value["transaction"]["total_order"] for value in _values(rig, "pair")]
    assert set(whole) == set(range(ROWS * 3 // 4 + 1, ROWS + 1))
