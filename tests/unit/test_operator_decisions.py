"""Decisions on dead letters for which nobody waits are refused before the broker is asked."""

from __future__ import annotations

import pytest

from streams.engine import Origin, Record, control, dead_letter
from streams.engine.poison.stored import StoredRecord
from streams.engine.timers.evidence import as_record, story
from streams.engine.timers.places import Place, ordered
from streams.errors import Misconfigured, Poison
from streams.operator.answers.deciding import drop, replay
from streams.operator.answers.origins import came_from
from streams.runtime.connection import KafkaConnection

pytestmark = pytest.mark.urs("M3.3")

NOWHERE = KafkaConnection("127.0.0.1:1")


def letter(*, part: bool, topic: str = "lotgate-translate-input") -> Record:
    """A dead letter as the engine writes it, read back."""
    origin = Origin("dlq.lotgate", topic, 2, "lotgate", "translate")
    record = StoredRecord(7, b"erp", b"bytes", (), (1, 1_000))
    error = Poison("nc_lot 1, column lot_number: the row names no lot")
    _, key, value, headers = dead_letter(origin, record, error, part=part)
    return Record("dlq.lotgate", 0, 3, 2_000, key, value, tuple(headers or ()))


def test_a_part_of_a_record_cannot_be_replayed_and_the_advice_says_what_to_do() -> None:
    with pytest.raises(Misconfigured, match="save it") as refused:
        replay(NOWHERE, letter(part=True), actor="operator", reason="corrected", value=None)
    assert refused.value.code == "not_replayable"
    with pytest.raises(Misconfigured) as refused:
        drop(NOWHERE, letter(part=True), actor="operator", reason="not needed")
    assert refused.value.code == "not_replayable"


def test_a_row_that_its_source_could_not_publish_cannot_be_replayed() -> None:
    with pytest.raises(Misconfigured) as refused:
        drop(NOWHERE, letter(part=False, topic="erp:public.stock_lot"), actor="a", reason="b")
    assert refused.value.code == "not_replayable"


def test_the_bytes_and_the_place_of_the_whole_record_are_kept() -> None:
    kept = letter(part=True)
    assert kept.value == b"bytes"
    assert kept.header("lotgate-dlq-scope") == b"part"
    assert kept.header("lotgate-dlq-topic") == b"lotgate-translate-input"
    assert kept.header("lotgate-dlq-offset") == b"7"


def test_a_timer_is_named_and_has_no_bytes_to_correct() -> None:
    place = Place(5, b"L1", "late")
    origin = Origin("dlq.lotgate", "inventory.lot.events", 2, "lotgate", "hold")
    _, key, value, headers = dead_letter(
        origin, as_record(place, 9, 77), ValueError("no"), also=story(place, 9, "job:overdue")
    )
    timer = Record("dlq.lotgate", 0, 3, 2_000, key, value, tuple(headers or ()))
    assert came_from(timer) == "timer late of inventory.lot.events[2], before 77"
    with pytest.raises(Misconfigured, match="no bytes") as refused:
        replay(NOWHERE, timer, actor="operator", reason="other bytes", value=b"x")
    assert refused.value.code == "not_replayable"
    assert control.dropping(timer, actor="a", reason="b").timer == ordered(place).hex()
