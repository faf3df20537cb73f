"""Records beside the rows': BEGIN and END with counts, messages, heartbeats."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Change, Position, RawRecord
from connectors.sources.postgres import PostgresSettings
from connectors.sources.postgres.beside.heartbeat import Heartbeat
from connectors.sources.postgres.form import RecordForm
from connectors.sources.postgres.log import pgoutput
from connectors.sources.postgres.log.assembler import Assembler
from connectors.sources.postgres.log.pgoutput import Relation, RelationColumn
from connectors.sources.postgres.log.transaction import Origin
from connectors.sources.postgres.shape.plan import TableFacts, TablePlan
from connectors.sources.postgres.shape.tables import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.urs("M3.1", "M5.6")

FORM = RecordForm(transaction_metadata=True, messages=True, heartbeat_s=5)
SETTINGS = PostgresSettings("erp", "", "P1", "", "slot", "pub", version="1", form=FORM)
COLUMNS = (RelationColumn("id", 23, -1, flagged=True),)
TABLES = {1: "a", 2: "b"}


class Topics:
    """Numbers schemas, and reads what was written by them."""

    def __init__(self) -> None:
        self._schemas: list[Any] = []

    def announce(self, topics: Any) -> None:
        """Nothing to make."""

    def bind(self, topic: str, key: Any, value: Any, shape: Any = None) -> tuple[bytes, bytes]:
        assert topic
        assert shape is None
        return self._frame(key), self._frame(value)

    def told(self, topic: str) -> Any:
        raise AssertionError(topic)

    def _frame(self, schema: Any) -> bytes:
        self._schemas.append(schema)
        return b"\0" + (len(self._schemas) - 1).to_bytes(4, "big")

    def read(self, framed: bytes | None) -> Any:
        assert framed is not None
        schema = fastavro.parse_schema(self._schemas[int.from_bytes(framed[1:5], "big")])
        body = io.BytesIO(framed[5:])
        found = fastavro.schemaless_reader(body, schema, None)
        assert body.read() == b""
        return found


class Learned:
    """Two tables of one column."""

    def __init__(self, topics: Topics) -> None:
        self.topics = topics
        self._tables = {oid: self._made(oid, name) for oid, name in TABLES.items()}

    def _made(self, oid: int, name: str) -> Table:
        relation = Relation(oid, "public", name, "d", COLUMNS)
        plan = TablePlan(relation, TableFacts(frozenset({"id"})), {}, f"cdc.erp.public.{name}")
        key, value = plan.schemas
        return Table(plan, f"public.{name}", *self.topics.bind(plan.topic, key, value))

    def table(self, oid: int) -> Table:
        return self._tables[oid]


def made(middle: Mapping[str, Any] | None = None, **more: Any) -> tuple[Topics, Assembler]:
    topics = Topics()
    chosen = replace(SETTINGS, **more)
    origin = Origin("42", "plant", {"phase": "stream"})
    return topics, Assembler(chosen, origin, Learned(topics), 1, middle)  # type: ignore[arg-type]


def frame(message: bytes, lsn: int = 100) -> bytes:
    return b"w" + struct.pack(">QQq", lsn, 0, 0) + message


def begin(lsn: int, xid: int = 7) -> bytes:
    return frame(b"B" + struct.pack(">QqI", lsn, 1_000_000, xid))


def commit(lsn: int) -> bytes:
    return frame(b"C" + struct.pack(">BQQq", 0, lsn, lsn + 8, 0))


def insert(table: int, key: int) -> bytes:
    cell = str(key).encode()
    row = struct.pack(">H", 1) + b"t" + struct.pack(">I", len(cell)) + cell
    return frame(b"I" + struct.pack(">I", table) + b"N" + row)


def message(lsn: int, prefix: str, content: bytes, *, transactional: bool) -> bytes:
    head = b"M" + struct.pack(">BQ", transactional, lsn) + prefix.encode() + b"\0"
    return frame(head + struct.pack(">I", len(content)) + content, lsn)


def fed(target: Assembler, *frames: bytes) -> list[Change]:
    return [change for each in frames for change in target.feed([each], 5_000_000)]


def on(topics: Topics, changes: list[Change], topic: str) -> list[Any]:
    records = [record for change in changes for record in change.records]
    return [topics.read(each.value) for each in records if each.topic == f"cdc.erp.{topic}"]


def test_begin_and_end_stand_around_a_transaction_with_its_counts() -> None:
    topics, target = made()
    (change,) = fed(target, begin(500), insert(2, 1), insert(1, 1), insert(2, 2), commit(500))
    assert [record.topic.rpartition(".")[2] for record in change.records] == [
        "transaction",
        "b",
        "a",
        "b",
        "transaction",
    ]
    first, last = on(topics, [change], "transaction")
    assert first == {
        "status": "BEGIN",
        "id": "7:500",
        "event_count": None,
        "data_collections": None,
        "ts_ms": (pgoutput.EPOCH_MICROS + 1_000_000) // 1000,
    }
    assert (last["status"], last["event_count"]) == ("END", 3)
    assert last["data_collections"] == [
        {"data_collection": "public.a", "event_count": 1},
        {"data_collection": "public.b", "event_count": 2},
    ]
    assert topics.read(change.records[0].key) == {"id": "7:500"}


@given(st.integers(1, 200), st.integers(3, 9))
def test_a_split_transaction_has_one_begin_and_one_end(chunk_bytes: int, rows: int) -> None:
    frames = (begin(500), *(insert(1, number) for number in range(rows)), commit(500))
    topics, target = made(chunk_bytes=chunk_bytes)
    changes = fed(target, *frames)
    marks = on(topics, changes, "transaction")
    assert [(mark["status"], mark["event_count"]) for mark in marks] == [
        ("BEGIN", None),
        ("END", rows),
    ]
    middle = changes[0].position.fields.get("middle")
    if middle is not None:
        # Another process goes on: it repeats no BEGIN, and its END counts all rows.
        topics, target = made(middle, chunk_bytes=chunk_bytes)
        marks = on(topics, fed(target, *frames), "transaction")
        assert [(mark["status"], mark["event_count"]) for mark in marks] == [("END", rows)]


def test_a_message_in_a_transaction_is_one_of_its_events() -> None:
    topics, target = made()
    emitted = message(450, "p", b"\x00\xff", transactional=True)
    (change,) = fed(target, begin(500), emitted, insert(1, 1), commit(500))
    (found,) = on(topics, [change], "message")
    assert (found["op"], found["message"]) == ("m", {"prefix": "p", "content": b"\x00\xff"})
    assert found["source"]["txId"] == 7
    assert (found["source"]["schema"], found["source"]["table"]) == ("", "")
    assert found["source"]["lsn"] == 450
    assert found["transaction"]["total_order"] == 1
    (row,) = on(topics, [change], "public.a")
    assert row["transaction"]["total_order"] == 2
    assert row["source"]["sequence"] == '["500","1"]'
    end = on(topics, [change], "transaction")[1]
    assert {each["data_collection"] for each in end["data_collections"]} == {"message", "public.a"}


def test_a_message_outside_a_transaction_has_a_position_of_its_own() -> None:
    topics, target = made()
    (change,) = fed(target, message(450, "p", b"x", transactional=False))
    assert change.position == Position({"phase": "stream", "lsn": 450})
    (found,) = on(topics, [change], "message")
    assert found["transaction"] is None
    assert found["source"]["txId"] is None
    assert target.boundary == 450


def test_messages_that_nobody_asked_for_take_no_place() -> None:
    topics, target = made(form=RecordForm())
    emitted = message(450, "p", b"x", transactional=True)
    (change,) = fed(target, begin(500), emitted, insert(1, 1), commit(500))
    assert [record.topic for record in change.records] == ["cdc.erp.public.a"]
    assert on(topics, [change], "public.a")[0]["source"]["sequence"] == '["500","0"]'
    assert fed(target, message(600, "p", b"x", transactional=False)) == []


@pytest.mark.parametrize(
    ("mode", "content"), [("bytes", b"\x00\xff"), ("base64", "AP8="), ("hex", "00ff")]
)
def test_a_messages_content_follows_the_binary_mode(mode: Any, content: bytes | str) -> None:
    topics, target = made(form=replace(FORM, binary_mode=mode))
    changes = fed(target, message(450, "p", b"\x00\xff", transactional=False))
    assert on(topics, changes, "message")[0]["message"]["content"] == content


def test_debeziums_order_and_block_are_mirrored() -> None:
    topics, target = made(compat="debezium", form=RecordForm())
    changes = fed(target, begin(500), insert(1, 1), commit(500), begin(600), insert(1, 2))
    changes += fed(target, commit(600))
    first, second = on(topics, changes, "public.a")
    assert (first["source"]["sequence"], first["transaction"]) == ('["1","100"]', None)
    assert second["source"]["sequence"] == '["508","100"]'


def test_a_heartbeat_is_due_at_once_and_then_regularly() -> None:
    topics = Topics()
    heart = Heartbeat(SETTINGS, topics)
    (record,) = heart.due(10.0, 1_000)
    assert isinstance(record, RawRecord)
    assert record.topic == "__debezium-heartbeat.cdc.erp"
    assert topics.read(record.key) == {"serverName": "cdc.erp"}
    assert topics.read(record.value) == {"ts_ms": 1_000}
    assert heart.due(14.9, 2_000) == []
    assert len(heart.due(15.0, 2_000)) == 1
    assert Heartbeat(replace(SETTINGS, form=RecordForm()), topics).due(99.0, 0) == []
