"""Fuse, ledger of dead letters, and records as bytes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine import ExitCode, Parking, exit_code_of
from streams.engine.control import Decision, decode, encode
from streams.engine.poison.fuse import Fuse
from streams.engine.poison.ledger import Ledger, ParkingFull
from streams.engine.poison.stored import StoredRecord, packed, unpacked
from streams.engine.settings import FuseLimits
from streams.errors import Poison

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


WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)


@given(RECORDS, WORDS, WORDS)
def test_a_decision_survives_being_written(record: StoredRecord, actor: str, reason: str) -> None:
    decision = Decision("replay", "a.topic", 3, record.at, actor, reason, record, at=7)
    assert decode(encode(decision), 7) == decision


@pytest.mark.parametrize("value", [b"", b"{}", b"nonsense\n", b"[1]\nrest"])
def test_what_is_no_decision_is_poison(value: bytes) -> None:
    with pytest.raises(Poison, match="no decision"):
        decode(value, 0)


DROP: dict[str, object] = {
    "kind": "drop",
    "topic": "a.topic",
    "partition": 3,
    "offset": 9,
    "actor": "quality",
    "reason": "scrapped",
}


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "shutdown"},
        {"kind": ["drop"]},
        {"kind": "replay"},
        {"topic": "a/topic"},
        {"topic": "x" * 250},
        {"topic": None},
        {"partition": -1},
        {"partition": "3"},
        {"partition": True},
        {"partition": 2**31},
        {"offset": 2**63},
        {"offset": -2},
        {"offset": 1.5},
        {"actor": ""},
        {"actor": 7},
        {"reason": "  "},
        {"reason": "x" * 2_001},
        {"at": 5},
    ],
    ids=str,
)
def test_a_decision_that_others_wrote_is_checked_field_by_field(change: dict[str, object]) -> None:
    assert decode(orjson.dumps(DROP) + b"\n", 4).at == 4
    with pytest.raises(Poison, match="no decision"):
        decode(orjson.dumps({**DROP, **change}) + b"\n", 4)


@given(st.binary(max_size=60), st.data())
def test_no_bytes_of_the_control_topic_stop_a_worker(noise: bytes, data: st.DataObject) -> None:
    record_ = StoredRecord(9, b"k", b"value", (("h", b"1"),), (1, 55))
    whole = encode(Decision("replay", "a.topic", 3, 9, "quality", "again", record_))
    cut = data.draw(st.integers(0, len(whole)))
    for value in (noise, whole[:cut] + noise, noise + whole[cut:]):
        with suppress(Poison):
            known = decode(value, 0)
            assert known.record is None or known.record.at == known.offset


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


STEPS = st.lists(st.one_of(st.integers(1, 40), st.just("bad"), st.just("restart")), max_size=60)


@given(STEPS)
def test_a_fuse_trips_exactly_when_a_plain_count_says_so(steps: list[int | str]) -> None:
    """Restarts at any moment change nothing; another build begins anew."""
    tested, seen = fuse(), list[bool]()
    for step in steps:
        if step == "restart":
            tested = fuse(tested.dump() if not tested.is_clean else None)
            if not any(seen[-100:]):
                # Nothing was stored, so that how many went well is not known any more.
                seen = []
        elif isinstance(step, int):
            tested.passed(step)
            seen += [False] * step
        else:
            tested.failed()
            seen.append(True)
            window, run = seen[-100:], len(seen) - max((i + 1 for i, bad in enumerate(seen)
                                                        if not bad), default=0)  # fmt: skip
            crowded = len(window) >= 20 and sum(window) > 0.2 * len(window)
            assert bool(tested.tripped) == (run >= 5 or crowded)
            assert not fuse(tested.dump(), build="2").tripped
            if tested.tripped:
                assert fuse(tested.dump()).tripped
                tested.reset()
                seen = []


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

    def ledger(self, limits: Parking | None = None) -> Ledger:
        ledger = Ledger(self.stored.get, limits or Parking())
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


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (Parking(records=1), "1 records wait already, the limit is 1"),
        (Parking(octets=100), "the limit is 100 bytes"),
        (Parking(record_octets=60), "the limit is 60"),
    ],
    ids=["records", "bytes", "record"],
)
def test_too_many_that_wait_are_a_named_stop(limits: Parking, told: str) -> None:
    shelf, changes = Shelf(), dict[bytes, bytes | None]()
    ledger = shelf.ledger(limits)
    ledger.open(record(1), 1, changes, blocks=True)
    with suppress(ParkingFull):
        ledger.wait(record(2), changes)
    with pytest.raises(ParkingFull) as stop:
        ledger.wait(record(3), changes)
    assert told in str(stop.value)
    assert (stop.value.code, exit_code_of(stop.value)) == ("parking_full", ExitCode.PARKING_FULL)


@given(st.lists(st.tuples(st.sampled_from(["wait", "release", "restart"]), st.binary(max_size=9))))
def test_what_waits_is_counted_whatever_happens(steps: list[tuple[str, bytes]]) -> None:
    shelf, changes = Shelf(), dict[bytes, bytes | None]()
    ledger, waiting = shelf.ledger(), list[StoredRecord]()
    ledger.open(record(0), 1, changes, blocks=True)
    for number, (step, value) in enumerate(steps, 1):
        if step == "wait":
            waiting.append(StoredRecord(number, b"k", value))
            ledger.wait(waiting[-1], changes)
        elif step == "release" and waiting:
            assert ledger.next_waiting(b"k", changes) == waiting.pop(0)
        elif step == "restart":
            shelf.write(changes)
            changes = {}
            ledger = shelf.ledger()
        assert ledger.waiting == len(waiting)
        assert ledger.octets == sum(len(packed(each)) for each in waiting)
