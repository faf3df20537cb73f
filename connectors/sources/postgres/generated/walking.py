"""Source text that walks through one row's values and leaves each column's bytes in a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from connectors.sources.postgres.generated.forms import Form
    from connectors.sources.postgres.shape.columns import Column

VALUE, NULL, SAME = b"bnu"
"""In a row of the log: a binary value, null, and a large value that did not change."""
LOG_HEAD: Final = 5
"""Bytes before a value in the log: its kind and its length."""
COPY_HEAD: Final = 4
"""Bytes before a value in a copied row: its length."""
INDENT: Final = "    "
_MARKS: Final = {b"": "NO_", b"\x02": "SECOND_", b"\x00": "FIRST_"}
"""Names of the tables for a column that is no union, or a union's second or first branch."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A column and how it is written.

    Attributes:
        number: Its place in the row.
        column: Its plan.
        form: Its lines.
        in_key: It is part of the key.
    """

    number: int
    column: Column
    form: Form
    in_key: bool

    def names(self, prefix: str) -> tuple[str, ...]:
        """The names that hold the column's bytes."""
        name = f"{prefix}{self.number}"
        return (name, f"{name}x") if self.form.halves else (name,)

    def set(self, prefix: str, value: str) -> str:
        """A statement that gives the column a value instead of one of the row's."""
        half = f'; {prefix}{self.number}x = b""' if self.form.halves else ""
        return f"{prefix}{self.number} = {value}{half}"

    def lines(self, name: str, head: int) -> Iterator[str]:
        """Read the value whose head begins at `p`, into a name; step behind it."""
        form, some = self.form, _MARKS[self.column.some]
        marks = {
            "c": name,
            "d": f"{name}x",
            "more": f"{some}MORE",
            "i": str(self.number),
            "n": "n",
            "s": f"p + {head}",
            "s1": f"p + {head + 1}",
            "s3": f"p + {head + 3}",
            "s7": f"p + {head + 7}",
            "before": f"p + {head - 1}",
            "e": "e" if form.width is None else f"p + {head + form.width}",
            "small": f"{some}SMALL",
            "some": f"{some}MARK",
            "yes": f"{some}YES",
        }
        if form.width is None:
            if head == LOG_HEAD:
                yield "n = int4(m, p + 1)[0]"
            yield f"e = p + {head} + n"
        for line in form.lines:
            yield line.format_map(marks).replace(" NO_MARK +", "")
        yield "p = e" if form.width is None else f"p += {head + form.width}"


def names_of(columns: Iterable[Planned], prefix: str) -> list[str]:
    """The names that hold some columns' bytes, in order."""
    return [name for each in columns for name in each.names(prefix)]


def log_walk(columns: tuple[Planned, ...], prefix: str, *, old: bool, whole: bool) -> Iterator[str]:
    """Walk a row of the log from `p` on; anything that is not foreseen breaks off.

    Args:
        columns: The row's columns.
        prefix: Of the names that the bytes are left in.
        old: It is an old image: no value in it stands for an unchanged one.
        whole: An unchanged value is taken from a whole old image in `o0`, `o1`, … if there is one.
    """
    for each in columns:
        name = f"{prefix}{each.number}"
        yield "k = m[p]"
        yield f"if k == {VALUE}:"
        yield from (INDENT + line for line in each.lines(name, LOG_HEAD))
        yield f"elif k == {NULL}:"
        yield f"{INDENT}{each.set(prefix, f'nothing{each.number}')}"
        yield f"{INDENT}p += 1"
        if not old and not each.in_key:
            yield f"elif k == {SAME}:"
            yield from (INDENT + line for line in _same(each, prefix, whole=whole))
        yield "else: break"


def _same(column: Planned, prefix: str, *, whole: bool) -> Iterator[str]:
    """A large value that did not change: the old image has it, or its name is noted."""
    depth = ""
    if whole:
        pairs = zip(column.names(prefix), column.names("o"), strict=True)
        yield f"if old: {'; '.join(f'{new} = {was}' for new, was in pairs)}"
        yield "else:"
        depth = INDENT
    yield f"{depth}{column.set(prefix, f'same{column.number}')}"
    yield f"{depth}gone += name{column.number}"
    yield f"{depth}lost += 1"
    yield "p += 1"


def copy_walk(columns: tuple[Planned, ...]) -> Iterator[str]:
    """Walk a copied row from `p` on."""
    for each in columns:
        yield "n = int4(m, p)[0]"
        yield "if n >= 0:"
        yield from (INDENT + line for line in each.lines(f"c{each.number}", COPY_HEAD))
        yield "else:"
        yield f"{INDENT}{each.set('c', f'nothing{each.number}')}"
        yield f"{INDENT}p += 4"
