"""The log's messages: decoded, put together, split, and gone on with in the middle."""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import EVERYWHERE
from connectors.sources.postgres import PostgresSettings
from connectors.sources.postgres.log import frames, pgoutput
from connectors.sources.postgres.log.assembler import Assembler
from connectors.sources.postgres.log.pgoutput import Relation, RelationColumn
from connectors.sources.postgres.log.transaction import Origin
from connectors.sources.postgres.shape.identity import event_uuid, row_event
from connectors.sources.postgres.shape.plan import TableFacts, TablePlan
from connectors.sources.postgres.shape.tables import Table
from streams.contracts.catalog import Catalog
from streams.errors import Misconfigured, Poison
from streams.model.ids import derived_id

if TYPE_CHECKING:
    from connectors.base import Change

pytestmark = pytest.mark.urs("M4.4", "M5.6")

SCHEMA = Catalog.load().schema("lotgate.cdc.SourceTransaction")
SETTINGS = PostgresSettings("erp", "tryton", "P1", "", "slot", "pub", version="1")
COLUMNS = (RelationColumn("id", 23, -1, flagged=True), RelationColumn("v", 25, -1, flagged=False))


def text(value: bytes) -> bytes:
    return b"t" + struct.pack(">I", len(value)) + value


def tuple_of(*cells: bytes | None) -> bytes:
    parts = [b"n" if cell is None else text(cell) for cell in cells]
    return struct.pack(">H", len(cells)) + b"".join(parts)


def begin(lsn: int, xid: int = 7) -> bytes:
    return b"B" + struct.pack(">QqI", lsn, 1_000_000, xid)


def commit(lsn: int) -> bytes:
    return b"C" + struct.pack(">BQQq", 0, lsn, lsn + 8, 0)


def insert(key: int, value: bytes | None) -> bytes:
    return b"I" + struct.pack(">I", 1) + b"N" + tuple_of(str(key).encode(), value)


def relation(identity: str = "d") -> bytes:
    columns = b"".join(
        bytes([column.flagged]) + column.name.encode() + b"\0" + struct.pack(">Ii", column.oid, -1)
        for column in COLUMNS
    )
    head = b"R" + struct.pack(">I", 1) + b"public\0t\0" + identity.encode()
    return head + struct.pack(">H", len(COLUMNS)) + columns


class Learned:
    """Tables without a catalogue and a registry behind them."""

    topics = None

    def __init__(self, identity: str = "d") -> None:
        self._identity = identity

    def learn(self, relation: Relation, *, refresh: bool = False) -> Table:  # noqa: ARG002
        return self.table(relation.oid)

    def table(self, oid: int) -> Table:
        shape = Relation(oid, "public", "t", self._identity, COLUMNS)
        plan = TablePlan(shape, TableFacts(frozenset({"id"})), {}, "cdc.erp.public.t")
        return Table(plan, "public.t", b"\0\0\0\0\x01", b"\0\0\0\0\x02")


def assembler(chunk_bytes: int = 1 << 20, middle: Any = None, start: int = 1) -> Assembler:
    origin = Origin("42", "plant", {"phase": "stream"})
    chosen = replace(SETTINGS, chunk_bytes=chunk_bytes)
    return Assembler(chosen, origin, Learned(), start, middle)  # type: ignore[arg-type]


def changes(target: Assembler, *messages: bytes) -> list[Change]:
    found: list[Change] = []
    for message in messages:
        found.extend(target.feed([data(message)], 5_000_000))
    return found


def data(message: bytes) -> bytes:
    return b"w" + struct.pack(">QQq", 100, 0, 0) + message


def decoded(change: Change) -> dict[str, Any]:
    body = io.BytesIO(change.transaction or b"")
    value: dict[str, Any] = fastavro.schemaless_reader(body, SCHEMA, None)  # type: ignore[assignment]
    assert body.read() == b""
    return value


def test_messages_are_read() -> None:
    read = pgoutput.read_begin(begin(500, 9))
    assert (read.commit_lsn, read.xid) == (500, 9)
    assert read.committed_us == pgoutput.EPOCH_MICROS + 1_000_000
    assert pgoutput.read_commit(commit(500)).end_lsn == 508
    table = pgoutput.read_relation(relation("f"))
    assert table == Relation(1, "public", "t", "f", COLUMNS)
    assert pgoutput.read_row(insert(1, None)) == (0, None, [b"1", None])


@given(st.binary(max_size=60))
def test_a_malformed_row_is_poison_and_nothing_else(rest: bytes) -> None:
    with suppress(Poison):
        pgoutput.read_row(b"I\0\0\0\x01" + rest)


def test_positions_have_the_servers_text_form() -> None:
    assert frames.lsn_text(0x16_B374D848) == "16/B374D848"
    assert frames.read_lsn("16/B374D848") == 0x16_B374D848


def test_feedback_and_keepalive_frames() -> None:
    frame = frames.feedback(77, 5, answer_wanted=True)
    assert frame == b"r" + struct.pack(">QQQqB", 77, 77, 77, 5, 1)
    assert frames.read_keepalive(b"k" + struct.pack(">QqB", 88, 5, 1)) == (88, True)
    assert frames.read_start(b"w" + struct.pack(">QQq", 99, 100, 5) + b"x") == 99


def test_a_transaction_becomes_one_change() -> None:
    target = assembler()
    (change,) = changes(
        target, relation(), begin(500), insert(1, b"a"), insert(2, None), commit(500)
    )
    body = decoded(change)
    assert [row["after"] for row in body["changes"]] == [{"id": 1, "v": "a"}, {"id": 2, "v": None}]
    assert [row["ordinal"] for row in body["changes"]] == [0, 1]
    assert (body["commit_lsn"], body["tx_id"], body["last"]) == (500, 7, True)
    assert isinstance(body["committed_at"], datetime)
    assert change.position.fields == {"phase": "stream", "lsn": 508}
    assert [dict(record.headers)["event_id"] for record in change.records] == [
        b"pg:42:erp:1F4:0",
        b"pg:42:erp:1F4:1",
    ]


def test_a_transaction_without_rows_only_moves_the_boundary() -> None:
    target = assembler()
    assert changes(target, begin(500), commit(500)) == []
    assert target.boundary == 508
    assert not target.in_transaction


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 400), min_size=1, max_size=30),
    limit=st.integers(50, 2000),
    cut=st.integers(0, 30),
)
def test_a_transaction_cut_at_any_chunk_goes_on_without_gap_or_repeat(
    sizes: list[int], limit: int, cut: int
) -> None:
    messages = [begin(500), *(insert(n, b"x" * size) for n, size in enumerate(sizes)), commit(500)]
    whole = changes(assembler(limit), relation(), *messages)
    first = whole[: min(cut, len(whole) - 1)]
    middle = first[-1].position.fields.get("middle") if first else None
    rest = changes(assembler(limit, middle), relation(), *messages)
    assert [each.transaction for each in (*first, *rest)] == [each.transaction for each in whole]
    assert [r for each in (*first, *rest) for r in each.records] == [
        r for each in whole for r in each.records
    ]
    assert [decoded(each)["chunk"] for each in whole] == list(range(len(whole)))
    assert [decoded(each)["last"] for each in whole] == [False] * (len(whole) - 1) + [True]
    assert whole[-1].position.fields == {"phase": "stream", "lsn": 508}


def test_a_split_transactions_position_never_falls_behind_a_confirmed_one() -> None:
    target = assembler(chunk_bytes=50)
    changes(target, relation())
    target.confirmed = lambda: 300
    messages = [begin(500), *(insert(n, b"x" * 40) for n in range(3)), commit(500)]
    assert [each.position.fields["lsn"] for each in changes(target, *messages)] == [300, 300, 508]


@pytest.mark.urs("M3.3")
def test_a_bad_row_is_dead_and_its_neighbours_live() -> None:
    bad = b"I" + struct.pack(">I", 1) + b"N" + tuple_of(b"no number", b"v")
    (change,) = changes(
        assembler(), relation(), begin(500), insert(1, b"a"), bad, insert(3, b"c"), commit(500)
    )
    (row,) = change.dead
    assert (row.key, row.raw, row.code) == ("pg:42:erp:1F4:1", bad, "undecodable_row")
    assert "public.t" in row.cause
    assert [each["ordinal"] for each in decoded(change)["changes"]] == [0, 2]


def test_a_changed_key_is_a_delete_and_a_create() -> None:
    old, new = tuple_of(b"1", None), tuple_of(b"2", b"v")
    update = b"U" + struct.pack(">I", 1) + b"K" + old + b"N" + new
    (change,) = changes(assembler(), relation(), begin(500), update, commit(500))
    deleted, tombstone, created = change.records
    assert deleted.key == tombstone.key != created.key
    assert tombstone.value is None
    assert dict(deleted.headers)["__debezium.newkey"] == created.key
    assert dict(created.headers)["__debezium.oldkey"] == deleted.key
    (row,) = decoded(change)["changes"]
    assert (row["op"], row["key"], row["before"]) == ("u", {"id": 2}, {"id": 1})


def test_a_truncate_concerns_every_partition() -> None:
    truncate = b"T" + struct.pack(">IBI", 1, 0, 1)
    (change,) = changes(assembler(), relation(), begin(500), truncate, commit(500))
    (record,) = change.records
    assert record.partition == EVERYWHERE
    assert record.key is None
    assert decoded(change)["changes"][0]["op"] == "t"


def test_what_the_protocol_does_not_have_stops_the_source() -> None:
    with pytest.raises(Misconfigured, match="kind 'S'"):
        changes(assembler(), b"S" + bytes(8))
    with pytest.raises(Misconfigured, match="outside a transaction"):
        changes(assembler(), relation(), insert(1, b"a"))


def test_ids_are_the_derived_ones() -> None:
    name = row_event("42", "erp", 500, 3)
    assert name == "pg:42:erp:1F4:3"
    assert event_uuid(name).hex() == derived_id(name).replace("-", "")
