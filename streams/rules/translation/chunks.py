"""Chunks of big transactions, and pages of big snapshots.

A transaction's chunks wait until its last one, then all are handled as one. Once the last was
seen, a chunk that comes later (the replay of a dead letter) is handled by itself; a chunk that is
delivered twice changes nothing.

A snapshot may be larger than memory, so its images are stored chunk by chunk; only the keys wait.
After the last chunk they are translated page by page; the stage sends itself a record without
changes for each next page, so that no cycle grows with the size of the plant.
A snapshot adds and corrects; it does not show which rows are gone, so none is ever taken for gone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from streams.model.translation import TranslateEntry

if TYPE_CHECKING:
    from streams.model.rows import RowChange, SourceTransaction
    from streams.rules.translation.coalesce import Address
    from streams.rules.translation.rows import StoredRows

PAGE_ROWS = 2_000
"""Snapshot rows that one record translates, a chunk more or less."""


def collected(rows: StoredRows, transaction: SourceTransaction) -> tuple[RowChange, ...] | None:
    """Changes of the whole transaction, in log order; None while chunks are missing at its end."""
    if transaction.chunk == 0 and transaction.last:
        return transaction.changes
    parts = ("chunks", str(transaction.commit_lsn))
    head = rows.entry(*parts) or TranslateEntry()
    if head.deleted:
        return transaction.changes
    members = (*head.members, str(transaction.chunk))
    if not transaction.last:
        rows.put(replace(head, members=tuple(dict.fromkeys(members))), *parts)
        rows.put(TranslateEntry(chunk=transaction), *parts, str(transaction.chunk))
        return None
    changes = [*transaction.changes]
    for member in head.members:
        waiting = rows.entry(*parts, member)
        if waiting is not None and waiting.chunk is not None:
            changes.extend(waiting.chunk.changes)
        rows.delete(*parts, member)
    rows.put(TranslateEntry(deleted=True), *parts)
    unique = {change.ordinal: change for change in changes}
    return tuple(unique[ordinal] for ordinal in sorted(unique))


class SnapshotPages:
    """The keys of a snapshot's rows that still wait to be translated.

    Args:
        rows: The source's rows.
        transaction: A chunk of the snapshot, or a record for its next page.
        size: Rows after whose translation the rest waits for a record of its own.
    """

    def __init__(self, rows: StoredRows, transaction: SourceTransaction, size: int) -> None:
        self._size = size
        self._rows = rows
        self._transaction = transaction
        self._parts = ("snapshot", str(transaction.commit_lsn))
        self._head = rows.entry(*self._parts) or TranslateEntry()

    @property
    def complete(self) -> bool:
        """Whether the last chunk was seen before."""
        return self._head.deleted

    def wait(self, touched: tuple[Address, ...]) -> None:
        """Keep the keys of a chunk until the last one."""
        self._forget_unfinished()
        number = str(self._transaction.chunk)
        members = tuple(part for address in touched for part in address)
        self._rows.put(TranslateEntry(members=members), *self._parts, number)
        known = tuple(dict.fromkeys((*self._head.members, number)))
        self._head = replace(self._head, members=known)
        self._rows.put(self._head, *self._parts)

    def _forget_unfinished(self) -> None:
        """A snapshot that broke off begins anew at another position: its keys wait for nothing."""
        former = self._rows.listed("snapshot")
        if former == self._parts:
            return
        head = self._rows.entry(*former) if former else None
        if head is not None and not head.deleted:
            for number in head.members:
                self._rows.delete(*former, number)
            self._rows.delete(*former)
        self._rows.keep_list("snapshot", self._parts)

    def close(self) -> None:
        """The last chunk was seen."""
        self._head = replace(self._head, deleted=True)
        self._rows.put(self._head, *self._parts)

    def take(self) -> tuple[Address, ...]:
        """Keys for one page of work; they no longer wait."""
        taken: list[str] = []
        waiting = list(self._head.members)
        while waiting and len(taken) < 3 * self._size:
            number = waiting.pop(0)
            entry = self._rows.entry(*self._parts, number)
            taken.extend(entry.members if entry else ())
            self._rows.delete(*self._parts, number)
        self._head = replace(self._head, members=tuple(waiting), count=self._head.count + 1)
        self._rows.put(self._head, *self._parts)
        return tuple(zip(taken[::3], taken[1::3], taken[2::3], strict=True))

    def due(self) -> bool:
        """Whether this record for a next page is the one awaited, not a repeated one."""
        return self.complete and self._transaction.chunk == -self._head.count

    def next_page(self) -> tuple[SourceTransaction, ...]:
        """The record that asks for the next page; none if no keys wait."""
        if not self._head.members:
            return ()
        return (replace(self._transaction, chunk=-self._head.count, last=True, changes=()),)
