"""Fold the row changes of a transaction: each row changes once, from its image to its last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from streams.model.ids import escaped
from streams.model.translation import (
    Coalesced,
    CoalescedRow,
    Rejected,
    Table,
    TranslateEntry,
    Translator,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.model.rows import Cell, RowChange, SourceTransaction
    from streams.rules.translation.rows import StoredRows

STAMPS = frozenset({"write_date", "write_uid"})
"""Columns that say only that a row was written; alone they are no change."""

Address = tuple[str, str, str]
"""Schema, table and key of a row."""

KEPT = "The transaction's bytes are in the dead letter; every other row of it was translated."


@dataclass(slots=True)
class Touch:
    """A row that the transaction wrote.

    Attributes:
        schema: Schema of its table.
        before: Its image before the transaction.
        ordinal: Place of its last change.
        replayed: A change of it was at or below the position of its image.
    """

    schema: str
    before: Mapping[str, Cell] | None
    ordinal: int
    replayed: bool = False


def row_key(key: Mapping[str, Cell]) -> str:
    """Text form of a primary key; for the usual single column simply its value."""
    return "/".join(escaped(str(key[column])) for column in sorted(key))


class Coalescer:
    """Applies changes to the images and remembers what each row was before.

    Args:
        rows: The source's rows.
        translator: Says which tables and columns matter.
        origin: The transaction (or its last chunk).
    """

    def __init__(self, rows: StoredRows, translator: Translator, origin: SourceTransaction) -> None:
        self._rows = rows
        self._tables = translator.tables
        self._origin = origin
        self._touched: dict[tuple[str, str], Touch] = {}
        self.rejected: list[Rejected] = []

    def add(self, changes: tuple[RowChange, ...]) -> None:
        """Apply changes in log order."""
        for change in changes:
            spec = self._tables.get(change.table)
            if spec is None:
                continue
            problem = _problem(change)
            if problem:
                self.rejected.append(self._reject(change, *problem))
                continue
            moved = _moved_from(change)
            if moved is not None:
                self._apply(spec, replace(change, op="d", key=moved, before=None, after=None))
            self._apply(spec, change)

    def revisit(self, schema: str, table: str, key: str) -> None:
        """Translate a row again though nothing in it changed."""
        entry = self._rows.entry("row", table, key)
        if entry is not None and not entry.deleted:
            touch = Touch(schema, entry.cells, max(entry.ordinal, 0), replayed=True)
            self._touched.setdefault((table, key), touch)

    def result(self) -> Coalesced:
        """The coalesced transaction."""
        found = [row for row in map(self._row, self._touched) if row is not None]
        found.sort(key=lambda row: row.ordinal)
        return Coalesced(replace(self._origin, changes=()), tuple(found))

    def touched(self) -> tuple[Address, ...]:
        """Every row written."""
        return tuple((touch.schema, table, key) for (table, key), touch in self._touched.items())

    def _apply(self, spec: Table, change: RowChange) -> None:
        key = row_key(change.key)
        entry = self._rows.entry("row", change.table, key) or TranslateEntry(deleted=True)
        before = None if entry.deleted else entry.cells
        touch = self._touched.get((change.table, key))
        if touch is None:
            touch = Touch(change.schema, before, change.ordinal)
            self._touched[change.table, key] = touch
        ordinal = -1 if self._origin.snapshot else change.ordinal
        position = (self._origin.commit_lsn, ordinal)
        same_server = entry.system_id == self._origin.system_id
        if same_server and position <= (entry.commit_lsn, entry.ordinal):
            touch.replayed = True
            return
        touch.ordinal = change.ordinal
        cells = {} if change.op == "d" else _cells(spec, change, before or {})
        renewed = TranslateEntry(
            cells=cells,
            system_id=self._origin.system_id,
            commit_lsn=position[0],
            ordinal=position[1],
            deleted=change.op == "d",
            rejected=entry.rejected,
        )
        self._rows.put(renewed, "row", change.table, key)
        for column in spec.indexed:
            if cells.get(column) != (before or {}).get(column):
                self._rows.index(change.table, column, cells.get(column), key)

    def _row(self, address: tuple[str, str]) -> CoalescedRow | None:
        table, key = address
        touch = self._touched[address]
        entry = self._rows.entry("row", table, key)
        after = None if entry is None or entry.deleted else entry.cells
        if touch.before is None and after is None:
            return None
        flagged = entry is not None and entry.rejected
        if not (touch.replayed or flagged or _differ(touch.before, after)):
            return None
        op = "r" if self._origin.snapshot else _op(touch.before, after)
        before = None if self._origin.snapshot else touch.before
        return CoalescedRow(touch.schema, table, key, op, touch.ordinal, before, after)

    def _reject(self, change: RowChange, code: str, message: str, advice: str) -> Rejected:
        return Rejected(
            source=self._origin.source,
            table=change.table,
            key=row_key(change.key),
            column="",
            commit_lsn=self._origin.commit_lsn,
            code=code,
            message=message,
            kept=KEPT,
            advice=advice,
        )


def _problem(change: RowChange) -> tuple[str, str, str] | None:
    """Why a change cannot be applied at all: code, message, advice."""
    if change.op == "t":
        return (
            "table_truncated",
            f"Table {change.table} was truncated at the source; what is known of its rows stays",
            (
                "ask the database's owner why; lots stay known and holds stay in place, so check "
                "by hand what the rows stood for, then take a new snapshot of the source"
            ),
        )
    if not change.key:
        return (
            "no_primary_key",
            f"A row of {change.table} came without a primary key",
            f"give {change.table} a primary key or a replica identity index, then save it again",
        )
    if change.op != "d" and change.after is None:
        return (
            "no_image",
            f"A change of {change.table} {row_key(change.key)} came without the new row",
            "repair the source connector, then save the row again",
        )
    return None


def _moved_from(change: RowChange) -> dict[str, Cell] | None:
    """The old primary key if an update changed it."""
    if change.op != "u" or change.before is None:
        return None
    old = {column: change.before.get(column) for column in change.key}
    return old if None not in old.values() and old != dict(change.key) else None


def _cells(spec: Table, change: RowChange, before: Mapping[str, Cell]) -> dict[str, Cell]:
    """The wanted columns; those that the log did not repeat come from the last image."""
    after = change.after or {}
    cells: dict[str, Cell] = {}
    for column in spec.columns:
        if column in change.unavailable:
            if column in before:
                cells[column] = before[column]
        elif column in after:
            cells[column] = after[column]
    return cells


def _differ(before: Mapping[str, Cell] | None, after: Mapping[str, Cell] | None) -> bool:
    if before is None or after is None:
        return before is not after
    columns = (before.keys() | after.keys()) - STAMPS
    return any(before.get(column) != after.get(column) for column in columns)


def _op(before: Mapping[str, Cell] | None, after: Mapping[str, Cell] | None) -> str:
    if before is None:
        return "c"
    return "d" if after is None else "u"
