"""Builders of source transactions, and a partition of translation state in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.translators.crm import CrmTranslator
from connectors.translators.erpnext import ErpnextTranslator
from connectors.translators.oca import OcaTranslator
from connectors.translators.tryton import TrytonTranslator
from streams.model.rows import RowChange, SourceTransaction
from streams.model.translation import TranslateEntry, Translator
from streams.rules.translation import translate
from streams.rules.translation.chunks import PAGE_ROWS

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
TRANSLATORS: dict[str, Translator] = {
    "tryton": TrytonTranslator(),
    "oca": OcaTranslator(),
    "crm": CrmTranslator(),
    "erpnext": ErpnextTranslator(),
}


@dataclass
class Entries:
    """The entries of one partition."""

    held: dict[str, TranslateEntry] = field(default_factory=dict)

    def get(self, key: str, /) -> TranslateEntry | None:
        return self.held.get(key)

    def put(self, key: str, state: TranslateEntry, /) -> None:
        self.held[key] = state

    def delete(self, key: str, /) -> None:
        del self.held[key]


def row(op: str, table: str, key: Any, **cells: Any) -> RowChange:
    """A row change; `cells` is its new image."""
    after = None if op in {"d", "t"} else {"id": key, **cells}
    return RowChange(0, "public", table, op, {"id": key}, None, after)


def chunked(whole: SourceTransaction, *sizes: int) -> list[SourceTransaction]:
    """Cut a transaction into chunks of these sizes; the rest is the last chunk."""
    chunks: list[SourceTransaction] = []
    changes = whole.changes
    for size in sizes:
        chunks.append(replace(whole, chunk=len(chunks), last=False, changes=changes[:size]))
        changes = changes[size:]
    return [*chunks, replace(whole, chunk=len(chunks), last=True, changes=changes)]


@dataclass
class Database:
    """A source whose full rows are remembered, so that an update may name only what it changes."""

    translator: str
    source: str
    lsn: int = 1_000
    rows: dict[tuple[str, Any], dict[str, Any]] = field(default_factory=dict)
    log: list[SourceTransaction] = field(default_factory=list)

    def change(self, op: str, table: str, key: Any, **cells: Any) -> RowChange:
        if op == "d":
            self.rows.pop((table, key), None)
            return row("d", table, key)
        image = {**self.rows.get((table, key), {}), **cells}
        self.rows[table, key] = image
        return row(op, table, key, **image)

    def transaction(self, *changes: RowChange, snapshot: bool = False) -> SourceTransaction:
        self.lsn += 100
        made = SourceTransaction(
            source=self.source,
            translator=self.translator,
            site="PLANT-1",
            database="plant",
            system_id="7412345678901234567",
            tx_id=0 if snapshot else self.lsn + 7,
            commit_lsn=self.lsn,
            committed_at=START + timedelta(seconds=self.lsn),
            ingested_at=START + timedelta(seconds=self.lsn + 1),
            snapshot=snapshot,
            chunk=0,
            last=True,
            changes=tuple(replace(item, ordinal=number) for number, item in enumerate(changes)),
            connector_version="1",
        )
        self.log.append(made)
        return made

    def snapshot(self, *changes: RowChange) -> SourceTransaction:
        return self.transaction(*(replace(item, op="r") for item in changes), snapshot=True)


@dataclass
class Translation:
    """Runs the stage's rule over records, and keeps what it said."""

    entries: Entries = field(default_factory=Entries)
    page_rows: int = PAGE_ROWS
    said: list[Any] = field(default_factory=list)

    def translate(self, record: SourceTransaction) -> tuple[object, ...]:
        translator = TRANSLATORS[record.translator]
        return translate(self.entries, record, translator, self.page_rows)

    def feed(self, *records: SourceTransaction) -> list[Any]:
        """Translate records, and those that the stage sends itself; return what was new."""
        told: list[Any] = []
        waiting = list(records)
        while waiting:
            record = waiting.pop(0)
            for item in self.translate(record):
                if isinstance(item, SourceTransaction):
                    waiting.append(item)
                else:
                    told.append(item)
        self.said.extend(told)
        return told


def ids_of(facts: list[Any]) -> list[str]:
    """Event ids, in order."""
    return [fact.envelope.event_id for fact in facts]
