"""What commands answer, without anything running."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import click
import pytest

from streams.cli import exit_code_of
from streams.engine import Record
from streams.errors import Poison
from streams.evidence.lot_story import CauseStory, Hop, LotStory
from streams.operator.answers.decoding import shown
from streams.operator.answers.story_text import path_text, rendered
from streams.operator.answers.tooling import NotFound, as_json, instant_text, moment
from streams.operator.tail import completed
from streams.runtime.connection import KafkaConnection

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("10m", NOW - timedelta(minutes=10)),
        ("2 h", NOW - timedelta(hours=2)),
        ("1d", NOW - timedelta(days=1)),
        ("2026-11-20T10:00:00+02:00", datetime(2026, 11, 20, 8, 0, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
    ],
)
def test_an_age_or_an_instant_is_understood(text: str, at: datetime) -> None:
    assert moment(text, NOW) == at


@pytest.mark.parametrize("text", ["", "10", "10x", "yesterday", "99999999999d"])
def test_what_is_neither_is_a_usage_error(text: str) -> None:
    with pytest.raises(click.BadParameter):
        moment(text, NOW)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("inventory.hold.acks", "a.inventory.hold.acks"),
        ("a.inventory.hold.acks", "a.inventory.hold.acks"),
        ("lot-input", "a.plant-lot-input"),
        ("{group}-lot-input", "a.plant-lot-input"),
        ("dlq", "a.dlq.plant"),
        ("erp-hold", "a.dlq.plant-erp-hold"),
    ],
)
def test_prefix_and_group_are_added_where_they_are_missing(asked: str, name: str) -> None:
    known = {
        "a.inventory.hold.acks": 4,
        "a.plant-lot-input": 4,
        "a.dlq.plant": 1,
        "a.dlq.plant-erp-hold": 1,
    }
    connection = KafkaConnection("b:1", prefix="a", group="plant")
    assert completed(asked, known, connection)[0] == name


def test_a_topic_that_is_not_there_is_not_found_and_the_nearest_are_named() -> None:
    with pytest.raises(NotFound, match=r"inventory\.hold\.acks") as caught:
        completed("hold", {"inventory.hold.acks": 1}, KafkaConnection("b:1"))
    assert exit_code_of(caught.value) == 3


def refuse(_: bytes) -> tuple[str, object]:
    raise Poison("the body ends early", code="truncated_body")


def test_a_record_that_cannot_be_decoded_is_shown_with_its_bytes() -> None:
    record = Record("t", 0, 7, 1_700_000_000_000, b"\xff", b"\x00\x01", (("h", b"\xfe"),))
    view = shown(record, refuse)
    assert view.raw == "0001"
    assert view.error == "[truncated_body] the body ends early"
    assert view.key == "\\xff"
    assert "bytes: 0001" in view.text()
    assert '"offset":7' in as_json(view)


def test_an_avro_key_is_decoded_and_a_tombstone_is_named() -> None:
    record = Record("t", 0, 7, 1_700_000_000_000, b"\x00key", None)
    view = shown(record, lambda _: ("k", {"id": 5}))
    assert view.key == {"id": 5}
    assert "tombstone" in view.text()


def test_a_story_without_events_says_so() -> None:
    story = LotStory("S//N", "S", "", "N", "", "", "", "", (), ())
    text = rendered(story)
    assert "material not named" in text
    assert "no hold state was published" in text
    assert "nothing yet" in text


def test_why_a_cause_still_stands_is_told() -> None:
    path = (Hop("S/A/1"), Hop("S/B/2", "consumed", "WO-1"))
    cause = CauseStory(
        "nonconformity:qms:1", "NC-1", True, False, "closed without signature", "", path, ()
    )
    story = LotStory("S/B/2", "S", "B", "2", "held", "Restricted", "contained", "", (cause,), ())
    text = rendered(story)
    assert "still open  closed without signature" in text
    assert "S/A/1 -> S/B/2 (consumed WO-1)" in text
    assert path_text(()) == ""


def test_json_keeps_decimals_exact_and_instants_in_utc() -> None:
    assert as_json({"q": Decimal("1.50"), "b": b"\x01"}) == '{"q":"1.50","b":"01"}'
    assert instant_text(NOW) == "2026-11-20T12:00:00.000Z"
    assert instant_text(None) == "-"
