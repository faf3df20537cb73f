"""Lines that step over a value without reading it, checking where it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.contracts.wire.varints import read_count, read_length, read_long

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.contracts.wire.plan import Node
    from streams.contracts.wire.source import Source

STEP = tuple(0 if length & 129 else 1 + (length >> 1) for length in range(256))
"""By the first byte of a text: how far its end is. 0 where the length takes more bytes."""
_SIX, _EIGHT = 0x80_80_80_80_80_80, 0x80_80_80_80_80_80_80_80
_SIX_LONG, _EIGHT_LONG = _SIX >> 8, _EIGHT >> 8
"""Which bytes of a long say that another follows: milliseconds take six bytes, microseconds eight.
"""
_WIDTHS = {"null": 0, "boolean": 1, "double": 8, "float": 4}
_SIZED = frozenset({"string", "decimal", "bytes"})


def far(data: bytes, at: int) -> int:
    """The step over a text whose length takes more than a byte.

    Raises:
        IndexError: The bytes end first.
        ValueError: The length is negative or goes past the end.
    """
    length, place = read_length(data, at)
    return place - at + length


class Skipping:
    """Writes the lines; `d` is the bytes, `p` the place, `n` scratch.

    Args:
        source: Where the lines go; the class makes the names known that they use.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._records: dict[Node, str] = {}
        source.know(
            STEP=STEP, FAR=far, SKIP_LONG=read_long, SKIP_COUNT=read_count, FROM=int.from_bytes
        )

    def functions(self, node: Node) -> None:
        """Make the functions that step over the records inside a part, before they are called."""
        for part in node.parts:
            self.functions(part)
        if node.kind != "record" or node in self._records:
            return
        name = self._source.fresh("skip_record")
        self._source.line(0, f"def {name}(d, p):")
        for part in node.parts:
            self.part(part, 1)
        self._source.line(1, "return p")
        self._records[node] = name

    def part(self, node: Node, indent: int) -> None:
        """Step over a part."""
        match node.kind:
            case "record":
                self._source.line(indent, f"p = {self._records[node]}(d, p)")
            case "optional" | "union":
                self._union(node, indent)
            case "array" | "map":
                self._container(node, indent)
            case "long" | "micros" | "millis":
                self._long(indent)
            case _:
                self._scalar(node, indent)

    def _scalar(self, node: Node, indent: int) -> None:
        line = self._source.line
        if node.kind in _SIZED:
            line(indent, "p += STEP[d[p]] or FAR(d, p)")
        elif node.kind in ("int", "enum"):
            line(indent, "n, p = SKIP_LONG(d, p)")
        else:
            width = node.number if node.kind == "fixed" else _WIDTHS[node.kind]
            if width:
                line(indent, f"d[p + {width - 1}]")
            line(indent, f"p += {width}")

    def _long(self, indent: int) -> None:
        line = self._source.line
        line(indent, "if d[p] < 128: p += 1")
        line(indent, "else:")
        line(indent + 1, "n = FROM(d[p : p + 8], 'little')")
        line(indent + 1, f"if n & {_SIX} == {_SIX_LONG}: p += 6")
        line(indent + 1, f"elif n & {_EIGHT} == {_EIGHT_LONG}: p += 8")
        line(indent + 1, "else: n, p = SKIP_LONG(d, p)")

    def _union(self, node: Node, indent: int) -> None:
        branches: list[Node | None] = list(node.parts)
        if node.kind == "optional":
            branches.insert(node.number, None)
        line = self._source.line
        line(indent, "n = d[p]")
        line(indent, "p += 1")
        word = "if"
        for index, branch in enumerate(branches):
            line(indent, f"{word} n == {index * 2}:")
            if branch is None:
                line(indent + 1, "pass")
            else:
                self.part(branch, indent + 1)
            word = "elif"
        line(indent, "else: BAD('a union')")

    def _container(self, node: Node, indent: int) -> None:
        line = self._source.line
        count = self._source.fresh("m")
        line(indent, f"{count}, p = SKIP_COUNT(d, p)")
        line(indent, f"while {count}:")
        line(indent + 1, f"for _ in range({count}):")
        if node.kind == "map":
            line(indent + 2, "p += STEP[d[p]] or FAR(d, p)")
        self.part(node.parts[0], indent + 2)
        line(indent + 1, f"{count}, p = SKIP_COUNT(d, p)")


def bad(what: str) -> Callable[[str], None]:
    """Raise what bytes of another kind deserve.

    Raises:
        ValueError: Always.
    """
    raise ValueError(f"the bytes are not those of {what}")
