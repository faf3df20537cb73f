"""The order of a whole run: logs, snapshots, waiting times; rows in turn, round by round."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException

from tests.bench.cdc import table
from tests.bench.cdc.contenders.ours import Ours
from tests.bench.cdc.findings import Result
from tests.bench.cdc.measure.drain import Drain, Follow
from tests.bench.cdc.measure.limits import copy_limit, log_limit
from tests.bench.cdc.measure.memory import Held, over_many, over_one
from tests.bench.cdc.measure.paced import waits
from tests.bench.cdc.output import read_back
from tests.bench.cdc.rows import LIMIT, PACED, SNAPSHOT, STREAM, Row
from tests.bench.measure.watch import ended

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from tests.bench.cdc.debezium.connect import Debezium
    from tests.bench.cdc.findings import Findings
    from tests.bench.cdc.rows import Field
    from tests.bench.cdc.table import Tally

PARTS: Final = ("stream", "snapshot", "paced")
ORIGIN: Final = "origin"
ENDED_BADLY: Final = (RuntimeError, ValueError, KafkaException)


class Bench:
    """One run of the whole.

    Args:
        where: Broker, registry, database server, Debezium.
        found: Takes what is found.
        given: What the command line asked for.
    """

    def __init__(self, where: Field, found: Findings, given: argparse.Namespace) -> None:
        self._where, self._found, self._given = where, found, given

    def whole(self) -> None:
        """All parts that were asked for."""
        if self._given.memory:
            self.memory()
            return
        parts = {"stream": self.stream, "snapshot": self.snapshot, "paced": self.paced}
        for part in self._given.parts:
            parts[part]()

    def stream(self) -> None:
        """Readers drain one log, written before; each has a slot that stood at its start."""
        server, rows = self._where.server, self._given.rows
        dsn = server.database("stream")
        server.slot(dsn, ORIGIN)
        runs = {
            (row.key, number): self._prepared(
                row, dsn, f"stream-{row.key.replace('_', '-')}-{number}"
            )
            for number, row in self._turns(STREAM)
            if row.tuning is None
        }
        with server.connect(dsn) as database:
            say(f"writing {rows:,} rows in transactions of {table.PER_TRANSACTION}")
            table.fill(database, rows)
            wanted = table.tally_of(database)
        end = server.end()
        for number, row in self._turns(STREAM):
            if row.tuning is not None:
                run = self._where.run(row, dsn, f"stream-{row.key.replace('_', '-')}-{number}")
                server.copied(dsn, ORIGIN, run.slot)
                self._drain(row, number, run, wanted, self._found.streams)
            elif (ours := runs[row.key, number]) is not None:
                self._drain(row, number, ours, wanted, self._found.streams)
            if row.key == "ours" and self._wants(LIMIT):
                self._log_limit(dsn, number, end)

    def snapshot(self) -> None:
        """Readers take one table that nobody writes to."""
        dsn = self._where.server.database("snap")
        with self._where.server.connect(dsn) as database:
            table.fill(database, self._given.rows, per_transaction=self._given.rows)
            database.execute("vacuum analyze reading")
            wanted = table.tally_of(database)
        for number, row in self._turns(SNAPSHOT):
            name = f"snap-{row.key.replace('_', '-')}-{number}"
            run = self._where.run(row, dsn, name, snapshot=True)
            self._drain(row, number, run, wanted, self._found.snapshots)
            if row.key == "ours" and self._wants(LIMIT):
                limit = copy_limit(self._where.server, dsn, self._given.rows)
                self._found.copy_limits.append(limit)
                say(f"{number} COPY to nothing: {limit.rate:,.0f} rows/s")

    def paced(self) -> None:
        """A writer commits at a steady rate."""
        for number, row in self._turns(PACED):
            name = f"paced-{row.key.replace('_', '-')}-{number}"
            run = self._where.run(row, self._where.server.database(name.replace("-", "_")), name)
            process = run.start()
            try:
                found = waits(self._where.ground, run, process, seconds=self._given.seconds)
            except ENDED_BADLY as failure:
                self._failed(row, failure)
                continue
            finally:
                ended([process])
            self._where.forget(run)
            self._found.waits.setdefault(row.key, []).append(found)
            say(f"{number} {row.title}: {found}")

    def memory(self) -> None:
        """The longer mode: much, and much at once."""
        rows = self._given.rows
        trials: dict[str, tuple[Callable[[Field, Ours, int], Held], int]] = {
            "many": (over_many, rows),
            "one": (over_one, rows // 2),
        }
        for name, (trial, count) in trials.items():
            dsn = self._where.server.database(f"memory_{name}")
            run = Ours(self._where.ground, self._where.server, dsn, f"memory-{name}")
            held = self._found.memory[name] = trial(self._where, run, count)
            self._where.forget(run)
            say(
                f"{count:,} rows in {'one transaction' if name == 'one' else 'small ones'}: peak "
                f"{held.peak_mb:.0f} MB, {held.slope:+.2f} MB per million, "
                f"{held.rate:,.0f} rows/s, CPU {held.cpu_per_million:.1f} s per million, "
                f"{held.early} before the commit, "
                f"output {'exact' if held.exact else 'WRONG'}"
            )

    def _turns(self, rows: tuple[Row, ...]) -> Iterator[tuple[int, Row]]:
        for number in range(1, self._given.rounds + 1):
            for row in rows:
                if number <= row.rounds and self._wants(row.key):
                    yield number, row

    def _wants(self, key: str) -> bool:
        return not self._given.only or key in self._given.only

    def _prepared(self, row: Row, dsn: str, name: str) -> Ours | None:
        run = self._where.run(row, dsn, name)
        assert isinstance(run, Ours)
        try:
            run.prepare()
        except ENDED_BADLY as failure:
            self._failed(row, failure)
            return None
        return run

    def _log_limit(self, dsn: str, number: int, end: str) -> None:
        server, slot = self._where.server, f"limit_{number}"
        server.copied(dsn, ORIGIN, slot)
        limit = log_limit(server, dsn, slot, end, self._given.rows)
        server.drop(slot)
        self._found.log_limits.append(limit)
        say(
            f"{number} pg_recvlogical to nothing: {limit.rate:,.0f} rows/s, CPU "
            f"{limit.cpu_per_million:.1f} s per million, server {limit.server_per_million:.1f}"
        )

    def _drain(
        self,
        row: Row,
        number: int,
        run: Ours | Debezium,
        wanted: Tally,
        into: dict[str, list[Result]],
    ) -> None:
        began, process = time.monotonic(), run.start()
        try:
            drain = Follow(self._where.ground, run, process, began).until_visible(wanted.count)
            ended([process])
            # A peer's output is compared once, ours each time.
            exact = (
                read_back(self._where.ground, run.topic, run.form) == wanted
                if number == 1 or row.tuning is None
                else None
            )
        except ENDED_BADLY as failure:
            self._failed(row, failure)
            return
        finally:
            ended([process])
        self._where.forget(run)
        into.setdefault(row.key, []).append(Result(drain, exact))
        say(f"{number} {row.title}: {described(drain)}, output {SAID[exact]}")

    def _failed(self, row: Row, failure: Exception) -> None:
        last = str(failure).strip().splitlines()[-1:]
        self._found.failures.append(f"{row.title}: {failure}")
        say(f"FAILED {row.title}: {''.join(last)}")


SAID: Final = {True: "exact", False: "WRONG", None: "complete"}


def described(drain: Drain) -> str:
    """A run in one line."""
    return (
        f"CPU {drain.cpu_per_million:.1f} s per million ({drain.whole_per_million:.1f} with "
        f"start), {drain.rate:,.0f} rows/s, {drain.rss_mb:.0f} MB, first record after "
        f"{drain.start_s:.1f} s, server {drain.server_per_million:.1f}, broker "
        f"{drain.broker_per_million:.1f}"
    )


def say(text: str) -> None:
    """Tell the person at the terminal."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
