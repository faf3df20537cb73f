"""The evidence store is exact: every record once, whatever dies; and it can be rebuilt."""

from __future__ import annotations

import signal
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import psycopg
import pytest
from localstack import Stack

from connectors.runner.database import evidence_topics
from connectors.sinks.evidence import EvidenceStore, Overtaken
from streams.contracts.provisioning import dead_letter_spec
from streams.contracts.topics import HOLD_ACKS, HOLD_STATE, LOTS
from streams.engine import Record, provision
from streams.evidence.database import connected
from streams.evidence.queries import lots_named
from streams.evidence.story import story_of
from streams.evidence.summary import run_summary
from streams.evidence.tables import VERSION, drop, migrate
from tests.evidence_history import DONE, FAILED_LSN, HALF, RAW, Row, history, lot_fact
from tests.live.evidence_lab import Lab, lab_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localstack import Addresses

    from tests.evidence_report import Artefact

pytestmark = pytest.mark.urs("M6.2")


@pytest.fixture
def lab(
    broker: str,
    registry: str,
    database: Addresses,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Lab]:
    with lab_of(broker, registry, database, request.node.nodeid, tmp_path) as made:
        yield made


def stored(lab: Lab, number: int) -> Callable[[], bool]:
    return lambda: lab.count("events") >= number


@pytest.mark.urs("M7.6")
def test_a_lot_is_traced_from_the_database_row_to_the_read_back(
    lab: Lab, artefact: Artefact
) -> None:
    events = history()
    lab.produce(events)
    with lab.writer():
        lab.wait_for(stored(lab, len(events)), "all events")
    assert lab.count("events") == len(events)
    with connected(lab.dsn, "test") as connection:
        (found,) = lots_named(connection, "D-001")
        story = story_of(connection, found)
        summary = run_summary(connection, None)
    assert story.lot_id == DONE
    assert (story.status, story.last_result) == ("held", "escaped")
    causes = {cause.cause_id: cause for cause in story.causes}
    failed = causes["inspection:erp:12"]
    assert [hop.lot_id for hop in failed.path] == [RAW, HALF, DONE]
    assert [hop.work_order for hop in failed.path] == ["", "WO-7", "WO-8"]
    assert failed.versions[0].row.lsn == "1/ABCD"
    assert failed.versions[0].row.table == "plant.public.quality_inspection"
    assert failed.versions[0].row.actor == "inspector"
    closed = causes["nonconformity:qms:17"]
    assert not closed.open
    assert closed.signature == "present, not verified"
    assert "present, not verified" in closed.versions[2].signature
    read_back = next(step for step in story.steps if step.kind == "ack")
    assert read_back.seconds == pytest.approx(3.5)
    assert read_back.row.lsn == "1/ABCD"
    assert "escaped: 4 kg to A customer" in read_back.details[0]
    assert [(row.number, row.result) for row in summary] == [
        ("R-001", "contained"),
        ("H-001", "contained"),
        ("D-001", "escaped"),
    ]
    assert summary[2].cause_number == "INS-0012"
    assert summary[2].commit_to_read_back == pytest.approx(3.5)
    artefact("events.json", repr(lab.rows("select topic, event_id from evidence.events")))
    assert FAILED_LSN >> 32 == 1


@pytest.mark.urs("M4.4")
@pytest.mark.parametrize("point", ["before_db_commit:2", "after_db_commit:1", "after_db_commit:3"])
def test_a_death_around_the_commit_stores_every_record_once(lab: Lab, point: str) -> None:
    events = history()
    lab.produce(events)
    with lab.writer(fault=point, batch=4) as dying:
        assert dying.wait(timeout=60) == 137
    before = lab.count("events")
    assert before < len(events)
    with lab.writer(batch=4):
        lab.wait_for(stored(lab, len(events)), "the rest")
    assert lab.count("events") == len(events)
    assert lab.count("duplicates") == 0


def test_the_store_can_be_dropped_and_is_rebuilt_the_same(lab: Lab) -> None:
    events = history()
    lab.produce(events)
    lab.produce(events[:3])
    with lab.writer():
        lab.wait_for(lambda: lab.count("duplicates") == 3, "the duplicates")
        lab.wait_for(stored(lab, len(events)), "all events")
    before = lab.content()
    with connected(lab.dsn, "test") as connection:
        drop(connection)
    assert lab.count("events") == 0
    with lab.writer():
        lab.wait_for(lambda: lab.content() == before, "the same content")


@pytest.mark.urs("M3.3")
def test_what_cannot_be_decoded_is_kept_with_its_bytes_and_stops_nothing(lab: Lab) -> None:
    events = history()
    good = lab.codec.encode(*events[0])
    acks = lab.name(HOLD_ACKS)
    bad = {
        "not_framed": b"\x07nonsense",
        "unknown_schema_id": b"\x00\x7f\xff\xff\xf0" + good[5:],
        "truncated_body": good[:-4],
        "trailing_bytes": good + b"\x00",
    }
    for code, value in bad.items():
        lab.produce_raw(acks if code == "not_framed" else lab.name(LOTS), value)
    lab.produce_raw(acks, None)
    lab.produce_raw(lab.name(HOLD_STATE), None)
    lab.produce(events)
    with lab.writer():
        lab.wait_for(stored(lab, len(events)), "the good events")
        lab.wait_for(lambda: lab.count("dead_letters") == 5, "the dead letters")
    rows = lab.rows("select code, record_value, raw_sha256, origin from evidence.dead_letters")
    kept = {row["code"]: row for row in rows}
    assert set(kept) == {*bad, "empty_record"}
    for code, value in bad.items():
        assert bytes(kept[code]["record_value"]) == value
        assert bytes(kept[code]["raw_sha256"]) == sha256(value).digest()
        assert kept[code]["origin"] == "evidence"


@pytest.mark.urs("M3.3")
def test_dead_letters_of_all_components_of_the_group_are_stored_and_no_others(lab: Lab) -> None:
    ours = dead_letter_spec("lotgate-erp-hold", lab.connection)
    other = dead_letter_spec("lotgate2", lab.connection)
    story = [
        ("lotgate-dlq-topic", b"inventory.hold.commands"),
        ("lotgate-dlq-partition", b"2"),
        ("lotgate-dlq-offset", b"99999999999999999999999"),
        ("lotgate-dlq-code", b"\xff" * 20_000),
        ("lotgate-dlq-stage", b"erp-hold"),
    ]
    with lab.writer():
        lab.wait_for(lambda: lab.rows("select 1 from evidence.versions") != [], "the tables")
        provision(lab.connection, [ours, other])
        lab.produce_raw(ours.name, b"bytes", headers=story)
        lab.produce_raw(other.name, b"not ours")
        lab.wait_for(lambda: lab.count("dead_letters") == 1, "the dead letter")
    (letter,) = lab.rows("select * from evidence.dead_letters")
    assert letter["topic"] == ours.name
    assert letter["original_topic"] == "inventory.hold.commands"
    assert letter["original_partition"] == 2
    assert letter["original_offset"] == -1
    assert len(letter["code"]) <= 40_000
    assert bytes(letter["record_value"]) == b"bytes"


@pytest.mark.urs("M3.3")
def test_a_database_that_is_away_is_waited_for(lab: Lab, stack: Stack) -> None:
    events = history()
    lab.produce(events[:10])
    with lab.writer() as writer:
        lab.wait_for(stored(lab, 10), "the first events")
        stack.kill("database", signal.SIGKILL)
        try:
            lab.produce(events[10:])
            log = lab.folder / "writer.log"
            lab.wait_for(lambda: "cannot be used now" in log.read_text(), "the waiting")
        finally:
            stack.start("database")
        lab.wait_for(stored(lab, len(events)), "the rest")
        assert writer.poll() is None
    assert lab.count("events") == len(events)
    assert lab.count("duplicates") == 0


@pytest.mark.urs("M3.3")
def test_a_broker_that_is_away_is_waited_for(lab: Lab, stack: Stack) -> None:
    events = history()
    lab.produce(events[:10])
    with lab.writer() as writer:
        lab.wait_for(stored(lab, 10), "the first events")
        stack.kill("broker", signal.SIGKILL)
        stack.start("broker")
        lab.produce(events[10:])
        lab.wait_for(stored(lab, len(events)), "the rest")
        assert writer.poll() is None
    assert lab.count("events") == len(events)
    assert lab.count("duplicates") == 0


def record(lab: Lab, offset: int, number: str = "R-009", lsn: int = 1) -> Record:
    fact = lot_fact(f"PLANT1/RAW/{number}", Row("erp", "stock_lot", lsn, 1), version=lsn)
    value = lab.codec.encode(LOTS, fact)
    return Record(lab.name(LOTS), 0, offset, 1_700_000_000_000, b"k", value)


def store(lab: Lab) -> EvidenceStore:
    made = EvidenceStore(lab.dsn, "evidence", evidence_topics(lab.connection), lab.codec)
    made.open()
    made.positions([(lab.name(LOTS), 0)])
    return made


@pytest.mark.urs("M4.4")
def test_a_writer_that_was_replaced_without_noticing_stores_nothing(lab: Lab) -> None:
    zombie, heir = store(lab), store(lab)
    heir.write([record(lab, 0)])
    with pytest.raises(Overtaken):
        zombie.write([record(lab, 0), record(lab, 1, lsn=2)])
    assert lab.count("events") == 1
    heir.write([record(lab, 1, lsn=2)])
    assert [row["next_offset"] for row in lab.rows("select * from evidence.offsets")] == [2]
    zombie.close()
    heir.close()


@pytest.mark.urs("M3.3")
def test_an_event_that_the_database_refuses_costs_only_itself(lab: Lab) -> None:
    writer = store(lab)
    fact = lot_fact(RAW, Row("erp", "stock_lot", 3, 1))
    source = replace(fact.envelope.source, ordinal=2**40)
    huge = replace(fact, envelope=replace(fact.envelope, source=source))
    refused = replace(record(lab, 1), value=lab.codec.encode(LOTS, huge))
    writer.write([record(lab, 0), refused, record(lab, 2, lsn=2)])
    writer.close()
    assert lab.count("events") == 2
    (letter,) = lab.rows("select * from evidence.dead_letters")
    assert letter["code"] == "refused_by_database"
    assert bytes(letter["record_value"]) == refused.value
    assert lab.rows("select next_offset from evidence.offsets") == [{"next_offset": 3}]


def test_tables_are_made_once_and_newer_ones_are_refused(lab: Lab) -> None:
    with connected(lab.dsn, "test") as connection:
        assert migrate(connection) == VERSION
        assert migrate(connection) == 0
        # As the tables of the first release were.
        connection.execute("alter table evidence.events drop column chain")
        connection.execute("delete from evidence.versions where version > 1")
        assert migrate(connection) == VERSION - 1
        connection.execute("insert into evidence.versions (version) values (99)")
        with pytest.raises(Exception, match="evidence_newer_than_build"):
            migrate(connection)
    with psycopg.connect(lab.dsn) as connection:
        assert connection.execute("select count(chain) from evidence.events").fetchone() == (0,)


def test_a_text_that_the_database_cannot_hold_is_stored_with_a_picture(lab: Lab) -> None:
    writer = store(lab)
    fact = replace(lot_fact(RAW, Row("erp", "stock_lot", 3, 1)), place="a\x00b\\u0000")
    writer.write([replace(record(lab, 0), value=lab.codec.encode(LOTS, fact))])
    writer.close()
    (row,) = lab.rows("select body from evidence.events")
    assert row["body"]["place"] == "a\u2400b\\u0000"
    assert row["body"]["quantity"] == "10.5"
    assert lab.rows("select lot_id from evidence.lots") == [{"lot_id": RAW}]
    assert HALF not in str(row)
