"""The rule of the stage: one record in, facts, rejected rows and pages to do out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from streams.model.translation import Rejected, Translator
from streams.rules.translation.chunks import PAGE_ROWS, SnapshotPages, collected
from streams.rules.translation.coalesce import Address, Coalescer
from streams.rules.translation.rows import EntryView, StoredRows
from streams.rules.translation.stamp import stamp

if TYPE_CHECKING:
    from streams.model.rows import SourceTransaction


def translate(
    view: EntryView,
    transaction: SourceTransaction,
    translator: Translator,
    page_rows: int = PAGE_ROWS,
) -> tuple[object, ...]:
    """Translate one record of the input.

    Args:
        view: Entries of the record's partition.
        transaction: A database transaction, a chunk of one, or a chunk or page of a snapshot.
        translator: The system's translator.
        page_rows: Snapshot rows that one record translates.

    Returns:
        Facts in the order in which the translator gave them, then `Rejected` for each row that
        could not be translated, then at most one `SourceTransaction` that asks for the next page
        of a snapshot.
    """
    rows = StoredRows(view, transaction.source)
    if transaction.snapshot:
        return _snapshot(rows, transaction, translator, page_rows)
    changes = collected(rows, transaction)
    if changes is None:
        return ()
    work = Coalescer(rows, translator, transaction)
    work.add(changes)
    return _said(rows, work, transaction, translator)


def _snapshot(
    rows: StoredRows, transaction: SourceTransaction, translator: Translator, page_rows: int
) -> tuple[object, ...]:
    """Store images chunk by chunk; translate in pages after the last chunk."""
    pages = SnapshotPages(rows, transaction, page_rows)
    work = Coalescer(rows, translator, transaction)
    if transaction.chunk < 0:
        return _page(rows, pages, work, transaction, translator) if pages.due() else ()
    work.add(transaction.changes)
    if pages.complete or (transaction.chunk == 0 and transaction.last):
        pages.close()
        return _said(rows, work, transaction, translator)
    pages.wait(work.touched())
    if not transaction.last:
        return tuple(work.rejected)
    pages.close()
    return _page(rows, pages, work, transaction, translator)


def _page(
    rows: StoredRows,
    pages: SnapshotPages,
    work: Coalescer,
    transaction: SourceTransaction,
    translator: Translator,
) -> tuple[object, ...]:
    rejected = tuple(work.rejected)
    work = Coalescer(rows, translator, transaction)
    for address in pages.take():
        work.revisit(*address)
    said = _said(rows, work, transaction, translator, again=False)
    return (*rejected, *said, *pages.next_page())


def _said(
    rows: StoredRows,
    work: Coalescer,
    transaction: SourceTransaction,
    translator: Translator,
    *,
    again: bool = True,
) -> tuple[object, ...]:
    """Translate what was coalesced.

    Args:
        rows: The source's rows.
        work: The coalesced changes.
        transaction: The record.
        translator: The system's translator.
        again: Also try the rows that this transaction had rejected before: a replay of its dead
            letter, to a corrected translator, finds them so.
    """
    failed_before = _failed(rows, transaction)
    if again:
        for address in failed_before:
            work.revisit(*address)
    coalesced = work.result()
    facts: list[object] = []
    rejected = {(item.table, item.key, item.column): item for item in work.rejected}
    for item in translator.translate(coalesced, rows):
        if isinstance(item, Rejected):
            rejected.setdefault((item.table, item.key, item.column), item)
            continue
        fact = stamp(rows, transaction, translator, item)
        if fact is not None:
            facts.append(fact)
    schemas = {(row.table, row.key): row.schema for row in coalesced.rows}
    bad = {(item.table, item.key) for item in rejected.values()}
    _flag(rows, schemas.keys() | bad, bad)
    failed = () if again else failed_before
    failed += tuple((schemas.get(place, ""), *place) for place in sorted(bad))
    _remember(rows, transaction, failed)
    return (*facts, *rejected.values())


def _failed(rows: StoredRows, transaction: SourceTransaction) -> tuple[Address, ...]:
    flat = rows.listed(f"rejected {transaction.commit_lsn}")
    return tuple(zip(flat[::3], flat[1::3], flat[2::3], strict=True))


def _remember(
    rows: StoredRows, transaction: SourceTransaction, failed: tuple[Address, ...]
) -> None:
    flat = tuple(part for address in failed for part in address)
    rows.keep_list(f"rejected {transaction.commit_lsn}", flat)


def _flag(rows: StoredRows, touched: set[tuple[str, str]], bad: set[tuple[str, str]]) -> None:
    """Mark rows that failed: their next save is read even if it changes nothing."""
    for table, key in touched:
        entry = rows.entry("row", table, key)
        failed = (table, key) in bad
        if entry is not None and entry.rejected != failed:
            rows.put(replace(entry, rejected=failed), "row", table, key)
