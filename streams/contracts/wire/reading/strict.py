"""Functions that read a value of one type from Avro bytes, trusting nothing in them."""

from __future__ import annotations

import struct
from itertools import groupby
from typing import TYPE_CHECKING, Any

from streams.contracts.wire.decimals import decimal_of
from streams.contracts.wire.reading.skipping import bad
from streams.contracts.wire.reading.twins import twin_of
from streams.contracts.wire.source import Source
from streams.contracts.wire.varints import (
    instant_in,
    instant_of,
    read_count,
    read_int,
    read_length,
    read_long,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.contracts.wire.plan import Node

_TEXT = ("{0} = s[p:q]", "if not {0}.isascii(): {0} = d[p:q].decode()")
_SIZED = {
    "string": _TEXT,
    # A number that was cut is cut, not wrong: its last byte is asked for first.
    "decimal": ("d[q - 1]", *_TEXT, "{0} = DECIMAL({0})"),
    "bytes": ("{0} = d[p:q]",),
}
_PLAIN = {
    "null": ("{0} = None",),
    "boolean": ("n = d[p]", "p += 1", "{0} = n == 1 if n < 2 else BAD('a boolean')"),
    "long": (
        "n = d[p]",
        "if n < 128: {0} = (n >> 1) ^ -(n & 1); p += 1",
        "else: {0}, p = LONG(d, p)",
    ),
    "int": ("{0}, p = INT(d, p)",),
    "micros": (
        "{0} = EIGHT(d[p : p + 8])",
        "if {0} is not None: p += 8",
        "else: n, p = LONG(d, p); {0} = INSTANT(n)",
    ),
    "millis": ("{0}, p = LONG(d, p)", "{0} = INSTANT({0} * 1000)"),
    "double": ("d[p + 7]", "{0} = DOUBLE(d, p)[0]", "p += 8"),
    "float": ("d[p + 3]", "{0} = FLOAT(d, p)[0]", "p += 4"),
    "fixed": ("q = p + {1}", "{0} = d[p:q]", "p = q"),
}


def compile_reader(node: Node) -> Callable[[bytes, int], tuple[Any, int]]:
    """Make the reader of a plan.

    Returns:
        A function of the bytes and the place to begin. It gives the value and the place behind
        it, which lies behind the end if the last value was cut. It raises `IndexError` or
        `TruncatedError` if the bytes end early, and `ValueError`, `ArithmeticError` or
        `OverflowError` for bytes that are no such value.
    """
    reader = Reader()
    return reader.function(node)


class Reader:
    """Writes the source of a reader: `d` is the bytes, `p` the place, `n` and `q` are scratch.

    `s` is the same bytes as text, one character each: nearly every text is ASCII, and cutting it
    out of `s` is much cheaper than cutting and decoding it.
    """

    def __init__(self) -> None:
        self.source = Source(
            LONG=read_long,
            INT=read_int,
            LENGTH=read_length,
            COUNT=read_count,
            INSTANT=instant_of,
            EIGHT=instant_in,
            DECIMAL=decimal_of,
            DOUBLE=struct.Struct("<d").unpack_from,
            FLOAT=struct.Struct("<f").unpack_from,
            BAD=bad,
        )
        self._records: dict[tuple[type, Node], str] = {}

    def function(self, node: Node) -> Callable[[bytes, int], tuple[Any, int]]:
        """Make the reader of a plan; see `compile_reader`."""
        if node.kind == "record":
            for part in node.parts:
                self.functions(part)
        else:
            self.functions(node)
        self.source.line(0, "def read(d, p):")
        self.source.line(1, "s = d.decode('latin-1')")
        if node.kind == "record":
            self._record(node)
        else:
            self._part(node, 1, "value")
            self.source.line(1, "return value, p")
        return self.source.function("read")

    def functions(self, node: Node) -> None:
        """Make the functions that read the records inside a part, before they are called."""
        for part in node.parts:
            self.functions(part)
        if node.kind != "record" or (node.python, node) in self._records:
            return
        name = self.source.fresh("read_record")
        self.source.line(0, f"def {name}(d, s, p):")
        self._record(node)
        self._records[node.python, node] = name

    def _record(self, node: Node) -> None:
        """The body of a function that reads a record."""
        values = {field: self.source.fresh("v") for field in node.names}
        self.fields([(values[name], part) for name, part in members(node)], 1)
        self._make(node.python, values)

    def fields(self, wanted: list[tuple[str, Node]], indent: int) -> None:
        """Read fields that follow each other, each into a variable."""
        for are_doubles, group in groupby(wanted, lambda each: each[1].kind == "double"):
            run = list(group)
            if are_doubles and len(run) > 1:
                self._doubles(", ".join(name for name, _ in run), len(run), indent)
            else:
                for name, part in run:
                    self._part(part, indent, name)

    def _make(self, python: type, values: dict[str, str]) -> None:
        made = self.source.constant("Class", python)
        twin = twin_of(python)
        if twin is None:
            arguments = ", ".join(f"{field}={value}" for field, value in values.items())
            self.source.line(1, f"return {made}({arguments}), p")
            return
        self.source.line(1, f"o = {self.source.constant('Twin', twin)}()")
        for field, value in values.items():
            self.source.line(1, f"o.{field} = {value}")
        self.source.line(1, f"o.__class__ = {made}")
        self.source.line(1, "return o, p")

    def _part(self, node: Node, indent: int, into: str) -> None:
        match node.kind:
            case "record":
                name = self._records[node.python, node]
                self.source.line(indent, f"{into}, p = {name}(d, s, p)")
            case "optional" | "union":
                self._union(node, indent, into)
            case "array" | "map":
                self._container(node, indent, into)
            case _:
                self._scalar(node, indent, into)

    def _scalar(self, node: Node, indent: int, into: str) -> None:
        if node.kind in _SIZED:
            self._sized(indent, into, _SIZED[node.kind])
            if node.kind == "string" and node.python is not str:
                enum = self.source.constant("Enum", node.python)
                self.source.line(indent, f"{into} = {enum}({into})")
        elif node.kind == "enum":
            symbols = tuple(node.python(name) for name in node.names)
            name = self.source.constant("SYMBOLS", symbols)
            self.source.line(indent, "n, p = LONG(d, p)")
            self.source.line(indent, f"0 <= n < {len(symbols)} or BAD('an enum')")
            self.source.line(indent, f"{into} = {name}[n]")
        else:
            for text in _PLAIN[node.kind]:
                self.source.line(indent, text.format(into, node.number))

    def _doubles(self, into: str, count: int, indent: int) -> None:
        """Several doubles in a row, by one call: limits and their value stand together."""
        unpack = self.source.constant("DOUBLES", struct.Struct(f"<{count}d").unpack_from)
        self.source.line(indent, f"d[p + {8 * count - 1}]")
        self.source.line(indent, f"{into} = {unpack}(d, p)")
        self.source.line(indent, f"p += {8 * count}")

    def _sized(self, indent: int, into: str, then: tuple[str, ...]) -> None:
        line = self.source.line
        line(indent, "n = d[p]")
        line(indent, "if n & 129:")  # two bytes or more, or negative
        line(indent + 1, "n, p = LENGTH(d, p)")
        line(indent, "else:")
        line(indent + 1, "n >>= 1")
        line(indent + 1, "p += 1")
        line(indent, "q = p + n")
        for text in then:
            line(indent, text.format(into))
        line(indent, "p = q")

    def _union(self, node: Node, indent: int, into: str) -> None:
        branches: list[Node | None] = list(node.parts)
        if node.kind == "optional":
            branches.insert(node.number, None)
        line = self.source.line
        line(indent, "n = d[p]")
        line(indent, "p += 1")
        word = "if"
        for index, branch in enumerate(branches):
            line(indent, f"{word} n == {index * 2}:")
            if branch is None:
                line(indent + 1, f"{into} = None")
            else:
                self._part(branch, indent + 1, into)
            word = "elif"
        line(indent, "else:")
        line(indent + 1, "BAD('a union')")

    def _container(self, node: Node, indent: int, into: str) -> None:
        many, item, line = self.source.fresh("m"), self.source.fresh("i"), self.source.line
        line(indent, "if d[p] == 0:")
        line(indent + 1, "p += 1")
        line(indent + 1, f"{into} = {node.python.__name__}()")
        line(indent, "else:")
        line(indent + 1, f"{many} = {'{}' if node.kind == 'map' else '[]'}")
        line(indent + 1, "n, p = COUNT(d, p)")
        line(indent + 1, "while n:")
        line(indent + 2, "for _ in range(n):")
        if node.kind == "map":
            key = self.source.fresh("k")
            self._sized(indent + 3, key, _SIZED["string"])
            self._part(node.parts[0], indent + 3, item)
            line(indent + 3, f"{many}[{key}] = {item}")
        else:
            self._part(node.parts[0], indent + 3, item)
            line(indent + 3, f"{many}.append({item})")
        line(indent + 2, "n, p = COUNT(d, p)")
        made = f"tuple({many})" if node.python is tuple else many
        line(indent + 1, f"{into} = {made}")


def members(node: Node) -> list[tuple[str, Node]]:
    """A record's fields with their parts, in the order of the bytes."""
    return list(zip(node.names, node.parts, strict=True))
