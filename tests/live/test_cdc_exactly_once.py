"""Every committed row exactly once: under writers, deaths at every step, kills, and a big one."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from connectors.runner.source_config import BatchLimits
from tests.live.test_cdc_support import Rig, drop_rig, make_rig, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localstack import Addresses, Stack

    from streams.engine import Record

pytestmark = pytest.mark.urs("M4.4", "M5.6")

SCHEMA = (
    "create table work(id int primary key, n int not null, v text)",
    "create table ledger(seq bigint generated always as identity primary key, id int, n int)",
    "create publication lotgate for table work, ledger",
)
POINTS = (
    "in_snapshot",
    "before_produce:2",
    "after_produce:3",
    "before_offset:2",
    "before_commit:3",
    "after_commit:2",
    "after_confirm:3",
)
KILLS = [f"kill {seconds}" for seconds in (1.1, 1.7, 2.3)]


@pytest.fixture
def rig(database: Addresses, broker: str, registry: str) -> Iterator[Rig]:
    rig = make_rig(database.admin_dsn, broker, registry, *SCHEMA)
    yield rig
    drop_rig(rig, database.admin_dsn)


class Writer:
    """Writes random transactions, some rolled back, until told to stop."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self._rig = rig
        self._seed = seed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        choice = random.Random(self._seed)
        with psycopg.connect(self._rig.dsn) as database:
            while not self._stop.is_set():
                _transaction(database, choice, self._seed)
                time.sleep(0.005)


def _transaction(database: psycopg.Connection[Any], choice: random.Random, seed: int) -> None:
    """Change rows and note each change in the ledger, in one transaction."""
    for _ in range(choice.randint(1, 12)):
        key = seed * 1000 + choice.randint(1, 40)
        kind = choice.random()
        if kind < 0.15:
            database.execute("delete from work where id = %s", (key,))
        else:
            database.execute(
                "insert into work values (%s, 1, repeat('x', %s)) "
                "on conflict (id) do update set n = work.n + 1",
                (key, choice.randint(0, 200)),
            )
        database.execute(
            "insert into ledger(id, n) select %s, coalesce((select n from work where id = %s), 0)",
            (key, key),
        )
    if choice.random() < 0.15:
        database.rollback()
    else:
        database.commit()


def _event_id(record: Record) -> str:
    return (record.header("event_id") or b"").decode()


def _ledger(rig: Rig) -> list[int]:
    return [rig.decoded(record.value)["after"]["seq"] for record in rig.table("ledger")]


def _committed(rig: Rig) -> list[int]:
    return [seq for (seq,) in rig.rows("select seq from ledger order by seq")]


def _complete(rig: Rig, health: Any) -> Callable[[], bool]:
    """Everything committed up to now has been carried over and confirmed."""
    end = rig.rows("select pg_current_wal_lsn() - '0/0'::pg_lsn")[0][0]
    rig.sql("insert into ledger(id, n) values (0, 0)")
    before = health.commits

    def done() -> bool:
        assert health.state != "ended"
        return bool(health.commits > before and rig.position().get("lsn", 0) >= end)

    return done


def test_a_snapshot_and_the_stream_meet_without_gap_or_overlap(rig: Rig) -> None:
    rig.sql(
        *(f"insert into work select i, 1, 'v' from generate_series({i}, {i}) i" for i in (1, 2))
    )
    with Writer(rig, 1), Writer(rig, 2), rig.running() as running:
        until(lambda: running.health.rows > 400 or running.failure, "rows in the stream")
        assert running.failure is None
    with rig.running() as running:
        until(_complete(rig, running.health), "the rest")
    found = _ledger(rig)
    assert max(Counter(found).values()) == 1
    assert sorted(found) == _committed(rig)
    _last_images_equal_the_table(rig)
    _transactions_are_whole(rig)


def test_a_death_at_every_step_loses_and_doubles_nothing(
    rig: Rig, database: Addresses, broker: str, registry: str
) -> None:
    """One source dies at each step and by kill -9; another one reads the same log undisturbed."""
    rig.sql("insert into work select i, 1, 'old' from generate_series(1, 30) i")
    twin = Rig(rig.dsn, broker, registry, f"{rig.name}twin")
    with twin.running(snapshot="no_data") as undisturbed:
        until(lambda: undisturbed.health.state == "reading", "the twin")
        with Writer(rig, 1), Writer(rig, 2):
            deaths = rig.die([*POINTS, *KILLS])
            _, errors = deaths.communicate(timeout=120)
            assert deaths.returncode == 0, errors.decode()
        with rig.running() as running:
            until(_complete(rig, running.health), "the rest", 60)
            until(_complete(twin, undisturbed.health), "the twin's rest", 60)
            until(_complete(rig, running.health), "the last row", 60)
    found = _ledger(rig)
    assert max(Counter(found).values()) == 1
    assert sorted(found) == _committed(rig)
    point = rig.transactions()[0].commit_lsn
    for table in ("work", "ledger"):
        _equal_streams(rig.table(table), twin.table(table), point)
    _last_images_equal_the_table(rig)
    _transactions_are_whole(rig)
    twin.registry.close()
    with psycopg.connect(database.admin_dsn, autocommit=True) as server:
        server.execute("select pg_drop_replication_slot(%s)", (twin.name,))


def _equal_streams(disturbed: list[Record], undisturbed: list[Record], point: int) -> None:
    """The same events with the same ids in the same order for every key, behind the snapshot."""

    def by_key(records: list[Record]) -> dict[bytes | None, list[tuple[str, bool]]]:
        found: dict[bytes | None, list[tuple[str, bool]]] = {}
        for record in records:
            event = _event_id(record)
            if ":snap:" not in event and int(event.split(":")[3], 16) >= point:
                key = None if record.key is None else record.key[5:]
                found.setdefault(key, []).append((event, record.value is None))
        return found

    assert by_key(disturbed) == by_key(undisturbed)


def _last_images_equal_the_table(rig: Rig) -> None:
    """Replaying the topic gives the table."""
    table: dict[int, dict[str, Any]] = {}
    for record in rig.table("work"):
        value = rig.decoded(record.value)
        if value is None:
            continue
        if value["op"] == "d":
            table.pop(value["before"]["id"])
        else:
            table[value["after"]["id"]] = value["after"]
    found = sorted((row["id"], row["n"], row["v"]) for row in table.values())
    assert found == sorted(rig.rows("select id, n, v from work"))


def _transactions_are_whole(rig: Rig) -> None:
    """Chunks follow each other, ordinals have no hole, commits come in the log's order."""
    last_commit, place, chunk = 0, 0, 0
    for transaction in rig.transactions():
        if chunk == 0:
            assert transaction.commit_lsn > last_commit
            last_commit = transaction.commit_lsn
        assert (transaction.commit_lsn, transaction.chunk) == (last_commit, chunk)
        for change in transaction.changes:
            assert change.ordinal == place
            place += 1
        chunk += 1
        if transaction.last:
            place = chunk = 0
    assert chunk == 0


def test_a_big_transaction_goes_on_in_the_middle_after_a_death(rig: Rig) -> None:
    small = {"chunk_bytes": 20_000}
    with rig.running(**small) as running:
        until(lambda: running.health.state == "reading", "the start")
    rig.sql(
        "insert into work select i, i, repeat('y', 100) from generate_series(1, 8000) i",
        "begin; insert into work values (50001, 1, 'never'); rollback",
    )
    config = {"limits": BatchLimits(rows=1_000)}
    died = _middle_death(rig, small | config)
    assert died["middle"]["ordinal"] > 0
    with rig.running(**small, **config) as running:
        until(_complete(rig, running.health), "the rest")
    records = rig.table("work")
    assert Counter(_event_id(record) for record in records).most_common(1)[0][1] == 1
    assert len(records) == 8_000
    chunks = [each for each in rig.transactions() if not each.snapshot]
    assert len(chunks) > 30
    assert sum(len(each.changes) for each in chunks) == 8_001
    _transactions_are_whole(rig)
    orders = {
        value["transaction"]["total_order"]
        for value in (rig.decoded(record.value) for record in records)
    }
    assert orders == set(range(1, 8_001))


def _middle_death(rig: Rig, more: dict[str, Any]) -> dict[str, Any]:
    """Stop a source after it stored a position inside the transaction."""
    from connectors.runner.source import SourceLoop

    class Dying(SourceLoop):
        def _commit(self, batch: Any, source: Any) -> None:
            super()._commit(batch, source)
            if self._health.commits == 4:
                self.stop()

    from connectors.runner.health.source import SourceHealth

    config = replace(rig.config(), **more)
    Dying(config, rig.connection, rig.codec, SourceHealth()).run()
    position = rig.position()
    assert position.get("middle"), position
    return position


def test_a_source_goes_on_after_the_server_cut_it_off_or_was_restarted(
    rig: Rig, stack: Stack
) -> None:
    with rig.running() as running:
        until(lambda: running.health.state == "reading", "the start")
        rig.sql("select pg_terminate_backend(active_pid) from pg_replication_slots")
        until(_complete(rig, running.health), "the row after")
        stack.restart("database")
        until(_complete(rig, running.health), "the row after the restart")
    assert sorted(_ledger(rig)) == _committed(rig)
    assert max(Counter(_ledger(rig)).values()) == 1
