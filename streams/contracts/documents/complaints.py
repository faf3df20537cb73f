"""What is wrong with a document, said with file, line and the nearest valid name."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong with a document.

    Attributes:
        file: The document.
        line: Where, from 1.
        text: What is wrong, with the nearest valid name.
    """

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


def nearest(word: str, known: Iterable[str]) -> str:
    """Words that name the nearest valid name; empty if none is near."""
    names = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), names, n=1, cutoff=0.5)
    return f"; the nearest is {names[found[0]]}" if found else ""


def refuse(complaints: Iterable[Complaint], *, code: str) -> None:
    """Raise one error for all complaints, in the order of files and lines; nothing if none.

    Args:
        complaints: What is wrong.
        code: Stable code of the error.

    Raises:
        Misconfigured: Each complaint on a line of its own.
    """
    ordered = sorted(complaints, key=lambda one: (one.file, one.line, one.text))
    if not ordered:
        return
    told = [str(complaint) for complaint in ordered]
    lead = "" if len(told) == 1 else f"{len(told)} things are wrong:\n  "
    raise Misconfigured(
        lead + "\n  ".join(told),
        code=code,
        kept="nothing was started or changed",
        advice="correct the lines that are named",
    )
