"""Transactions that are long: in time, and in rows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg

from tests.storm.cdc.quota import Quota
from tests.storm.cdc.writers import SPAN, Connection

LONG_STEP = 40


class LongWriter(threading.Thread):
    """One transaction that stays open over many kills; begins again when the server goes away.

    It begins when the source reads the log: a slot is made only when all transactions have ended
    that were open before.
    """

    def __init__(
        self, dsn: str, quota: Quota, until_rows: int, may_begin: Callable[[], bool]
    ) -> None:
        super().__init__(daemon=True, name="long-writer")
        self._dsn = dsn
        self._may_begin = may_begin
        self._quota = quota
        self._until = until_rows
        self.failure: BaseException | None = None

    def run(self) -> None:
        done = False
        while not self._may_begin() and not self._quota.ended:
            time.sleep(0.1)
        while not done and not self._quota.ended:
            try:
                with psycopg.connect(self._dsn, connect_timeout=5) as database:
                    self._work(database)
                done = True
            except psycopg.OperationalError:
                time.sleep(0.1)
            except BaseException as failure:
                self.failure = failure
                raise

    def _work(self, database: Connection) -> None:
        number = 0
        while True:
            database.execute(
                "insert into item select i, 2, 'long'"
                " from generate_series(%s::bigint, %s::bigint) i",
                (number - 10 * SPAN, number - 10 * SPAN + LONG_STEP - 1),
            )
            number += LONG_STEP
            if self._quota.rows >= self._until or self._quota.ended:
                database.commit()
                self._quota.wrote(number)
                return
            time.sleep(0.5)


def big_transaction(dsn: str, number: int, rows: int) -> None:
    """One transaction that takes many Kafka transactions: multi-row inserts, then a COPY."""
    first = -(20 + number) * SPAN
    with psycopg.connect(dsn) as database:
        database.execute(
            "insert into item select i, 3, 'big' from generate_series(%s::bigint, %s::bigint) i",
            (first, first + rows // 2 - 1),
        )
        with database.cursor() as cursor, cursor.copy("copy load from stdin") as copy:
            for each in range(first, first + rows // 2):
                copy.write_row((each, number, "big"))
        database.execute("delete from item where id between %s and %s", (first, first + rows // 20))
