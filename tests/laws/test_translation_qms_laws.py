"""Laws of nonconformities: the last version says what the tables say, however they were read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.model.facts import Nonconformity
from tests.translation_qms import RECORD, STAGES, Qms
from tests.translation_stream import START, Translation, chunked

pytestmark = pytest.mark.urs("M2.1", "M2.5", "M4.4", "X7")

LAWFUL = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CLOSED, CANCELLED = 5, 6
MEANINGS = ("closure approved", "approval", "review", "cancellation approved")


@dataclass
class Signed:
    """A signature as an auditor would note it."""

    record: int
    meaning: str
    committed: int
    at: float


class History(Qms):
    """Records that live by drawn numbers, and an auditor's own notes on them."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[int] = []
        self.reopened: dict[int, tuple[int, float]] = {}
        self.signatures: dict[int, Signed] = {}

    def pick(self, number: int) -> int:
        return self.records[number % len(self.records)]

    def enter(self, number: int) -> None:
        lots = [("IM-HOUSING", f"H-{number % 3}")] * (number % 2)
        self.records.append(self.record(*lots, stage_id=1 + number % 6)[0])

    def name(self, number: int) -> None:
        self.run(self.names(self.pick(number), ("", "RM-RESIN")[number % 2], f"L-{number % 7}"))

    def forget(self, number: int) -> None:
        rows = [key for table, key in self.rows if table == "nc_lot"]
        if rows:
            self.run(self.change("d", "nc_lot", rows[number % len(rows)]))

    def move(self, number: int) -> None:
        key, stage = self.pick(number), 1 + number % 6
        was = self.rows[RECORD, key]["stage_id"]
        self.run(self.moved(key, stage))
        if was in {CLOSED, CANCELLED} and stage not in {CLOSED, CANCELLED}:
            self.reopened[key] = (self.lsn, START.timestamp() + self.lsn)

    def sign(self, number: int) -> None:
        key, meaning = self.pick(number), MEANINGS[number % 4]
        at = START + timedelta(seconds=self.lsn + 100 - 150 * (number % 3))
        change = self.signature(key, meaning, signed_at=at.astimezone(UTC).isoformat(sep=" "))
        self.run(change)
        self.signatures[change.key["id"]] = Signed(key, meaning, self.lsn, at.timestamp())

    def unsign(self, number: int) -> None:
        if self.signatures:
            key = sorted(self.signatures)[number % len(self.signatures)]
            del self.signatures[key]
            self.run(self.change("d", "e_signature", key))

    def is_signed(self, key: int) -> bool:
        stage = self.rows[RECORD, key]["stage_id"]
        if stage not in {CLOSED, CANCELLED}:
            return False
        reopened, at = self.reopened.get(key, (-1, float("-inf")))
        enough = {"closure approved", "approval"}
        enough |= {"cancellation approved"} if stage == CANCELLED else set()
        return any(
            item.record == key
            and item.meaning in enough
            and item.committed > reopened
            and item.at > at
            for item in self.signatures.values()
        )


STEPS: tuple[Callable[[History, int], None], ...] = (
    History.enter,
    History.name,
    History.forget,
    History.move,
    History.move,
    History.sign,
    History.unsign,
)
histories = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 1_000)), min_size=1, max_size=25
)


def lived(steps: list[tuple[Callable[[History, int], None], int]]) -> History:
    history = History()
    history.enter(3)
    for step, number in steps:
        step(history, number)
    return history


@LAWFUL
@given(histories)
def test_the_last_version_says_what_the_tables_say(steps: Any) -> None:
    history = lived(steps)
    last: dict[str, Nonconformity] = {}
    for item in history.translation.said:
        assert item.envelope.subject_version == (
            last[item.nc_id].envelope.subject_version + 1 if item.nc_id in last else 1
        )
        last[item.nc_id] = item
    for key in history.records:
        found = last[str(key)]
        named = {
            f"PLANT-1/{row['product_code']}/{row['lot_number']}"
            for (table, _), row in history.rows.items()
            if table == "nc_lot" and row["nonconformity_id"] == key
        }
        stage = STAGES[history.rows[RECORD, key]["stage_id"]]
        states = {"draft": "draft", "done": "closed", "cancel": "cancelled"}
        assert found.state == states.get(stage, "open")
        assert set(found.lots) == named
        assert found.signed is history.is_signed(key)


@LAWFUL
@given(histories, st.data())
def test_chunks_and_duplicates_never_change_what_is_said(steps: Any, data: st.DataObject) -> None:
    history = lived(steps)
    fresh = Translation()
    for transaction in history.log:
        for part in chunked(transaction, *data.draw(st.lists(st.integers(0, 3), max_size=3))):
            fresh.feed(part)
            if data.draw(st.booleans()):
                fresh.feed(part, *history.log[: data.draw(st.integers(0, 2))])
    assert fresh.said == history.translation.said


def test_time_of_the_builders_is_the_auditors() -> None:
    history = History()
    transaction = history.transaction()
    expected = datetime.fromtimestamp(START.timestamp() + history.lsn, UTC)
    assert transaction.committed_at == expected
