"""Seeded writers: COPY, single and multi-row changes, key changes, rollbacks, savepoints.

What they did is read from the server's own log, so a writer whose connection breaks in a commit
need not know what became of it: it goes on with the next transaction.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from random import Random
from typing import Any

import psycopg

from tests.storm.cdc.quota import Quota

Connection = psycopg.Connection[Any]
SPAN = 10_000_000
"""Each writer's range of keys."""


class Writer(threading.Thread):
    """One session that writes until the quota ends, through every restart of the server."""

    def __init__(self, dsn: str, number: int, seed: int, quota: Quota, largest_copy: int) -> None:
        super().__init__(daemon=True, name=f"writer{number}")
        self._dsn = dsn
        self._number = number
        self._rng = Random(f"{seed}/{number}")
        self._quota = quota
        self._largest_copy = largest_copy
        self._next = number * SPAN
        self._mine: list[int] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        while self._quota.wait():
            try:
                with psycopg.connect(self._dsn, connect_timeout=5) as database:
                    self._work(database)
            except psycopg.OperationalError:
                time.sleep(0.1)
            except BaseException as failure:
                self.failure = failure
                raise

    def _work(self, database: Connection) -> None:
        while self._quota.wait():
            if self._quota.owes_copies():
                rows = self._copy(database)
                database.commit()
                self._quota.wrote(rows, copied=True)
                continue
            rows = self._transaction(database)
            if self._rng.random() < 0.1:
                database.rollback()
            else:
                database.commit()
                self._quota.wrote(rows)

    def _transaction(self, database: Connection) -> int:
        """A few statements, some of them in savepoints that are given up."""
        rows = 0
        for _ in range(self._rng.randint(1, 6)):
            act = self._rng.choices(list(ACTS), WEIGHTS)[0]
            if self._rng.random() < 0.1:
                database.execute("savepoint s")
                act(self, database)
                database.execute("rollback to savepoint s")
            else:
                rows += act(self, database)
        return rows

    def _copy(self, database: Connection) -> int:
        rows = self._rng.randint(1, self._largest_copy)
        with database.cursor() as cursor, cursor.copy("copy load from stdin") as copy:
            for number in self._fresh(rows):
                copy.write_row((number, self._number, "c" * self._rng.randint(0, 60)))
        return rows

    def _do_insert(self, database: Connection) -> int:
        for number in self._fresh(1):
            self._mine.append(number)
            database.execute("insert into item values (%s, 0, 'single')", (number,))
        return 1

    def _do_insert_many(self, database: Connection) -> int:
        count = self._rng.randint(2, 60)
        numbers = list(self._fresh(count))
        self._mine += numbers[:20]
        database.execute(
            "insert into item select i, 1, repeat('m', (i %% 50)::int) from unnest(%s) i",
            (numbers,),
        )
        return count

    def _do_update(self, database: Connection) -> int:
        return database.execute(
            "update item set n = n + 1, v = %s where id = any(%s)",
            (self._rng.choice((None, "", "changed")), self._some(8)),
        ).rowcount

    def _do_delete(self, database: Connection) -> int:
        return database.execute("delete from item where id = any(%s)", (self._some(2),)).rowcount

    def _do_change_key(self, database: Connection) -> int:
        (new,) = self._fresh(1)
        (old,) = self._some(1) or [0]
        self._mine.append(new)
        return database.execute("update item set id = %s where id = %s", (new, old)).rowcount

    def _do_upsert_part(self, database: Connection) -> int:
        site, count = f"S{self._number}", self._rng.randint(1, 10)
        return database.execute(
            "insert into part select %s, i, i / 8.0, 'new' from generate_series(%s::int, %s::int) i"
            " on conflict (site, no) do update set q = part.q + 1, v = 'again'",
            (site, first := self._rng.randint(1, 400), first + count - 1),
        ).rowcount

    def _do_move_part(self, database: Connection) -> int:
        return database.execute(
            "update part set site = %s where site = %s and no = %s",
            (f"M{next(self._fresh(1))}", f"S{self._number}", self._rng.randint(1, 400)),
        ).rowcount

    def _do_delete_part(self, database: Connection) -> int:
        return database.execute(
            "delete from part where site = %s and no between %s and %s",
            (f"S{self._number}", first := self._rng.randint(1, 400), first + 2),
        ).rowcount

    def _do_empty(self, database: Connection) -> int:
        database.execute("truncate scratch")
        database.execute(
            "insert into scratch select i, 'kept' from generate_series(1, %s::int) i",
            (count := self._rng.randint(1, 12),),
        )
        return count + 1

    def _fresh(self, count: int) -> Any:
        first = self._next
        self._next += count
        return iter(range(first, first + count))

    def _some(self, count: int) -> list[int]:
        if len(self._mine) > 4_000:
            del self._mine[:2_000]
        return self._rng.sample(self._mine, min(count, len(self._mine)))


Act = Callable[[Writer, Connection], int]
ACTS: dict[Act, float] = {
    Writer._do_insert: 4,
    Writer._do_insert_many: 4,
    Writer._do_update: 4,
    Writer._do_delete: 2,
    Writer._do_change_key: 2,
    Writer._do_upsert_part: 3,
    Writer._do_move_part: 1,
    Writer._do_delete_part: 1,
    Writer._do_empty: 0.3,
}
WEIGHTS = list(ACTS.values())
