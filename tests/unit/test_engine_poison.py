"""Fuse, ledger of dead letters, and records as bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.control import Decision, decode, encode
from streams.engine.poison.fuse import Fuse
from streams.engine.poison.ledger import Ledger
from streams.engine.poison.letters import Origin, dead_letter
from streams.engine.poison.stored import StoredRecord, packed, unpacked
from streams.engine.settings import FuseLimits
from streams.errors import Misconfigured, Poison

if TYPE_CHECKING:
    from streams.engine.poison.ledger import Changes

pytestmark = pytest.mark.urs("M3.3")

OCTETS = st.none() | st.binary(max_size=40)
RECORDS = st.builds(
    StoredRecord,
    at=st.integers(0, 2**62),
    octets_key=OCTETS,
    octets=OCTETS,
    pairs=st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=8)), max_size=3).map(tuple),
    time=st.tuples(st.integers(0, 2), st.integers(0, 2**42)),
)


@given(RECORDS)
def test_a_record_survives_being_stored(record: StoredRecord) -> None:
    assert unpacked(packed(record)) == record


@given(RECORDS, st.text(max_size=20), st.text(max_size=20))
def test_a_decision_survives_being_written(record: StoredRecord, actor: str, reason: str) -> None:
    decision = Decision("replay", "a.topic", 3, record.at, actor, reason, record, at=7)
    assert decode(encode(decision), 7) == decision


@pytest.mark.parametrize("value", [b"", b"{}", b"nonsense\n", b"[1]\nrest"])
def test_what_is_no_decision_is_poison(value: bytes) -> None:
    with pytest.raises(Poison, match="no decision"):
        decode(value, 0)


def fuse(stored: bytes | None = None, build: str = "1") -> Fuse:
    return Fuse(FuseLimits(run=5, share=0.2, window=100, least=20), build, stored)


def test_a_run_of_failures_trips() -> None:
    tested = fuse()
    for _ in range(4):
        tested.failed()
    assert not tested.tripped
    tested.passed(1)
    for _ in range(4):
        tested.failed()
    assert not tested.tripped
    tested.failed()
    assert "5 records in a row" in tested.tripped


def test_a_share_of_failures_trips_once_enough_was_seen() -> None:
    tested = fuse()
    for _ in range(4):
        tested.failed()
        tested.passed(3)
    assert not tested.tripped, "16 records are too few to judge"
    tested.failed()
    tested.passed(3)
    tested.failed()
    assert "of the last 21 records failed" in tested.tripped


def test_failures_leave_the_window() -> None:
    tested = fuse()
    for _ in range(200):
        tested.failed()
        tested.passed(9)
    assert not tested.tripped
    tested.passed(100)
    assert tested.is_clean


def test_counters_survive_a_restart_but_not_a_new_build() -> None:
    tested = fuse()
    for _ in range(3):
        tested.failed()
    restarted = fuse(tested.dump())
    restarted.failed()
    restarted.failed()
    assert restarted.tripped
    assert fuse(restarted.dump()).tripped
    assert not fuse(restarted.dump(), build="2").tripped
    restarted.reset()
    assert restarted.is_clean


def record(offset: int, key: bytes | None = b"k") -> StoredRecord:
    return StoredRecord(at=offset, octets_key=key, octets=str(offset).encode())


class Shelf:
    """A store as the ledger sees it."""

    def __init__(self) -> None:
        self.stored: dict[bytes, bytes] = {}

    def write(self, changes: Changes) -> None:
        for key, value in changes.items():
            if value is None:
                self.stored.pop(key, None)
            else:
                self.stored[key] = value

    def ledger(self, limit: int = 100) -> Ledger:
        ledger = Ledger(self.stored.get, limit)
        ledger.load(sorted(self.stored.items()))
        return ledger


@pytest.mark.parametrize("restarts", [False, True])
def test_what_waits_comes_back_in_order(restarts: bool) -> None:
    shelf, changes = Shelf(), dict[bytes, bytes | None]()
    ledger = shelf.ledger()
    ledger.open(record(5), 1, changes, blocks=True)
    ledger.open(record(6, b"other"), 1, changes, blocks=False)
    for offset in (7, 300, 70_000):
        ledger.wait(record(offset), changes)
    assert set(ledger.blocked) == {b"k"}
    if restarts:
        shelf.write(changes)
        changes = {}
        ledger = shelf.ledger()
    assert ledger.attempts(5) == ledger.attempts(6) == 1
    assert ledger.attempts(8) is None
    assert ledger.close(6, changes) is None
    assert ledger.close(5, changes) == b"k"
    released = [ledger.next_waiting(b"k", changes) for _ in range(4)]
    assert [each and each.at for each in released] == [7, 300, 70_000, None]
    assert not ledger.blocked
    shelf.write(changes)
    assert not shelf.stored


def test_too_many_that_wait_are_a_named_stop() -> None:
    changes: dict[bytes, bytes | None] = {}
    ledger = Shelf().ledger(limit=1)
    ledger.open(record(1), 1, changes, blocks=True)
    ledger.wait(record(2), changes)
    with pytest.raises(Misconfigured, match="wait behind dead letters") as stop:
        ledger.wait(record(3), changes)
    assert stop.value.code == "queue_full"


def test_a_dead_letter_keeps_the_bytes_and_bounds_the_stack() -> None:
    def deep(depth: int) -> None:
        if depth:
            deep(depth - 1)
        raise ValueError("x" * 10_000)

    origin = Origin("dlq.g", "a.topic", 2, "g", "stage", "7")
    bad = StoredRecord(9, b"k", b"\xff\0", (("mine", b"1"), ("lotgate-dlq-code", b"old")), (1, 55))
    with pytest.raises(ValueError, match="x") as failed:
        deep(300)
    topic, key, value, headers = dead_letter(origin, bad, failed.value, attempts=2)
    told = dict(headers or [])
    assert (topic, key, value) == ("dlq.g", b"k", b"\xff\0")
    assert told["mine"] == b"1"
    assert told["lotgate-dlq-code"] == b"rule_failed"
    assert told["lotgate-dlq-cause"] == b"a.topic[2]@9"
    assert told["lotgate-dlq-attempts"] == b"2"
    assert 0 < len(told["lotgate-dlq-stack"]) <= 8 * 1024
    assert len(told["lotgate-dlq-message"]) <= 2_000
