"""The table of the bench: twelve columns of a measurement, filled by the server itself.

A row follows from its number, so every fill of the table is the same. What a change record says
about a row is brought into one form here, whoever wrote the record, and summed up so that two
multisets of rows are equal exactly when their sums are.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import psycopg

TABLE: Final = "reading"
PUBLICATION: Final = "bench"
PER_TRANSACTION: Final = 100
DDL: Final = (
    """
    create table reading (
        id bigint primary key,
        lot varchar(20) not null,
        item text not null,
        characteristic text not null,
        sequence int not null,
        value double precision not null,
        tolerance numeric(12,4) not null,
        passed boolean not null,
        measured_at timestamptz not null,
        entered_at timestamp not null,
        due date,
        note text
    )
    """,
    """
    create function reading_rows(first bigint, last bigint) returns setof reading
    language sql as $$
        select n, 'LOT-' || lpad((n * 7919 % 20000)::text, 8, '0'), 'ITEM-' || (n % 311),
            (array['diameter', 'hardness', 'surface roughness', 'viscosity'])[1 + n % 4],
            (n % 40)::int, (n % 9973) / 7.0, (n % 100000)::numeric / 10000, n % 50 <> 0,
            timestamptz '2026-01-01 00:00:00+00' + n * interval '1.234567 s',
            timestamp '2026-01-01 00:00:00' + n * interval '1.5 s',
            case when n % 3 = 0 then null else date '2026-01-01' + (n % 700)::int end,
            case when n % 4 <> 0 then null else 'checked by hand, see sheet ' || n end
        from generate_series(first, last) n
    $$
    """,
    """
    create procedure fill(first bigint, last bigint, per_transaction bigint)
    language plpgsql as $$
    begin
        for at in 0 .. (last - first) / per_transaction loop
            insert into reading select * from reading_rows(
                first + at * per_transaction,
                least(first + (at + 1) * per_transaction - 1, last));
            commit;
        end loop;
    end $$
    """,
    f"create publication {PUBLICATION} for table reading",
)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
SCALE: Final = Decimal(10_000)
MICRO: Final = 1_000_000


@dataclass(frozen=True)
class Tally:
    """A multiset of rows in short.

    Attributes:
        count: How many.
        total: The sum of the rows' digests, modulo 2^128.
    """

    count: int
    total: int

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.count + other.count, (self.total + other.total) % (1 << 128))


def make(server: psycopg.Connection) -> None:
    """Make the table, what fills it, and its publication."""
    for statement in DDL:
        server.execute(statement.encode())


def fill(
    server: psycopg.Connection, last: int, *, first: int = 1, per_transaction: int = PER_TRANSACTION
) -> None:
    """Insert rows in transactions of the same size; the connection must be in autocommit."""
    server.execute("call fill(%s, %s, %s)", (first, last, per_transaction))


def tally_of(server: psycopg.Connection) -> Tally:
    """What the table holds."""
    with server.transaction(), server.cursor("all_rows") as cursor:
        cursor.itersize = 20_000
        cursor.execute(f"select * from {TABLE}".encode())
        return tally(cursor)


def tally(rows: Iterable[Sequence[Any]]) -> Tally:
    """Sum up rows given as their cells in the table's order, in any known form."""
    count, total = 0, 0
    for row in rows:
        cells = tuple(form(cell) for form, cell in zip(FORMS, row, strict=True))
        digest = blake2b(repr(cells).encode(), digest_size=16).digest()
        total += int.from_bytes(digest, "big")
        count += 1
    return Tally(count, total % (1 << 128))


def _plain(cell: Any) -> Any:
    return cell


def _scaled(cell: Any) -> Any:
    """A numeric(12,4) as its unscaled number."""
    if isinstance(cell, str):
        cell = b64decode(cell)
    if isinstance(cell, bytes):
        return int.from_bytes(cell, "big", signed=True)
    return int(cell * SCALE)


def _micros(cell: Any) -> Any:
    """A point in time as microseconds since 1970."""
    if isinstance(cell, str):
        cell = datetime.fromisoformat(cell)
    if isinstance(cell, datetime):
        cell = cell if cell.tzinfo else cell.replace(tzinfo=UTC)
        since = cell - EPOCH
        return (since.days * 86_400 + since.seconds) * MICRO + since.microseconds
    return cell


def _day(cell: Any) -> Any:
    """A date as days since 1970."""
    return cell.toordinal() - EPOCH_DAY if isinstance(cell, date) else cell


FORMS: Final[Sequence[Callable[[Any], Any]]] = (
    *(_plain,) * 6,
    _scaled,
    _plain,
    _micros,
    _micros,
    _day,
    _plain,
)
COLUMNS: Final = (
    "id",
    "lot",
    "item",
    "characteristic",
    "sequence",
    "value",
    "tolerance",
    "passed",
    "measured_at",
    "entered_at",
    "due",
    "note",
)
