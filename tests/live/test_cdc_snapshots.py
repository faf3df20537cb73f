"""Snapshots beside writers: the topic told in order is the table, however often a source dies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.live.snapshot_lab import (
    FILL,
    SCHEMA,
    Lives,
    UnrulySource,
    Writers,
    judged,
    table_of,
)
from tests.live.test_cdc_support import Rig, drop_rig, make_rig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localstack import Addresses

    from connectors.sources.postgres.source import PostgresSource

pytestmark = pytest.mark.urs("M4.4", "M5.6")

ROWS = 8_000
ORDER = b'{"type": "execute", "tables": ["public.goods"]}'


@pytest.fixture
def rig(database: Addresses) -> Iterator[Rig]:
    rig = make_rig(database.admin_dsn, "none:1", "http://none", *SCHEMA, FILL.format(rows=ROWS))
    yield rig
    drop_rig(rig, database.admin_dsn)


def lives(rig: Rig, kind: type[PostgresSource] | None = None, **more: Any) -> Lives:
    """A source in small bites."""
    settings = rig.config(
        snapshot_workers=3, snapshot_rows=700, window_rows=250, idle_store_s=0.2, **more
    ).postgres("")
    return Lives(settings) if kind is None else Lives(settings, kind)


def finished(lives: Lives) -> bool:
    """Nothing is left to read."""
    position = lives.ledger.position
    if position is None or position.fields["phase"] != "stream":
        return False
    return not position.fields.get("snapshot", {}).get("runs")


def caught_up(rig: Rig) -> Callable[[Lives], bool]:
    """Nothing is left to read, and all that is committed by now was carried."""
    end = rig.rows("select pg_current_wal_lsn() - '0/0'::pg_lsn")[0][0]
    rig.sql("select pg_logical_emit_message(true, 'other', 'moves the log')")

    def done(lives: Lives) -> bool:
        position = lives.ledger.position
        return position is not None and finished(lives) and position.fields["lsn"] >= end

    return done


def readings(lives: Lives, mark: str) -> int:
    """Rows that were read with a mark."""
    return sum(value["source"]["snapshot"] == mark for _, value in lives.ledger.values())


@pytest.mark.parametrize(("translator", "process_rows"), [("tryton", 0), ("", 100_000), ("", 0)])
def test_the_topic_is_the_table_after_deaths_in_every_phase(
    rig: Rig, translator: str, process_rows: int
) -> None:
    life = lives(rig, translator=translator, process_rows=process_rows)
    with Writers(rig, ROWS):
        # Once some of it is stored it dies for certain, so that it is gone on with.
        life.run(lambda life: readings(life, "true") > ROWS // 4, deadly=0.3, most=3)
        life.run(finished, deadly=0.02)
        before = len(life.ledger.committed)
        life.orders.given.append(ORDER)
        life.run(lambda life: readings(life, "incremental") > 500, deadly=0.01)
        life.run(finished, deadly=0.01)
    life.run(caught_up(rig))
    found = judged(life.ledger.values(), table_of(rig))
    assert (found["differs"], found["late"], found["doubled"]) == (0, 0, 0), found
    assert life.deaths >= 4
    assert life.resumed
    assert readings(life, "incremental") > ROWS // 2
    assert len(life.ledger.committed) > before


def test_the_judge_sees_what_the_watermark_rule_is_for(rig: Rig) -> None:
    life = lives(rig, UnrulySource)
    life.run(finished)
    with Writers(rig, ROWS):
        for _ in range(4):
            life.orders.given.append(ORDER)
            life.run(finished)
    life.run(caught_up(rig))
    found = judged(life.ledger.values(), table_of(rig))
    assert found["late"] + found["differs"] > 0
