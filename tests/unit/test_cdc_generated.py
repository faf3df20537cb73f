"""Generated row code against the long way over the server's text, on rows of any values."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sources.postgres import PostgresSettings
from connectors.sources.postgres.binary.texts import renderers
from connectors.sources.postgres.generated.encoder import FAULTS, encoder_of
from connectors.sources.postgres.log.assembler import Assembler
from connectors.sources.postgres.log.pgoutput import Relation, RelationColumn
from connectors.sources.postgres.log.transaction import Origin
from connectors.sources.postgres.shape.plan import TableFacts, TablePlan
from connectors.sources.postgres.shape.tables import Table

if TYPE_CHECKING:
    from connectors.base import Change

pytestmark = pytest.mark.urs("M2.4", "M5.6")

SETTINGS = PostgresSettings("erp", "", "P1", "", "slot", "pub", version="1")
ORIGIN = Origin("42", "plant", {"phase": "stream"})


@st.composite
def numerics(draw: st.DrawFn) -> bytes:
    """Numerics as the server sends them: with at most four decimal places, or none at all."""
    sign = draw(st.sampled_from([0, 0, 0, 0x4000, 0xC000, 0xD000, 0xF000]))
    if sign & 0x8000:
        return struct.pack(">hhHH", 0, 0, sign, 0)
    groups = draw(st.lists(st.integers(0, 9999), max_size=4))
    weight = draw(st.integers(-1, 3)) if groups else 0
    whole = weight + 1
    kept = groups[: max(whole + 1, 0)]
    while kept and not kept[-1]:
        kept.pop()
    return struct.pack(f">hhHH{len(kept)}H", len(kept), weight, sign, 4, *kept)


TYPES = {
    "small": (21, -1, st.integers(-(2**15), 2**15 - 1).map(struct.Struct(">h").pack)),
    "number": (23, -1, st.integers(-(2**31), 2**31 - 1).map(struct.Struct(">i").pack)),
    "big": (20, -1, st.integers(-(2**63), 2**63 - 1).map(struct.Struct(">q").pack)),
    "single": (700, -1, st.floats(width=32).map(struct.Struct(">f").pack)),
    "double": (701, -1, st.floats().map(struct.Struct(">d").pack)),
    "flag": (16, -1, st.sampled_from([b"\0", b"\1"])),
    "word": (
        25,
        -1,
        st.text(st.characters(codec="utf-8", exclude_characters="\0")).map(str.encode),
    ),
    "bytes": (17, -1, st.binary(max_size=80)),
    "day": (1082, -1, st.integers(-(2**31), 2**31 - 1).map(struct.Struct(">i").pack)),
    "instant": (1114, -1, st.integers(-(2**63), 2**63 - 1).map(struct.Struct(">q").pack)),
    "zoned": (
        1184,
        -1,
        (st.integers(-(10**17), 10**17) | st.just(2**63 - 1) | st.just(-(2**63))).map(
            struct.Struct(">q").pack
        ),
    ),
    "zoned3": (1184, 3, st.integers(-(10**14), 10**14).map(lambda n: struct.pack(">q", n * 1000))),
    "id": (2950, -1, st.binary(min_size=16, max_size=16)),
    "document": (3802, -1, st.text('ab{}ä"', max_size=20).map(lambda t: b"\1" + t.encode())),
    "amount": (1700, (12 << 16 | 4) + 4, numerics()),
    "free": (1700, -1, numerics()),
}


COLUMNS = (
    RelationColumn("key", 20, -1, flagged=True),
    *(RelationColumn(name, oid, typmod, flagged=False) for name, (oid, typmod, _) in TYPES.items()),
)
NULL, SAME = b"n", b"u"


def cell(value: bytes) -> bytes:
    return b"b" + struct.pack(">I", len(value)) + value


CELLS = st.tuples(
    *(st.just(NULL) | st.just(SAME) | kind.map(cell) for _, _, kind in TYPES.values())
)
KNOWN_CELLS = st.tuples(*(st.just(NULL) | kind.map(cell) for _, _, kind in TYPES.values()))


@dataclass
class OneTable:
    """A table without a catalogue and a registry behind it."""

    table_: Table
    topics: Any = None

    def table(self, oid: int) -> Table:
        assert oid == 1
        return self.table_

    def refilled(self, table: Table, cells: Any) -> Any:
        assert table == self.table_
        return cells


def table(identity: str, *, mirror: bool) -> Table:
    relation = Relation(1, "public", "t", identity, COLUMNS)
    plan = TablePlan(relation, TableFacts(frozenset({"key"})), {}, "topic", mirror=mirror)
    renders = renderers(relation, {}, lambda *_: b"")
    made = Table(plan, "public.t", b"\0\0\0\0\x01", b"\0\0\0\0\x02", renders=renders)
    return replace(made, encoder=encoder_of(made, {}, counted=not mirror))


TABLES = {(kind, mirror): table(kind, mirror=mirror) for kind in "df" for mirror in (False, True)}


def key(number: int) -> bytes:
    return cell(struct.pack(">q", number))


def row(*cells: bytes) -> bytes:
    return struct.pack(">H", len(cells)) + b"".join(cells)


@st.composite
def messages(draw: st.DrawFn, identity: str) -> bytes:
    """An insert, update or delete of any values."""
    number = draw(st.integers(-(2**40), 2**40))
    kind = draw(st.sampled_from("IUD"))
    none = [NULL] * len(TYPES)
    old = row(key(number), *(draw(KNOWN_CELLS) if identity == "f" else none))
    mark = b"O" if identity == "f" else b"K"
    if kind == "D":
        return b"D\0\0\0\1" + mark + old
    after = number + draw(st.sampled_from([0, 0, 0, 1]))
    new = b"N" + row(key(after), *draw(KNOWN_CELLS if kind == "I" else CELLS))
    if kind == "U" and (identity == "f" or after != number):
        new = mark + old + new
    return kind.encode() + b"\0\0\0\1" + new


def framed(lsn: int, message: bytes) -> bytes:
    return b"w" + struct.pack(">QQq", lsn, 0, 0) + message


def carried(table: Table, stream: list[bytes], compat: Any, **more: Any) -> list[Change]:
    chosen = replace(SETTINGS, compat=compat, **more)
    assembler = Assembler(chosen, ORIGIN, OneTable(table), 1)  # type: ignore[arg-type]
    return list(assembler.feed(stream, 5_000_000))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), identity=st.sampled_from("df"), mirror=st.booleans())
def test_generated_code_writes_what_the_long_way_does(
    data: st.DataObject, identity: str, *, mirror: bool
) -> None:
    compat = "debezium" if mirror else ""
    lsn = data.draw(st.sampled_from([100, 2**27 + 5, 2**40]))
    rows = data.draw(st.lists(messages(identity), min_size=1, max_size=6))
    chunk = data.draw(st.sampled_from([1, 700, 1 << 20]))
    stream = [
        framed(lsn, b"B" + struct.pack(">QqI", lsn + 9, 1_000_000, 7)),
        *(framed(lsn + number, message) for number, message in enumerate(rows)),
        framed(lsn, b"C" + struct.pack(">BQQq", 0, lsn + 9, lsn + 17, 0)),
    ]
    chosen = TABLES[identity, mirror]
    fast = carried(chosen, stream, compat, chunk_bytes=chunk)
    slow = carried(replace(chosen, encoder=None), stream, compat, chunk_bytes=1 << 20)
    assert [each for change in fast for each in change.records] == [
        each for change in slow for each in change.records
    ]
    assert [row.key for change in fast for row in change.dead] == [
        row.key for change in slow for row in change.dead
    ]
    assert sum(change.rows for change in fast) == len(rows)
    for change in fast:
        for record in change.records:
            if record.value is not None:
                body = io.BytesIO(record.value[5:])
                fastavro.schemaless_reader(body, chosen.plan.value_schema, None)
                assert body.read() == b""


@settings(max_examples=60, deadline=None)
@given(data=st.data(), cuts=st.lists(st.integers(0, 12), max_size=3))
def test_a_split_transaction_goes_on_at_its_row(data: st.DataObject, cuts: list[int]) -> None:
    rows = data.draw(st.lists(messages("d"), min_size=3, max_size=12))
    stream = [
        framed(500, b"B" + struct.pack(">QqI", 509, 1_000_000, 7)),
        *(framed(500 + number, message) for number, message in enumerate(rows)),
        framed(500, b"C" + struct.pack(">BQQq", 0, 509, 517, 0)),
    ]
    chosen = replace(SETTINGS, chunk_bytes=600)
    one = OneTable(TABLES["d", False])
    whole = list(Assembler(chosen, ORIGIN, one, 1).feed(stream, 5_000_000))  # type: ignore[arg-type]
    seen: list[Any] = []
    middle = None
    for cut in (*cuts, len(whole)):
        again = Assembler(chosen, ORIGIN, one, 1, middle)  # type: ignore[arg-type]
        part = list(again.feed(stream, 5_000_000))[: max(cut, 1)]
        seen += [record for change in part for record in change.records]
        middle = part[-1].position.fields.get("middle")
        if middle is None:
            break
    assert seen == [record for change in whole for record in change.records]


@settings(max_examples=80, deadline=None)
@given(cells=KNOWN_CELLS, number=st.integers(-(2**40), 2**40))
def test_a_copied_row_has_the_bytes_of_a_streamed_one(
    cells: tuple[bytes, ...], number: int
) -> None:
    chosen = TABLES["d", False]
    assert chosen.encoder is not None
    sized = [b"\xff\xff\xff\xff" if each == NULL else each[1:] for each in (key(number), *cells)]
    texts = [
        None if each == NULL else render(each[5:])
        for each, render in zip((key(number), *cells), chosen.renders, strict=True)
    ]
    try:
        found = chosen.encoder.copied(struct.pack(">H", len(sized)) + b"".join(sized), 2)
    except FAULTS:
        return  # it goes the long way
    assert found == (chosen.plan.key(texts)[0], chosen.plan.row(texts).value)


@given(rest=st.binary(max_size=80), kind=st.sampled_from([b"I", b"U", b"D"]))
def test_bytes_that_are_no_row_are_a_dead_row(rest: bytes, kind: bytes) -> None:
    stream = [
        framed(500, b"B" + struct.pack(">QqI", 509, 1_000_000, 7)),
        framed(501, kind + b"\0\0\0\1" + rest),
        framed(500, b"C" + struct.pack(">BQQq", 0, 509, 517, 0)),
    ]
    (change,) = carried(TABLES["d", False], stream, "")
    assert change.rows == 1
    assert bool(change.dead) != bool(change.records)
