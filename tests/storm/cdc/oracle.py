"""What the raw topics must hold, told from the server's log alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.storm.cdc.tables import SHAPES, Key, Row
from tests.storm.cdc.wal import Committed, Event

Frozen = tuple[tuple[str, Any], ...] | None
State = dict[str, dict[Key, Row]]


@dataclass(frozen=True, slots=True)
class Expected:
    """One raw record: where it belongs, and all that a reader relies on.

    Attributes:
        op: `c`, `u`, `d`, `t`, or `x` for a tombstone.
        after: The new row.
    """

    table: str
    key: Key | None
    op: str
    commit_lsn: int
    ordinal: int
    after: Frozen

    @property
    def place(self) -> tuple[int, int]:
        return self.commit_lsn, self.ordinal


def frozen(row: Row | None) -> Frozen:
    """A row that can be compared and counted."""
    return None if row is None else tuple(sorted(row.items()))


def expected(transactions: Iterable[Committed]) -> Iterator[Expected]:
    """The raw records of transactions, in the log's order."""
    for transaction in transactions:
        for event in transaction.events:
            for op, key, after in _records(event):
                yield Expected(
                    event.table, key, op, transaction.commit_lsn, event.ordinal, frozen(after)
                )


def events_of(transaction: Committed) -> dict[str, int]:
    """How many events a transaction has by table: a changed key makes two, a tombstone none."""
    found: dict[str, int] = defaultdict(int)
    for event in transaction.events:
        found[event.table] += sum(1 for op, _, _ in _records(event) if op != "x")
    return dict(found)


def _records(event: Event) -> list[tuple[str, Key | None, Row | None]]:
    if event.op == "t":
        return [("t", None, None)]
    old, new = keys_of(event)
    if event.op == "d":
        return [("d", old, None), ("x", old, None)]
    if old is not None and old != new:
        return [("d", old, None), ("x", old, None), ("c", new, event.new)]
    return [(event.op, new, event.new)]


def keys_of(event: Event) -> tuple[Key | None, Key | None]:
    """The row's key before and after, each where the log tells it."""
    shape = SHAPES[event.table]
    old = None if event.old is None else shape.key_of(event.old)
    return old, None if event.new is None else shape.key_of(event.new)


def apply(state: State, transaction: Committed) -> None:
    """Carry a transaction out on copies of the tables."""
    for event in transaction.events:
        table = state.setdefault(event.table, {})
        old, new = keys_of(event)
        if event.op == "t":
            table.clear()
            continue
        if old is not None:
            table.pop(old)
        if new is not None and event.new is not None:
            table[new] = event.new
