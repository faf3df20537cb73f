"""What a record becomes in the evidence store, and what a person is told of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.runner.database import dead_letter_pattern, evidence_topics
from streams.contracts.topics import PUBLIC
from streams.engine import Record
from streams.evidence.narration import told
from streams.evidence.queries import StoredEvent
from streams.evidence.records import (
    LARGEST,
    STORED,
    TEXT_LIMIT,
    as_json,
    dead_letter_row,
    event_row,
    instant,
    lot_rows,
    lots_of,
    number,
    storable,
    text,
)
from streams.runtime.connection import KafkaConnection
from tests.evidence_history import DONE, HALF, RAW, edge, failure, history, nonconformity

pytestmark = pytest.mark.urs("M6.2")


def record(**changed: Any) -> Record:
    return replace(
        Record("t", 3, 41, 1_700_000_000_123, b"k", b"\x00\x00\x00\x01\x00body"), **changed
    )


def test_every_public_topic_is_evidence() -> None:
    assert set(STORED) == set(PUBLIC)


def test_a_row_names_position_source_actor_schema_and_hash() -> None:
    row = event_row("fact", failure(), record())
    assert (row["topic"], row["partition"], row["record_offset"]) == ("t", 3, 41)
    assert (row["source_system"], row["source_table"]) == ("erp", "quality_inspection")
    assert (row["source_lsn"], row["source_tx_id"]) == (0x1_0000_ABCD, 705)
    assert row["actor"] == "inspector"
    assert row["schema_id"] == 256
    assert row["raw_sha256"] == sha256(record().value or b"").digest()
    assert row["kafka_timestamp"] == datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC)
    assert row["lots"] == [RAW]


@pytest.mark.parametrize(
    ("event", "lots"),
    [
        (edge(RAW, HALF, "WO-7", 1), (HALF, RAW)),
        (failure(), (RAW,)),
        (nonconformity(1, "open", 1), (HALF,)),
    ],
)
def test_an_event_belongs_to_every_lot_it_names(event: object, lots: tuple[str, ...]) -> None:
    assert lots_of(event) == lots


def test_lot_ids_are_taken_apart_and_what_is_none_is_left_out() -> None:
    (row,) = lot_rows([RAW, "no lot id", RAW])
    assert (row.lot_id, row.site, row.material, row.number) == (RAW, "PLANT1", "RAW", "R-001")


def test_numbers_are_kept_as_their_exact_text() -> None:
    lot = next(event for topic, event in history() if topic.name == "inventory.lot.events")
    assert json.loads(as_json(lot))["quantity"] == "10.5"


@given(st.text(), st.text())
def test_no_text_becomes_json_that_the_database_refuses(place: str, unit: str) -> None:
    lot = next(event for topic, event in history() if topic.name == "inventory.lot.events")
    written = as_json(replace(lot, place=place, unit=unit))
    back = json.loads(written)
    assert back["place"] == storable(place)
    assert back["unit"] == storable(unit)
    assert "\x00" not in back["place"] + back["unit"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["topic", "partition", "offset", "code", "stage", "message"]).map(
                lambda name: f"lotgate-dlq-{name}"
            ),
            st.binary(max_size=40),
        )
    )
)
def test_headers_of_others_never_break_a_row(headers: list[tuple[str, bytes]]) -> None:
    row = dead_letter_row(record(headers=tuple(headers)))
    assert -1 <= row["original_partition"] < 2**31
    assert -1 <= row["original_offset"] <= LARGEST
    assert "\x00" not in row["message"] + row["code"] + row["original_topic"]
    json.loads(row["headers"])


@pytest.mark.parametrize(
    ("value", "found"),
    [(None, -1), ("", -1), ("-1", -1), ("7", 7), ("²", -1), ("9" * 19, -1), ("9" * 40, -1)],
)
def test_a_number_of_others_is_checked(value: str | None, found: int) -> None:
    assert number(value, 1000) == found


def test_long_texts_and_impossible_times_are_bounded() -> None:
    assert len(text(b"x" * 100_000)) == TEXT_LIMIT
    assert instant(-1) is None
    assert instant(10**17) is None


def stored(event: Any, kind: str) -> StoredEvent:
    row = event_row("fact", event, record())
    names = StoredEvent.__dataclass_fields__
    fields = {name: row[name] for name in names if name not in {"kind", "body"}}
    return StoredEvent(**fields, kind=kind, body=json.loads(row["body"]))


def test_each_event_is_told_in_one_sentence() -> None:
    kinds = {topic.name: kind for topic, kind in STORED.items()}
    sentences = [told(stored(event, kinds[topic.name])) for topic, event in history()]
    titles = [title for title, _ in sentences]
    assert "lot R-001 is UnRestricted" in titles
    assert f"{HALF} made from {RAW} (consumed) by work order WO-7" in titles
    assert "inspection INS-0012 rejected" in titles
    assert "nonconformity NC-2026-017 (major) closed without signature" in titles
    assert "nonconformity NC-2026-017 (major) closed" in titles
    assert "hold commanded at erp (version 1)" in titles
    assert "read back at erp: contained, Restricted" in titles
    assert "state: held, Restricted" in titles
    details = [line for _, lines in sentences for line in lines]
    assert "contained: 10.5 kg in QUA (stock.shipment.internal 9), returns to Storage" in details
    assert "open cause: nonconformity:qms:17 (closed without signature)" in details
    assert any(line.endswith("present, not verified") for line in details)
    assert DONE.endswith("D-001")


def test_names_carry_the_prefix_and_dead_letters_are_those_of_the_group() -> None:
    connection = KafkaConnection("b:1", prefix="site.a", group="plant")
    assert "site.a.inventory.hold.acks" in evidence_topics(connection)
    assert dead_letter_pattern(connection) == "^site[.]a[.]dlq[.]plant(-.*)?$"
