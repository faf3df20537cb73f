"""The part of each event that says which one of its transaction it is."""

from __future__ import annotations

from connectors.sources.encoding import primitives as avro


class Blocks:
    """Counts a transaction's events and encodes each one's `transaction` block.

    Args:
        transaction: The transaction's id, encoded; empty where events do not name it.
        total: Events before.
        tables: Events before, per table.
    """

    __slots__ = ("_transaction", "current", "tables", "total")

    def __init__(self, transaction: bytes, total: int, tables: dict[str, int]) -> None:
        self._transaction = transaction
        self.current = ""
        self.total = total
        self.tables = tables

    @property
    def opening(self) -> bytes:
        """Each event's block up to its counts; null where events do not name the transaction."""
        return avro.SOME + self._transaction if self._transaction else avro.NULL

    def of(self, table: str) -> Blocks:
        """Count the next events for a table."""
        self.current = table
        return self

    def next(self) -> bytes:
        """The block of the next event."""
        self.total += 1
        count = self.tables[self.current] = self.tables.get(self.current, 0) + 1
        if not self._transaction:
            return avro.NULL
        return b"\x02%b%b%b" % (self._transaction, avro.long(self.total), avro.long(count))
