"""The parts of a snapshot that need no server: views, ranges, orders, marks, what is stored."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import ANY_PARTITION, Change, Position, RawRecord
from connectors.sources.postgres import PostgresSettings
from connectors.sources.postgres.database.published import Published
from connectors.sources.postgres.generated.encoder import encoder_of
from connectors.sources.postgres.log.pgoutput import Relation, RelationColumn
from connectors.sources.postgres.log.transaction import Origin
from connectors.sources.postgres.shape.plan import TableFacts, TablePlan
from connectors.sources.postgres.shape.tables import Table
from connectors.sources.postgres.snapshot.bulk import BulkMaker
from connectors.sources.postgres.snapshot.copied import cells_of
from connectors.sources.postgres.snapshot.orders import Order, order_of
from connectors.sources.postgres.snapshot.progress import ProgressClock
from connectors.sources.postgres.snapshot.ranges import Expected, Range, Readable
from connectors.sources.postgres.snapshot.rows import Made, Piece, RowMaker
from connectors.sources.postgres.snapshot.session import view_of
from connectors.sources.postgres.snapshot.state import (
    RECOVER,
    Run,
    SnapshotState,
    TableCursor,
    begins_again,
    state_of,
)
from connectors.sources.postgres.snapshot.woven.windows import Window, Windows
from streams.errors import Poison

pytestmark = pytest.mark.urs("M4.4", "M5.6")

EPOCH = 1 << 32
COLUMNS = (RelationColumn("id", 23, -1, flagged=True), RelationColumn("v", 25, -1, flagged=False))
RELATION = Relation(1, "public", "t", "d", COLUMNS)


@given(
    xmax=st.integers(10, 5 * EPOCH),
    behind=st.integers(-(2**30), 2**30),
    running=st.sets(st.integers(1, 9), max_size=4),
)
def test_a_view_sees_what_was_over_when_it_began(xmax: int, behind: int, running: set[int]) -> None:
    xids = {xmax - each for each in running}
    xmin = min(xids, default=xmax)
    view = view_of(f"{xmin}:{xmax}:{','.join(map(str, xids))}")
    whole = xmax - behind
    if whole > 0:
        assert view.sees(whole % EPOCH) == (whole < xmax and whole not in xids)


@given(st.lists(st.none() | st.text().filter(lambda text: "\0" not in text), max_size=5))
def test_a_copied_line_gives_the_values_back(values: list[str | None]) -> None:
    escapes = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b"})
    line = "\t".join("\\N" if each is None else each.translate(escapes) for each in values)
    wanted = [None if each is None else each.encode() for each in values]
    assert cells_of(line.encode(), len(values)) == wanted


def test_orders_are_understood_in_our_words_and_in_debeziums() -> None:
    ours = order_of(b'{"type": "execute", "tables": ["public.t"], "where": "id > 3"}')
    theirs = order_of(
        b'{"type": "execute-snapshot", "data": {"type": "incremental",'
        b' "data-collections": ["public.t"],'
        b' "additional-conditions": [{"data-collection": "public.t", "filter": "id > 3"}]}}'
    )
    assert ours == theirs == Order("execute", ("public.t",), (("public.t", "id > 3"),))
    assert ours.condition("public.t") == "id > 3"
    assert ours.condition("public.other") == ""
    assert order_of(ours.encode()) == ours
    assert order_of(b'{"type": "pause-snapshot"}') == Order("pause")


@pytest.mark.parametrize(
    "text",
    [b"", b"no json", b"[]", b"{}", b'{"type": "log"}', b'{"type": "execute"}', b'{"type": 3}'],
)
def test_what_is_no_order_is_refused_by_name(text: bytes) -> None:
    with pytest.raises(Poison) as refused:
        order_of(text)
    assert refused.value.code == "bad_signal"


def _run(**more: Any) -> Run:
    tables = [TableCursor("public.t", after=("1", "é"), rows=3, expected=10)]
    return Run("1F", 31, "initial", 5, tables, **more)


def test_what_is_left_survives_being_stored() -> None:
    state = SnapshotState([_run(chunk=2, rows=3)], {"1F:public.t:ab"}, paused=True, message=7)
    assert state_of(json.loads(json.dumps(state.fields()))) == state
    assert SnapshotState().empty
    assert state_of(None) == state_of({}) == SnapshotState()


def test_a_snapshot_begins_again_only_where_nothing_of_it_can_be_kept() -> None:
    def stored(phase: str, *runs: Run) -> dict[str, Any]:
        return {"phase": phase, "lsn": 31, "snapshot": SnapshotState([*runs]).fields()}

    assert begins_again({"phase": "snapshot"})
    assert begins_again(stored("snapshot", _run(chunk=0)))
    assert not begins_again(stored("snapshot", _run(chunk=1)))
    keyless = _run(chunk=1)
    keyless.tables.append(TableCursor("public.log", keyed=False))
    assert begins_again(stored("snapshot", keyless))
    assert begins_again(stored(RECOVER))
    assert not begins_again(stored("stream", _run(chunk=1)))


def test_progress_tells_rows_and_time_left() -> None:
    run = _run(rows=3)
    clock = ProgressClock("erp", run)
    assert clock.look().seconds_left is None
    run.rows, run.tables[0].rows = 8, 8
    progress = clock.look()
    assert (progress.rows, progress.expected, progress.table) == (8, 10, "public.t")
    assert progress.seconds_left == pytest.approx(2 / progress.rows_per_s)
    assert "8 of about 10 rows" in str(progress)


def _made(key: bytes, record_id: str) -> Made:
    return Made(RawRecord("t", b"12345" + key, b"v", [], ANY_PARTITION), b"", record_id)


def _window(view: str, high: int, *keys: bytes) -> Window:
    run = _run()
    window = Window(run, None, run.tables[0], None, view_of(view), high, "t", [])  # type: ignore[arg-type]
    for key in keys:
        window.waiting[key] = [_made(key, key.decode())]
    return window


def _change(xid: int, *keys: bytes | None) -> Change:
    records = [
        RawRecord("t", None if key is None else b"54321" + key, b"", [], ANY_PARTITION)
        for key in keys
    ]
    return Change(Position({"lsn": 1}), records=records, xid=xid)


def test_only_a_change_that_a_chunk_does_not_see_lets_its_row_out() -> None:
    windows = Windows()
    windows.add(_window("100:105:102", 50, b"a", b"b", b"c"))
    windows.add(_window("110:110:", 60, b"d"))
    assert list(windows.overtaken(_change(101, b"a"))) == []
    ((first, rows),) = windows.overtaken(_change(102, b"a", b"x", b"d"))
    assert [made.id for made in rows] == ["a"]
    assert first.early == {"a"}
    assert list(windows.overtaken(_change(102, b"a"))) == []
    assert list(windows.overtaken(_change(0, b"b"))) == []
    assert [len(found) for _, found in windows.overtaken(_change(111, b"b", b"d"))] == [1, 1]
    assert windows.due(49) is None
    assert windows.due(50) is first
    assert list(first.waiting) == [b"c"]
    assert windows.due(59) is None


def test_an_emptied_table_has_no_rows_to_be_read() -> None:
    windows = Windows()
    windows.add(_window("100:100:", 50, b"a", b"b"))
    assert list(windows.overtaken(_change(100, None))) == []
    window = windows.due(50)
    assert window is not None
    assert not window.waiting


def _table(*, mirror: bool = False) -> Table:
    plan = TablePlan(RELATION, TableFacts(frozenset({"id"})), {}, "cdc.erp.public.t", mirror=mirror)
    renders = (lambda raw: b"%d" % struct.unpack(">i", raw)[0], bytes)
    table = Table(plan, "public.t", b"\0\0\0\0\x01", b"\0\0\0\0\x02", renders=renders)
    return Table(
        plan,
        "public.t",
        table.key_frame,
        table.value_frame,
        renders=renders,
        encoder=encoder_of(table, {}),
    )


@given(
    rows=st.lists(st.tuples(st.integers(-(2**31), 2**31 - 1), st.none() | st.text(max_size=9))),
    number=st.integers(0, 10**6),
    mirror=st.booleans(),
)
def test_generated_code_writes_what_the_long_way_writes(
    rows: list[tuple[int, str | None]], number: int, mirror: bool
) -> None:
    settings = PostgresSettings("erp", "", "P1", "", "slot", "pub", version="1")
    maker = RowMaker(settings, Origin("42", "plant", {}), Run("1F", 31, "initial", 5))
    table, binary, slow, fast = _table(mirror=mirror), [], Piece(), Piece()
    for place, (key, value) in enumerate(rows):
        text = None if value is None else value.encode()
        cell = b"\xff\xff\xff\xff" if text is None else struct.pack(">i", len(text)) + text
        binary.append(struct.pack(">hii", 2, 4, key) + cell)
        slow.add(maker.read(table, [b"%d" % key, text], number + place, "true", slow))
    bulk = BulkMaker(maker)
    bulk.fast(table, binary, number, fast)
    assert fast.records == slow.records
    assert fast.size == slow.size
    singly = bulk.made(table, binary, number, Piece())
    again = [maker.read(table, row, number + at, "true", slow) for at, row in enumerate(binary)]
    assert singly == again


def _readable(**more: Any) -> Readable:
    published = Published(RELATION, "r", True, True, False, "site = 'P1'")
    return Readable(published, ("id",), **more)


def test_a_range_selects_behind_one_key_up_to_another() -> None:
    part = Range(("it's \\",), ("9",))
    assert _readable(where="v > 'a' -- all").rows(part, with_key=True) == (
        'SELECT "id", "v", "id"::text FROM ONLY "public"."t" AS read'
        " WHERE (site = 'P1') AND (v > 'a' -- all\n) AND (read.\"id\") > (E'it''s \\\\')"
        ' AND (read."id") <= (E\'9\') ORDER BY read."id"'
    )
    assert _readable(dropped=frozenset({"v"})).rows(Range(None, None)) == (
        'SELECT "id", NULL FROM ONLY "public"."t" AS read WHERE (site = \'P1\')'
    )


def test_a_table_without_a_key_is_read_by_its_pages() -> None:
    table = Readable(_readable().table, (), pages=100)
    first = table.next_range(None, None, 3_000)  # type: ignore[arg-type]  # no server is asked
    assert first == Range(None, ("(60,0)",))
    assert table.next_range(None, first.upto, 3_000) == Range(("(60,0)",), None)  # type: ignore[arg-type]
    assert "read.ctid) > (E'(60,0)')" in table.rows(Range(("(60,0)",), None))


def test_little_is_read_at_once_of_wide_rows() -> None:
    assert Expected(10, 100).at_once(4_000) == 4_000
    assert Expected(10, 100_000).at_once(4_000) < 50
    assert Expected(10, 2**30).at_once(4_000) >= 1
