"""Concurrent writers, a judge of what was published, and a source without the watermark rule."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from io import BytesIO
from typing import TYPE_CHECKING, Any

import fastavro
import psycopg

from connectors.base import Position, Signal
from connectors.sources.postgres.snapshot.woven.weaver import Weaver
from connectors.sources.postgres.snapshot.woven.windows import Windows
from connectors.sources.postgres.source import PostgresSource
from streams.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from connectors.base import Change, RawRecord, TableShape
    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.snapshot.rows import Made
    from connectors.sources.postgres.snapshot.woven.windows import Window
    from tests.live.test_cdc_support import Rig

SCHEMA = (
    "create table goods(site text, id int, n bigint not null, note text, large text)",
    "alter table goods add primary key (site, id)",
    "alter table goods alter large set storage external",
    "create sequence version",
    "create publication lotgate for table goods",
)
FILL = (
    "insert into goods select chr(65 + i % 5), i, nextval('version'), 'n' || i,"
    " case when i % 50 = 0 then repeat(md5(i::text), 100) end"
    " from generate_series(1, {rows}) i"
)
LONG_S = 0.7


class Writers:
    """Change rows all over the table until told to stop: each row's `n` only ever grows.

    Args:
        rig: The database.
        rows: Rows at the beginning.
        count: Writers; the first one holds its transactions open.
        seed: Makes the same choices again.
    """

    def __init__(self, rig: Rig, rows: int, count: int = 4, seed: int = 1) -> None:
        self._rig = rig
        self._rows = rows
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(seed * 100 + number, number == 0))
            for number in range(count)
        ]
        self.failures: list[str] = []
        self.transactions = 0

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert not self.failures, self.failures

    def _run(self, seed: int, slow: bool) -> None:
        choice = random.Random(seed)
        with psycopg.connect(self._rig.dsn) as database:
            while not self._stop.is_set():
                try:
                    self._transaction(database, choice, slow=slow)
                except psycopg.errors.DeadlockDetected:
                    database.rollback()
                except psycopg.errors.UniqueViolation:
                    database.rollback()
                except psycopg.Error as error:
                    self.failures.append(repr(error))
                    return
                time.sleep(0.002)

    def _transaction(
        self, database: psycopg.Connection[Any], choice: random.Random, *, slow: bool
    ) -> None:
        for _ in range(choice.randint(1, 8)):
            self._change(database, choice)
        if slow:
            self._stop.wait(choice.random() * LONG_S)
        if choice.random() < 0.12:
            database.rollback()
        else:
            database.commit()
            self.transactions += 1

    def _change(self, database: psycopg.Connection[Any], choice: random.Random) -> None:
        number = choice.randint(1, self._rows * 11 // 10)
        where = "where site = chr(65 + %(id)s %% 5) and id = %(id)s"
        kind = choice.random()
        if kind < 0.55:
            statement = f"update goods set n = nextval('version') {where}"
        elif kind < 0.62:
            statement = f"delete from goods {where}"
        elif kind < 0.70:
            # The row moves to a key that no other row has, or back.
            statement = (
                f"update goods set id = -id, n = nextval('version') {where} and not exists "
                "(select from goods other where other.site = goods.site and other.id = -goods.id)"
            )
        elif kind < 0.90:
            statement = (
                "insert into goods values (chr(65 + %(id)s %% 5), %(id)s, nextval('version'),"
                " 'new', null) on conflict (site, id) do update set n = nextval('version')"
            )
        else:
            return self._copy(database, choice)
        database.execute(statement.encode(), {"id": number})
        return None

    def _copy(self, database: psycopg.Connection[Any], choice: random.Random) -> None:
        first = choice.randint(10, 90_000) * 1_000 + self._rows
        ((version,),) = database.execute("select nextval('version')").fetchall()
        with (
            database.cursor() as cursor,
            cursor.copy("copy goods (site, id, n) from stdin") as copy,
        ):
            for number in range(first, first + choice.randint(1, 20)):
                copy.write_row(("C", number, version))


COLUMNS = ("site", "id", "n", "note", "large")
Row = tuple[str, int]


class Ledger:
    """What a source gave, as a broker would keep it: committed or not at all.

    It is a source's `TableTopics`, and decodes what the source wrote by the schemas bound here.
    """

    def __init__(self) -> None:
        self.committed: list[tuple[RawRecord, Any]] = []
        self.records: list[RawRecord] = []
        self.position: Position | None = None
        self._schemas: list[Any] = []
        self._open: list[RawRecord] = []
        self._reached: Position | None = None

    def announce(self, topics: Sequence[str]) -> None:
        """There is nothing to make."""

    def values(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Event ids and envelopes of what was committed."""
        for record, value in self.committed:
            yield dict(record.headers)["event_id"].decode(), value

    def bind(
        self,
        topic: str,
        key: dict[str, Any] | None,
        value: dict[str, Any],
        shape: TableShape | None = None,
    ) -> tuple[bytes, bytes]:
        """Give a frame to a schema."""
        del topic, shape
        self._schemas.append(fastavro.parse_schema(value))
        frame = b"\0" + (len(self._schemas) - 1).to_bytes(4, "big")
        return (b"" if key is None else b"\0\0\0\0\0"), frame

    def told(self, topic: str) -> Iterator[tuple[bytes, bool]]:
        """Keys of what was committed."""
        for record in self.records:
            if record.topic == topic and record.key is not None:
                yield record.key, record.value is not None

    def add(self, change: Change) -> None:
        """Take a change into the open transaction."""
        assert not change.dead
        self._open.extend(change.records)
        self._reached = change.position

    def commit(self) -> Position | None:
        """Keep what is open."""
        position, self._reached = self._reached, None
        if position is None:
            return None
        self.records += self._open
        for record in self._open:
            if record.value is not None:
                schema = self._schemas[int.from_bytes(record.value[1:5], "big")]
                body = fastavro.schemaless_reader(BytesIO(record.value[5:]), schema)
                self.committed.append((record, body))
        self._open = []
        self.position = Position(json.loads(json.dumps(dict(position.fields))))
        return self.position

    def lose(self) -> None:
        """A process died: what was open is gone."""
        self._open, self._reached = [], None


def table_of(rig: Rig) -> dict[Row, tuple[Any, ...]]:
    """The table as the server has it."""
    return {(row[0], row[1]): row for row in rig.rows("select site, id, n, note, large from goods")}


def judged(values: Iterable[tuple[str, dict[str, Any]]], server: dict[Row, Any]) -> Counter[str]:
    """Fold the changes and compare with the table.

    Args:
        values: Event id and envelope, in the order of each key's records.
        server: The table.

    Returns:
        How often what is wrong (`doubled`, `late`, `differs`), and how many records and readings.
    """
    folded: dict[Row, dict[str, Any]] = {}
    gone: dict[Row, dict[str, Any]] = {}
    newest: dict[Row, int] = {}
    found: Counter[str] = Counter()
    ids: set[str] = set()
    for event, value in values:
        found["records"] += 1
        found["doubled"] += event in ids
        ids.add(event)
        row = value["before"] if value["op"] == "d" else value["after"]
        key = (row["site"], row["id"])
        if value["op"] == "d":
            gone[key] = folded.pop(key, {})
            newest.pop(key, None)
            continue
        if value["op"] == "r":
            found["reads"] += 1
            # A reading may repeat what a change said, but never go back behind it.
            found["late"] += row["n"] < newest.get(key, 0)
        newest[key] = max(newest.get(key, 0), row["n"])
        for column in value["unavailable"] or ():
            # A row that moved to this key left its large value at the other one.
            former = folded.get(key) or gone.get((key[0], -key[1]), {})
            row[column] = former.get(column, "?")
        folded[key] = row
    for key in server.keys() | folded.keys():
        row_or_none = folded.get(key)
        shown = None if row_or_none is None else tuple(row_or_none[name] for name in COLUMNS)
        if shown != server.get(key):
            found["differs"] += 1
            found[f"{key}: {shown} for {server.get(key)}"[:300]] = 1
    return found


class Orders:
    """Orders to a source, as a topic would give them."""

    def __init__(self) -> None:
        self.given: list[bytes] = []
        self._next = 0

    def end(self) -> int:
        """The place behind the last order."""
        return len(self.given)

    def begin(self, offset: int) -> None:
        """Give orders from here on."""
        self._next = offset

    def taken(self) -> list[Signal]:
        """Orders that were not given yet."""
        found = [
            Signal(number, text) for number, text in enumerate(self.given) if number >= self._next
        ]
        self._next = len(self.given)
        return found


class Lives:
    """One source life after the other on one ledger, each ended at random or when it is done.

    Args:
        settings: The source's settings.
        kind: The source.
        seed: Makes the same choices again.

    Attributes:
        deaths: Lives that ended at random.
        resumed: Lives that began in the middle of an initial snapshot.
    """

    def __init__(
        self, settings: PostgresSettings, kind: type[PostgresSource] = PostgresSource, seed: int = 1
    ) -> None:
        self.ledger = Ledger()
        self.orders = Orders()
        self.deaths = 0
        self.resumed = 0
        self._left = 0
        self._settings = settings
        self._kind = kind
        self._choice = random.Random(seed)

    def run(self, done: Callable[[Lives], bool], deadly: float = 0.0, most: int = 4) -> None:
        """Live until it is done; start again after each death.

        Args:
            done: Asked whenever everything at hand was committed.
            deadly: How likely a death is at each change.
            most: Deaths after which it lives on.
        """
        deadline = time.monotonic() + 90
        self._left = most
        while not self._life(done, deadly):
            assert time.monotonic() < deadline, self.ledger.position

    def _life(self, done: Callable[[Lives], bool], deadly: float) -> bool:
        stored = {} if self.ledger.position is None else self.ledger.position.fields
        left = stored.get("snapshot", {}).get("runs", ())
        self.resumed += stored.get("phase") == "snapshot" and any(run["rows"] for run in left)
        source = self._kind(self._settings, self.orders)
        changes = source.changes(self.ledger.position, self.ledger)
        try:
            for change in changes:
                if change is not None:
                    self.ledger.add(change)
                if change is None or change.barrier or self._choice.random() < 0.4:
                    position = self.ledger.commit()
                    if position is not None:
                        source.confirm(position)
                if change is not None and self._left and self._choice.random() < deadly:
                    self.deaths += 1
                    self._left -= 1
                    break
                if change is None and done(self):
                    return True
        except Transient:
            time.sleep(0.05)  # the server has not noticed yet that the last life is over
        finally:
            self.ledger.lose()
            changes.close()  # type: ignore[attr-defined]  # it is a generator
            source.close()
        return False


class Unruly(Windows):
    """Chunks whose rows wait without regard to what changes meanwhile."""

    def overtaken(self, change: Change) -> Iterator[tuple[Window, list[Made]]]:
        """Let nothing out early, and drop nothing."""
        del change
        yield from ()


class UnrulyWeaver(Weaver):
    """Weaves without the watermark rule."""

    windows = Unruly


class UnrulySource(PostgresSource):
    """A source whose snapshots go wrong, to see that the judge sees it."""

    weaving = UnrulyWeaver
