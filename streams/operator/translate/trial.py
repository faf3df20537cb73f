"""Run a translator over given rows with the pipeline's own rule, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from streams.model.rows import SourceTransaction
from streams.model.translation import Rejected
from streams.operator.translate.rows import Trouble, nearest
from streams.rules.translation import translate
from streams.rules.translation.coalesce import row_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.model.translation import TranslateEntry, Translator
    from streams.operator.translate.rows import Given as Row

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
"""Commit time of the first transaction; each next one is committed a second later."""


@dataclass(frozen=True, slots=True)
class Given:
    """An event that the translator gave.

    Attributes:
        line: Line of the row that completed it.
        fact: The event.
    """

    line: int
    fact: Any

    @property
    def what(self) -> str:
        """The event's own fields that say something."""
        told = (
            (each.name, getattr(self.fact, each.name))
            for each in fields(self.fact)
            if each.name != "envelope"
        )
        return " ".join(f"{name}={_plain(value)}" for name, value in told if value not in _SILENT)


_SILENT: Final[tuple[object, ...]] = ("", None, (), {}, False)


@dataclass(slots=True)
class Trial:
    """What came of given rows.

    Attributes:
        translator: Name and version.
        transactions: How many transactions the rows were.
        given: The events, in order.
        bad: Rows that could not be used, with their lines.
        notes: What is odd but harmless.
    """

    translator: str
    transactions: int = 0
    given: list[Given] = field(default_factory=list)
    bad: list[Trouble] = field(default_factory=list)
    notes: list[Trouble] = field(default_factory=list)


class Entries(dict[str, "TranslateEntry"]):
    """The state of the one partition; a dictionary has all that the rule asks of it but names."""

    def put(self, key: str, state: TranslateEntry, /) -> None:
        """See `streams.rules.translation.EntryView`."""
        self[key] = state

    def delete(self, key: str, /) -> None:
        """See `streams.rules.translation.EntryView`."""
        del self[key]


def tried(translator: Translator, rows: Sequence[Row], site: str) -> Trial:
    """Translate rows; state lasts from the first to the last.

    Args:
        translator: The translator.
        rows: The changes, in the order of the log.
        site: The plant whose lots the source describes.
    """
    trial = Trial(f"{translator.name}@{translator.version}")
    trial.notes.extend(_ignored(translator, rows))
    entries = Entries()
    latest: dict[tuple[str, str], int] = {}
    for number, group in enumerate(_transactions(rows), 1):
        lines = [row.line for row in group]
        latest.update({(r.change.table, row_key(r.change.key)): r.line for r in group})
        waiting = [_transaction(translator, group, number, site)]
        trial.transactions += 1
        while waiting:
            for said in translate(entries, waiting.pop(0), translator):
                match said:
                    case SourceTransaction():
                        waiting.append(said)
                    case Rejected():
                        line = latest.get((said.table, said.key), lines[-1])
                        hint = _column_hint(said, group)
                        reason = f"{said.message}{f' ({hint})' if hint else ''}"
                        trial.bad.append(Trouble(line, said.code, reason, said.advice))
                    case _:
                        trial.given.append(_given(said, group, latest))
    return trial


def _transactions(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Lines with one tx, or snapshot rows, that follow each other; else each line by itself."""

    def mark(row: Row) -> str:
        if row.change.op == "r":
            return "r"
        return f"tx {row.tx}" if row.tx else f"line {row.line}"

    for _, group in groupby(rows, mark):
        yield list(group)


def _transaction(
    translator: Translator, group: Sequence[Row], number: int, site: str
) -> SourceTransaction:
    snapshot = group[0].change.op == "r"
    at = BEGIN + timedelta(seconds=number)
    return SourceTransaction(
        source=translator.name,
        translator=translator.name,
        site=site,
        database="given",
        system_id="given",
        tx_id=0 if snapshot else number,
        commit_lsn=number,
        committed_at=at,
        ingested_at=at,
        snapshot=snapshot,
        chunk=0,
        last=True,
        changes=tuple(replace(row.change, ordinal=at) for at, row in enumerate(group)),
    )


def _given(fact: Any, group: Sequence[Row], latest: dict[tuple[str, str], int]) -> Given:
    """A fact with the line of the row that completed it; one tried again may stand further up."""
    source = fact.envelope.source
    if source.ordinal < len(group) and group[source.ordinal].change.table == source.table:
        return Given(group[source.ordinal].line, fact)
    return Given(max(latest.values()), fact)


def _ignored(translator: Translator, rows: Sequence[Row]) -> Iterator[Trouble]:
    """Columns that are not read but look like one that is."""
    for row in rows:
        columns = translator.tables[row.change.table].columns
        for name in row.change.after or {}:
            hint = nearest(name, columns)
            if name not in columns and hint and not _has_its_own(hint, row):
                reason = f"{row.change.table}.{name} is not read"
                yield Trouble(row.line, "column_not_read", reason, hint)


def _has_its_own(hint: str, row: Row) -> bool:
    """Whether the column that a hint names is given too."""
    return hint.split("'")[1] in (row.change.after or {})


def _column_hint(said: Rejected, group: Sequence[Row]) -> str:
    if said.code != "column_not_published":
        return ""
    for row in group:
        if row.change.table == said.table and row_key(row.change.key) == said.key:
            return nearest(said.column, tuple(row.change.after or ()))
    return ""


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_plain, value))
    if isinstance(value, dict):
        return ",".join(f"{name}:{_plain(each)}" for name, each in value.items())
    return str(value)
