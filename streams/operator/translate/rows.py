"""Row changes from a file: JSON lines or CSV, each line judged for itself."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from streams.model.rows import RowChange

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.model.rows import Cell
    from streams.model.translation import Table

FIELDS: Final = ("table", "op", "key", "before", "after", "tx", "schema")
OPS: Final = {"c": "create", "u": "update", "d": "delete", "r": "snapshot row", "t": "truncate"}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a line, or worth a note.

    Attributes:
        line: Number of the line, from 1.
        code: Stable code.
        reason: What is wrong, and where.
        advice: What to do, empty if the reason says it.
    """

    line: int
    code: str
    reason: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """A row change with its line.

    Attributes:
        line: Number of the line, from 1.
        change: The change; its ordinal is set when transactions are made.
        tx: Lines that follow each other with one tx are one transaction; empty for none.
    """

    line: int
    change: RowChange
    tx: str


class _BadLine(Exception):
    """A line that is no row change."""

    def __init__(self, code: str, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason, self.advice = code, reason, advice


def read_rows(
    text: bytes, *, is_csv: bool, tables: Mapping[str, Table]
) -> tuple[list[Given], list[Trouble]]:
    """Read a file of row changes.

    Args:
        text: The file.
        is_csv: It is CSV with a header line; `key`, `before` and `after` are JSON objects.
        tables: The tables that the translator reads.

    Returns:
        The changes in order, and the lines that are none.
    """
    changes: list[Given] = []
    bad: list[Trouble] = []
    for line, fields in _csv_lines(text) if is_csv else _json_lines(text):
        try:
            if isinstance(fields, _BadLine):
                raise fields
            changes.append(_given(line, fields, tables))
        except _BadLine as error:
            bad.append(Trouble(line, error.code, error.reason, error.advice))
    return changes, bad


def nearest(name: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    """The known name that is most like a given one, as a question; empty if none is like it."""
    found = get_close_matches(name, list(known), n=1)
    return f"did you mean {found[0]!r}?" if found else ""


def _json_lines(text: bytes) -> Iterator[tuple[int, dict[str, Any] | _BadLine]]:
    for number, line in enumerate(text.split(b"\n"), 1):
        if line.strip():
            try:
                yield number, _object(line.decode())
            except UnicodeDecodeError as error:
                yield number, _BadLine("not_utf8", f"byte {error.start + 1} is not UTF-8")
            except _BadLine as error:
                yield number, error


def _csv_lines(text: bytes) -> Iterator[tuple[int, dict[str, Any] | _BadLine]]:
    number = 1
    try:
        reader = csv.DictReader(io.StringIO(text.decode("utf-8-sig"), newline=""), strict=True)
        for row in reader:
            number = reader.line_num
            try:
                yield number, _from_csv(row)
            except _BadLine as error:
                yield number, error
    except UnicodeDecodeError as error:
        yield 1, _BadLine("not_utf8", f"byte {error.start + 1} of the file is not UTF-8")
    except csv.Error as error:
        yield number + 1, _BadLine("not_csv", f"the line is no CSV: {error}")


def _from_csv(row: Mapping[str | None, Any]) -> dict[str, Any]:
    if None in row:
        raise _BadLine("too_many_cells", "the line has more cells than the header")
    fields = {str(name): value for name, value in row.items() if value not in {None, ""}}
    for name in ("key", "before", "after"):
        if name in fields:
            fields[name] = _object(fields[name], name)
    return fields


def _object(text: str, what: str = "the line") -> dict[str, Any]:
    try:
        # Exact text, never a float: a quantity keeps every digit that the source wrote.
        found = json.loads(text, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise _BadLine("not_json", f"{what} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise _BadLine("not_an_object", f"{what} is no JSON object but {text.strip()[:60]}")
    return found


def _given(line: int, fields: dict[str, Any], tables: Mapping[str, Table]) -> Given:
    for name in fields:
        if name not in FIELDS:
            hint = nearest(name, FIELDS) or f"known are {', '.join(FIELDS)}"
            raise _BadLine("unknown_field", f"there is no field {name!r}", hint)
    table, op = str(fields.get("table", "")), str(fields.get("op", ""))
    if table not in tables:
        hint = nearest(table, tables) or f"it reads {', '.join(sorted(tables))}"
        raise _BadLine("unknown_table", f"this translator reads no table {table!r}", hint)
    if op not in OPS:
        hint = ", ".join(f"{name} ({meaning})" for name, meaning in OPS.items())
        raise _BadLine("unknown_op", f"there is no op {op!r}", f"write one of {hint}")
    before, after = (_image(fields, name) for name in ("before", "after"))
    if op in {"c", "u", "r"} and after is None:
        raise _BadLine("no_image", f"an op {op} needs the row in `after`")
    spec = tables[table]
    key = _key(fields, spec, after or before or {}) if op != "t" else {}
    partial = [column for column in spec.columns if column not in (after or {})]
    change = RowChange(
        0,
        str(fields.get("schema", "public")),
        table,
        op,
        key,
        before,
        None if op in {"d", "t"} else after,
        tuple(partial) if op == "u" else (),
    )
    return Given(line, change, str(fields.get("tx", "")))


def _image(fields: Mapping[str, Any], name: str) -> dict[str, Cell] | None:
    image = fields.get(name)
    if image is None:
        return None
    if not isinstance(image, dict):
        raise _BadLine("not_an_object", f"`{name}` is no JSON object")
    return {column: _cell(value) for column, value in image.items()}


def _cell(value: object) -> Cell:
    if value is None or isinstance(value, str | int | bool):
        return value
    # A JSON column arrives as its own text.
    return json.dumps(value)


def _key(fields: Mapping[str, Any], spec: Table, image: Mapping[str, Cell]) -> dict[str, Cell]:
    given = _image(fields, "key")
    if given:
        return given
    column = spec.columns[0]
    if image.get(column) is None:
        raise _BadLine(
            "no_key",
            f"the row has no {column!r}, the table's first column, and gives no `key`",
            nearest(column, tuple(image)),
        )
    return {column: image[column]}
