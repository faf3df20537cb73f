"""Typed reading of row images, and the error that names table, key and column of a bad one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from streams.errors import Poison
from streams.model.translation import Draft, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from streams.model.rows import Cell, SourceTransaction

KEPT = "The transaction's bytes are in the dead letter; its other rows were translated."


class BadRow(Poison):
    """A row that cannot be translated.

    Args:
        record: The row.
        column: The column at fault, empty if no single one is.
        message: What is wrong with it.
        code: Stable code.
        advice: What to do next.
    """

    def __init__(
        self, record: Record, column: str, message: str, *, code: str, advice: str
    ) -> None:
        place = f"{record.table} {record.key}" + (f", column {column}" if column else "")
        super().__init__(f"{place}: {message}", code=code, kept=KEPT, advice=advice)
        self.table = record.table
        self.key = record.key
        self.column = column

    def rejected(self, origin: SourceTransaction) -> Rejected:
        """The form in which the stage reports it."""
        return Rejected(
            source=origin.source,
            table=self.table,
            key=self.key,
            column=self.column,
            commit_lsn=origin.commit_lsn,
            code=self.code,
            message=self.message,
            kept=self.kept,
            advice=self.advice,
        )


def written(cell: Cell) -> str:
    """A cell as text; empty if it is null."""
    if cell is None:
        return ""
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)


@dataclass(frozen=True, slots=True)
class Record:
    """A row image with its address.

    Attributes:
        table: Table name.
        key: Primary key as text.
        cells: The image.
    """

    table: str
    key: str
    cells: Mapping[str, Cell]

    def cell(self, column: str) -> Cell:
        """A column's value.

        Raises:
            BadRow: The source does not publish the column.
        """
        try:
            return self.cells[column]
        except KeyError:
            raise BadRow(
                self,
                column,
                "the source sent the row without this column",
                code="column_not_published",
                advice=f"add {column} to the publication of {self.table}, then save the row again",
            ) from None

    def text(self, column: str) -> str:
        """A column as trimmed text; empty if it is null."""
        return written(self.cell(column)).strip()

    def flag(self, column: str) -> bool:
        """A boolean column; null and the source's text forms of false are false."""
        value = self.cell(column)
        return value if isinstance(value, bool) else written(value).lower() in {"t", "true", "1"}

    def amount(self, column: str) -> Decimal | None:
        """A numeric column, exactly as written but without trailing zeros; None if it is null."""
        text = self.text(column)
        if not text:
            return None
        try:
            value = Decimal(text)
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite():
            raise BadRow(
                self,
                column,
                f"{text!r} is no quantity",
                code="bad_quantity",
                advice="correct the quantity at the source",
            )
        return Decimal(format(value.normalize(), "f"))

    def instant(self, column: str) -> datetime | None:
        """A time stamp, aware; one without zone is UTC. None if it is null.

        Raises:
            BadRow: The text is no time stamp.
        """
        text = self.text(column)
        if not text:
            return None
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            raise BadRow(
                self,
                column,
                f"{text!r} is no time",
                code="bad_time",
                advice="correct the time at the source",
            ) from None
        return value if value.tzinfo else value.replace(tzinfo=UTC)

    def time_if_readable(self, column: str) -> datetime | None:
        """Like `instant`, but a bad text is None: containment never waits for a decoration."""
        try:
            return self.instant(column)
        except BadRow:
            return None


def attempt(
    origin: SourceTransaction, work: Callable[[], Iterable[Draft | Rejected]]
) -> Iterator[Draft | Rejected]:
    """Run one piece of a translation; a bad row in it costs this piece alone."""
    try:
        yield from work()
    except BadRow as error:
        yield error.rejected(origin)
