"""A difference between a document and what is running, in one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.contracts.icd.loading import Loaded

_LENGTHS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"))


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference.

    Attributes:
        file: The document's file.
        line: Line of what it says, from 1.
        interface: The document's id.
        subject: What differs: a topic by full name, a connector, a contact, an account.
        code: Which kind of difference; programs match on it.
        text: What is and what should be, in words.
    """

    file: str
    line: int
    interface: str
    subject: str
    code: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.subject}: {self.text} [{self.code}]"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a document something is said, and about what.

    Attributes:
        loaded: The document.
        way: Keys and positions from its top.
        subject: What it is about.
    """

    loaded: Loaded
    way: tuple[str | int, ...]
    subject: str

    def drift(self, code: str, text: str, *further: str | int) -> Drift:
        """A difference in what stands `further` down."""
        source = self.loaded.source
        line = source.line(*self.way, *further)
        return Drift(source.file, line, self.loaded.document.id, self.subject, code, text)

    def differs(self, field: str, promised: object, actual: object) -> Drift:
        """A field of a topic whose value differs on the broker."""
        text = f"{field} is {actual} on the broker, the document says {promised}"
        return self.drift(f"{field}_drift", text, field)


def lasting(milliseconds: int) -> str:
    """A length of time as documents write it: `30d`, `12h`, `forever`."""
    if milliseconds < 0:
        return "forever"
    for unit, letter in _LENGTHS:
        if milliseconds and milliseconds % unit == 0:
            return f"{milliseconds // unit}{letter}"
    return f"{milliseconds} ms"
