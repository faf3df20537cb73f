"""One thing that would go wrong, with the SQL that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a check found.

    Attributes:
        severity: An `error` keeps the source from starting; a `warning` is told.
        code: Stable code of the check.
        subject: What is concerned: `server`, the role, the publication, the slot or a table.
        text: What is wrong and what it would lead to.
        sql: What mends it, to be run by the database's administrator; empty if no SQL does.
    """

    severity: Severity
    code: str
    subject: str
    text: str
    sql: str = ""

    def sentence(self) -> str:
        """Text and SQL in one line."""
        return f"{self.text}: {self.sql}" if self.sql else f"{self.text}."


def error(code: str, subject: str, text: str, sql: str = "") -> Finding:
    """A finding that keeps the source from starting."""
    return Finding("error", code, subject, text, sql)


def warning(code: str, subject: str, text: str, sql: str = "") -> Finding:
    """A finding that is told only."""
    return Finding("warning", code, subject, text, sql)
