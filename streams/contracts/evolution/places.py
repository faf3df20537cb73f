"""On which line of a JSON file something stands: messages about contracts say where to look."""

from __future__ import annotations

import re
from bisect import bisect_right
from json.decoder import JSONDecodeError, JSONDecoder
from typing import Any

from streams.contracts.wire.schema_tree import NAMED, full_name

_BLANK = re.compile(r"[ \t\r\n]*")

Path = tuple[str | int, ...]
"""Keys and indexes from the outermost value down."""


def lines_of(text: str) -> dict[Path, int]:
    """The line (from 1) on which each value of a JSON text begins; of a member: its key's line.

    Raises:
        ValueError: The text is not JSON.
    """
    return _Scan(text).lines


class _Scan:
    """One pass over a JSON text; the decoder of the standard library reads the plain values."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._plain = JSONDecoder()
        self.lines: dict[Path, int] = {}
        end = self._blank(self._value((), self._blank(0)))
        if end != len(text):
            raise JSONDecodeError("text after the value", text, end)

    def _value(self, path: Path, at: int) -> int:
        self.lines.setdefault(path, bisect_right(self._starts, at))
        match self._text[at : at + 1]:
            case "{":
                return self._members(path, at + 1)
            case "[":
                return self._items(path, at + 1)
            case _:
                return self._plain.raw_decode(self._text, at)[1]

    def _members(self, path: Path, at: int) -> int:
        at = self._blank(at)
        while self._text[at : at + 1] != "}":
            key, end = self._plain.raw_decode(self._text, at)
            if not isinstance(key, str):
                raise JSONDecodeError("expected a name", self._text, at)
            below = (*path, key)
            self.lines[below] = bisect_right(self._starts, at)
            at = self._expect(":", end)
            at = self._next("}", self._value(below, at))
        return at + 1

    def _items(self, path: Path, at: int) -> int:
        at, index = self._blank(at), 0
        while self._text[at : at + 1] != "]":
            at = self._next("]", self._value((*path, index), at))
            index += 1
        return at + 1

    def _next(self, close: str, at: int) -> int:
        """Where the next part begins, or the closing sign stands."""
        at = self._blank(at)
        return at if self._text[at : at + 1] == close else self._expect(",", at)

    def _expect(self, sign: str, at: int) -> int:
        at = self._blank(at)
        if self._text[at : at + 1] != sign:
            raise JSONDecodeError(f"expected {sign!r}", self._text, at)
        return self._blank(at + 1)

    def _blank(self, at: int) -> int:
        found = _BLANK.match(self._text, at)
        return found.end() if found else at


class Places:
    """Lines of the named types of a schema file and of their fields.

    Args:
        text: The file.
        schema: Its content.
    """

    def __init__(self, text: str, schema: Any) -> None:
        self._lines = lines_of(text)
        self._found: dict[tuple[str, str], int] = {}
        self._walk(schema, (), "")

    def line_of(self, type_name: str, field: str = "") -> int | None:
        """The line of a field, else of its type; None if the type is not declared here.

        Args:
            type_name: Full name of a named type.
            field: One of its fields, empty for the type itself.
        """
        return self._found.get((type_name, field), self._found.get((type_name, "")))

    def _walk(self, schema: Any, path: Path, space: str) -> None:
        if isinstance(schema, list):
            for index, branch in enumerate(schema):
                self._walk(branch, (*path, index), space)
        if not isinstance(schema, dict):
            return
        kind = schema.get("type")
        if kind in NAMED if isinstance(kind, str) else False:
            title = full_name(schema, space)
            space = title.rpartition(".")[0]
            self._found[title, ""] = self._lines[(*path, "name")]
            for index, field in enumerate(schema.get("fields", ())):
                self._field(title, field, (*path, "fields", index), space)
        for part in ("items", "values"):
            self._walk(schema.get(part), (*path, part), space)
        if not isinstance(kind, str):
            self._walk(kind, (*path, "type"), space)

    def _field(self, title: str, field: Any, path: Path, space: str) -> None:
        if isinstance(field, dict) and "name" in field:
            self._found[title, str(field["name"])] = self._lines[(*path, "name")]
            self._walk(field.get("type"), (*path, "type"), space)
