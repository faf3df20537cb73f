"""Functions that write a value of one type as Avro bytes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from streams.contracts.wire.decimals import text_of
from streams.contracts.wire.source import Source
from streams.contracts.wire.varints import SMALL, int_bytes, long_bytes, micros_bytes, micros_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.contracts.wire.plan import Node

_UNION_TESTS = {
    "null": "{0} is None",
    "boolean": "{0} is True or {0} is False",
    "string": "isinstance({0}, str)",
    "bytes": "isinstance({0}, bytes)",
    "long": "isinstance({0}, int)",
    "int": "isinstance({0}, int)",
    "double": "isinstance({0}, float)",
    "float": "isinstance({0}, float)",
}
_SIZED = {"string": "{0}.encode()", "decimal": "DECIMAL({0})", "bytes": "{0}"}
_PLAIN = {
    "null": ("{0} is None or ODD({0})",),
    "boolean": ("b = {0}", "out.append(1 if b is True else 0 if b is False else ODD(b))"),
    "long": ("n = {0}", "out += SMALL[n] if 0 <= n < 8192 else LONG(n)"),
    "int": ("out += INT({0})",),
    "micros": ("out += INSTANT({0})",),
    "millis": ("out += LONG(MICROS({0}) // 1000)",),
    "double": ("out += DOUBLE({0})",),
    "float": ("out += FLOAT({0})",),
}
_UNION_ORDER = tuple(_UNION_TESTS)
"""Booleans before integers: to Python, True is one."""


def compile_writer(node: Node) -> Callable[[Any, bytes], bytes]:
    """Make the writer of a plan.

    Returns:
        A function of a value and the bytes to put before it (the frame). It raises `TypeError`,
        `ValueError`, `AttributeError` or `KeyError` if the value is not of the planned type.
    """
    writer = _Writer()
    body = writer.call(node)
    source = writer.source
    source.line(0, "def write(value, head):")
    source.line(1, "out = bytearray(head)")
    body(1, "value")
    source.line(1, "return bytes(out)")
    return source.function("write")


class _Writer:
    """Writes the source. Local names of the result: `out` the buffer, `b` and `n` scratch."""

    def __init__(self) -> None:
        self.source = Source(
            SMALL=SMALL,
            LONG=long_bytes,
            INT=int_bytes,
            MICROS=micros_of,
            INSTANT=micros_bytes,
            DECIMAL=text_of,
            ODD=_odd,
            DOUBLE=struct.Struct("<d").pack,
            FLOAT=struct.Struct("<f").pack,
        )
        self._records: dict[tuple[type, Node], str] = {}

    def call(self, node: Node) -> Callable[[int, str], None]:
        """The way to write a part: records get a function of their own, made before its caller."""
        self._functions_of(node)
        return lambda indent, value: self._part(node, indent, value)

    def _functions_of(self, node: Node) -> None:
        for part in node.parts:
            self._functions_of(part)
        if node.kind != "record" or (node.python, node) in self._records:
            return
        name = self.source.fresh("write_record")
        self.source.line(0, f"def {name}(value, out):")
        self._check_type(node)
        for field, part in zip(node.names, node.parts, strict=True):
            self._part(part, 1, f"value.{field}")
        self._records[node.python, node] = name

    def _check_type(self, node: Node) -> None:
        cls = self.source.constant("Class", node.python)
        self.source.line(1, f"if type(value) is not {cls} and not isinstance(value, {cls}):")
        self.source.line(2, "ODD(value)")
        if not node.names:
            self.source.line(1, "pass")

    def _part(self, node: Node, indent: int, value: str) -> None:
        line = self.source.line
        match node.kind:
            case "record":
                line(indent, f"{self._records[node.python, node]}({value}, out)")
            case "optional":
                self._optional(node, indent, value)
            case "union":
                self._union(node, indent, value)
            case "array" | "map":
                self._container(node, indent, value)
            case _:
                self._scalar(node, indent, value)

    def _scalar(self, node: Node, indent: int, value: str) -> None:
        if node.kind in _SIZED:
            self._sized(indent, _SIZED[node.kind].format(value))
        elif node.kind == "enum":
            symbols = {symbol: long_bytes(i) for i, symbol in enumerate(node.names)}
            table = self.source.constant("SYMBOLS", symbols)
            self.source.line(indent, f"out += {table}[{value}]")
        elif node.kind == "fixed":
            self.source.line(indent, f"b = {value}")
            self.source.line(indent, f"out += b if len(b) == {node.number} else ODD(b)")
        else:
            for text in _PLAIN[node.kind]:
                self.source.line(indent, text.format(value))

    def _sized(self, indent: int, value: str) -> None:
        self.source.line(indent, f"b = {value}")
        self.source.line(indent, "n = len(b)")
        self.source.line(indent, "out += SMALL[n] if n < 8192 else LONG(n)")
        self.source.line(indent, "out += b")

    def _optional(self, node: Node, indent: int, value: str) -> None:
        name, line = self.source.fresh("v"), self.source.line
        line(indent, f"{name} = {value}")
        line(indent, f"if {name} is None:")
        line(indent + 1, f"out.append({node.number * 2})")
        line(indent, "else:")
        line(indent + 1, f"out.append({(1 - node.number) * 2})")
        self._part(node.parts[0], indent + 1, name)

    def _union(self, node: Node, indent: int, value: str) -> None:
        name, line = self.source.fresh("v"), self.source.line
        line(indent, f"{name} = {value}")
        branches = sorted(enumerate(node.parts), key=lambda b: _UNION_ORDER.index(b[1].kind))
        word = "if"
        for index, part in branches:
            line(indent, f"{word} {_UNION_TESTS[part.kind].format(name)}:")
            line(indent + 1, f"out.append({index * 2})")
            self._part(part, indent + 1, name)
            word = "elif"
        line(indent, "else:")
        line(indent + 1, f"ODD({name})")

    def _container(self, node: Node, indent: int, value: str) -> None:
        name, item, line = self.source.fresh("v"), self.source.fresh("i"), self.source.line
        line(indent, f"{name} = {value}")
        line(indent, f"if {name}:")
        line(indent + 1, f"n = len({name})")
        line(indent + 1, "out += SMALL[n] if n < 8192 else LONG(n)")
        if node.kind == "map":
            key = self.source.fresh("k")
            line(indent + 1, f"for {key}, {item} in {name}.items():")
            self._sized(indent + 2, f"{key}.encode()")
        else:
            line(indent + 1, f"isinstance({name}, (tuple, list)) or ODD({name})")
            line(indent + 1, f"for {item} in {name}:")
        self._part(node.parts[0], indent + 2, item)
        line(indent, f"elif {name} is None:")
        line(indent + 1, f"ODD({name})")
        line(indent, "out.append(0)")


def _odd(value: object) -> Any:
    raise TypeError(f"a {type(value).__name__} is not what the schema asks for here")
