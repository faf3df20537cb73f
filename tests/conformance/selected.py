"""The tables that a topic's records add up to, against what the server selects."""

from __future__ import annotations

import base64
import json
import math
import re
import struct
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg import pq

from connectors.sources.postgres.names import session_dsn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conformance.wire import Event

_COLUMNS = """
select n.nspname || '.' || c.relname as table, a.attname as column,
       (select t.typname from pg_type t where t.oid = coalesce(nullif(b.typbasetype, 0), b.oid))
           as type, a.attgenerated <> '' as generated
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_type b on b.oid = a.atttypid
join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
  and n.nspname not in ('pg_catalog', 'information_schema')
order by c.oid, a.attnum
"""
_MICROS = "(extract(epoch from {0}) * 1000000)::numeric(40, 0)"
_NUMBERS = {
    "date": "case when isfinite({0}) then {0} - date '1970-01-01' end",
    "time": _MICROS,
    "timestamp": f"case when isfinite({{0}}) then {_MICROS} end",
}
"""What a moment is as a number, asked of the server."""
_LOSSY = frozenset({"interval"})


class Column(NamedTuple):
    """A column of a table as the server has it."""

    name: str
    type: str


Tables = dict[str, tuple[Column, ...]]
Cells = list[tuple[str | None, str | None]]
"""A row: each cell as text, and as a number where the server has a number for it."""


def tables(dsn: str) -> Tables:
    """The tables and their columns that are published."""
    found: dict[str, list[Column]] = {}
    with psycopg.connect(dsn) as connection:
        for table, column, kind, generated in connection.execute(_COLUMNS):
            columns = found.setdefault(table, [])
            if not generated:
                columns.append(Column(column, kind))
    return {table: tuple(columns) for table, columns in found.items()}


def problems(dsn: str, before: Tables, events: list[Event]) -> tuple[list[str], int]:
    """Where the rows that the records add up to are not the server's, and how many were looked at.

    Args:
        dsn: The database.
        before: Its tables before the changes; those of another shape now are left out.
        events: Records in the default form, each topic's in order.
    """
    now, rows = tables(dsn), 0
    found: list[str] = []
    with psycopg.connect(session_dsn(dsn)) as connection:
        for table, columns in now.items():
            topic = re.sub(r"[^A-Za-z0-9._-]", "_", table)
            ours = [event for event in events if event.topic == topic]
            if before.get(table, columns) == columns and (ours and ours[0].key is not None):
                selected = list(_selected(connection, table, columns))
                rows += len(selected)
                found += _table(table, columns, selected, ours)
    return found, rows


def _table(
    table: str, columns: tuple[Column, ...], selected: list[Cells], ours: list[Event]
) -> Iterator[str]:
    rows, keys = _folded(ours), list(ours[0].key)
    names = {_legal(column.name): column for column in columns}
    wanted = {}
    for cells in selected:
        found = dict(zip((column.name for column in columns), cells, strict=True))
        parts = [found[names[key].name] for key in keys]
        wanted[tuple(str(text if number is None else number) for text, number in parts)] = found
    have = {tuple(str(key[name]) for name in keys): row for key, row in rows}
    if len(wanted) != len(have):
        yield f"{table}: {len(wanted)} rows selected, {len(have)} in the topic"
    for key, row in wanted.items():
        ours_row = have.get(key)
        if ours_row is None:
            yield f"{table}: row {key} is not in the topic"
            continue
        for column in columns:
            text, number = row[column.name]
            value = ours_row["after"].get(_legal(column.name))
            told = ours_row["texts"].get(column.name)
            if not _same(column.type, text, number, value, told):
                yield f"{table} {key} {column.name}: selected {text!r}, sent {value!r} {told!r}"


def _folded(ours: list[Event]) -> list[tuple[Any, Any]]:
    state: dict[str, tuple[Any, Any]] = {}
    for event in ours:
        if event.value is None:
            continue
        if event.value["op"] == "t":
            state.clear()
            continue
        key = json.dumps(event.key, sort_keys=True)
        if event.value["op"] == "d":
            state.pop(key, None)
            continue
        after, texts = dict(event.value["after"]), event.value.get("texts") or {}
        kept = {
            name.removeprefix("after."): text
            for name, text in texts.items()
            if name.startswith("after.")
        }
        for name in event.value.get("unavailable") or ():
            old = state[key][1]
            after[_legal(name)] = old["after"][_legal(name)]
        state[key] = event.key, {"after": after, "texts": kept}
    return list(state.values())


def _legal(name: str) -> str:
    legal = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return f"_{legal}" if legal[:1].isdigit() else legal


def _selected(
    connection: psycopg.Connection[Any], table: str, columns: tuple[Column, ...]
) -> Iterator[Cells]:
    """Each cell as the server's text, and as a number where that is another one."""
    schema, _, name = table.partition(".")
    quoted = ['"' + column.name.replace('"', '""') + '"' for column in columns]
    numbers = [
        _NUMBERS.get(column.type, "null").format(text)
        for column, text in zip(columns, quoted, strict=True)
    ]
    query = f'select {", ".join(quoted + numbers)} from only "{schema}"."{name}"'
    result = connection.pgconn.exec_(query.encode())
    assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
    for row in range(result.ntuples):
        cells = [result.get_value(row, place) for place in range(result.nfields)]
        texts = [None if cell is None else cell.decode() for cell in cells]
        yield list(zip(texts[: len(columns)], texts[len(columns) :], strict=True))


def _same(kind: str, text: str | None, number: str | None, value: Any, told: str | None) -> bool:
    """Whether what was sent is what was selected."""
    if text is None:
        return value is None and told is None
    if told is not None:
        return value is None and told == text
    if kind in _LOSSY:
        return value is not None
    if number is not None:
        return value in (int(number), int(number) // 1000)
    if kind.startswith("_"):
        return isinstance(value, list)
    return _ONE.get(kind, _as_text)(text, value)


def _as_text(text: str, value: Any) -> bool:
    return bool(value == text)


def _as_number(text: str, value: int) -> bool:
    return int(text) == value


def _as_float(text: str, value: float) -> bool:
    number = float(text)
    return bool(value == number) or (math.isnan(number) and math.isnan(value))


def _as_single(text: str, value: float) -> bool:
    return _as_float(repr(struct.unpack("<f", struct.pack("<f", float(text)))[0]), value)


def _as_decimal(text: str, value: Any) -> bool:
    if isinstance(value, dict):
        digits = base64.b64decode(value["value"]["__bytes_b64"])
        unscaled = int.from_bytes(digits, "big", signed=True)
        # Compared as fractions: a long int cannot be printed, nor a long text be read as one.
        return Fraction(Decimal(text)) == Fraction(unscaled, 10 ** value["scale"])
    return Decimal(text) == Decimal(value)


def _as_money(text: str, value: Any) -> bool:
    digits = re.sub(r"[^0-9.]", "", text)
    return Decimal(("-" if "-" in text else "") + digits) == Decimal(value)


def _as_bytes(text: str, value: Any) -> bool:
    return base64.b64decode(value["__bytes_b64"]).hex() == text.removeprefix("\\x")


def _as_bits(text: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value == (text == "1")
    found = base64.b64decode(value["__bytes_b64"])
    return int.from_bytes(found, "little") == int(text or "0", 2)


def _as_zoned(text: str, value: str) -> bool:
    """The same instant, where both are written alike but for the padding."""
    plain = re.fullmatch(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?\+00", text)
    if plain is None:
        return value.endswith("Z") or value == text
    day, clock, fraction = plain.groups()
    return re.sub(r"\.?0*Z$", "", value) == f"{day}T{clock}{fraction or ''}" or value == (
        f"{day}T{clock}Z"
    )


def _as_point(text: str, value: Any) -> bool:
    x, y = (float(part) for part in text.strip("()").split(","))
    return _as_float(str(x), value["x"]) and _as_float(str(y), value["y"])


def _as_flag(text: str, value: Any) -> bool:
    return value is (text == "t")


def _present(_text: str, value: Any) -> bool:
    return value is not None


_ONE = {
    "int2": _as_number,
    "int4": _as_number,
    "int8": _as_number,
    "oid": _as_number,
    "float4": _as_single,
    "float8": _as_float,
    "numeric": _as_decimal,
    "money": _as_money,
    "bytea": _as_bytes,
    "bit": _as_bits,
    "varbit": _as_bits,
    "timestamptz": _as_zoned,
    "timetz": _present,
    "point": _as_point,
    "bool": _as_flag,
}
