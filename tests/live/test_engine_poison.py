"""Bad records: one bad record costs one record, its key keeps its order, and the fuse holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.engine import ExitCode, control
from tests.live import engine_job as job
from tests.live.engine_lab import assert_exact, borrowed, inspections, oracle

if TYPE_CHECKING:
    from pathlib import Path

    from streams.engine import Record
    from tests.live.engine_lab import Lab

pytestmark = pytest.mark.urs("M3.3", "M4.4")

EVENTS = inspections(1_000)
NEXT = 10_000


def event(lot: str, seq: int, note: str = "") -> job.Inspection:
    return job.Inspection(lot, seq, 20, 10, note)


def dead_of(lab: Lab, key: bytes | None) -> list[Record]:
    return [record for record in lab.dead() if record.key == key]


def text(record: Record, name: str) -> str:
    found = record.header(f"lotgate-dlq-{name}")
    assert found is not None, name
    return found.decode()


def test_each_kind_of_bad_record_is_a_dead_letter_and_others_flow(
    broker: str, tmp_path: Path
) -> None:
    good = event("L00004", NEXT + 1)
    with borrowed(broker, tmp_path) as lab:
        lab.produce(EVENTS)
        valid = lab.codec.encode(job.INSPECTIONS, good)
        bad = {
            b"L00001": (b"\0\0\0\0\x63abc", "unknown_schema_id", "Poison"),
            b"L00002": (valid[:-3], "truncated_body", "Poison"),
            b"L00003": (valid + b"\0", "trailing_bytes", "Poison"),
            b"L00005": (None, "empty_value", "Poison"),
            b"L00006": (
                lab.codec.encode(job.INSPECTIONS, event("L00006", NEXT, "boom")),
                "rule_failed",
                "ZeroDivisionError",
            ),
            b"L00007": (
                lab.codec.encode(job.INSPECTIONS, event("L00007", NEXT, "huge")),
                "too_large",
                "Poison",
            ),
            None: (valid, "missing_key", "Poison"),
        }
        lab.produce_raw((key, value) for key, (value, _, _) in bad.items())
        lab.produce([good])
        lab.start()
        lab.wait_consumed(len(EVENTS) + len(bad) + 1)
        assert lab.states()["L00004"].seq == good.source_seq
        assert len(lab.dead()) == len(bad)
        source = {(r.partition, r.offset): r for r in lab.topic_records(lab.inspections)}
        for key, (value, code, error) in bad.items():
            (dead,) = dead_of(lab, key)
            assert (dead.value, text(dead, "code"), text(dead, "error")) == (value, code, error)
            origin = source[int(text(dead, "partition")), int(text(dead, "offset"))]
            assert (origin.key, origin.value) == (key, value)
            assert text(dead, "topic") == lab.inspections
            assert text(dead, "timestamp") == str(origin.timestamp_ms)
            assert (text(dead, "group"), text(dead, "stage")) == (lab.group, "lot-hold")
            assert (text(dead, "build"), text(dead, "attempts")) == ("1", "1")
            assert text(dead, "message")
            assert 0 < len(text(dead, "stack")) <= 8 * 1024


def test_a_blocked_key_waits_and_a_replay_gives_the_result_in_order(
    broker: str, tmp_path: Path
) -> None:
    first, repaired = event("L00001", NEXT, "boom"), event("L00001", NEXT)
    later = [event("L00001", NEXT + 1 + n) for n in range(5)]
    others = [event("L00002", NEXT + 1 + n) for n in range(5)]
    with borrowed(broker, tmp_path, cycle_records=100) as lab:
        lab.produce([*EVENTS, first])
        lab.produce(later[:3] + others)
        worker = lab.start()
        lab.wait_consumed(len(EVENTS) + 9)
        before = oracle(EVENTS)[0]["L00001"]
        assert lab.states()["L00001"] == before, "an event overtook its dead letter"
        assert lab.states()["L00002"].seq == others[-1].source_seq
        # What waits survives the process, and more may come to wait.
        worker.kill()
        worker.wait()
        lab.start()
        lab.produce(later[3:])
        lab.wait_consumed(len(EVENTS) + 11)
        assert lab.states()["L00001"] == before

        (dead,) = dead_of(lab, b"L00001")
        fixed = lab.codec.encode(job.INSPECTIONS, repaired)
        for _ in range(2):
            # Decided twice, applied once.
            control.replay(lab.connection, dead, actor="quality", reason="repaired", value=fixed)
        lab.wait(lambda: lab.states()["L00001"].seq == later[-1].source_seq, "the key is released")
        lab.produce([event("L00001", NEXT + 9)])
        lab.wait_consumed(len(EVENTS) + 12)
        assert_exact(lab, [*EVENTS, repaired, *later, *others, event("L00001", NEXT + 9)])
        assert len(lab.dead()) == 1


def test_a_replay_that_fails_again_stays_the_head_and_a_drop_lets_go(
    broker: str, tmp_path: Path
) -> None:
    first, second = event("L00001", NEXT, "boom"), event("L00001", NEXT + 1)
    with borrowed(broker, tmp_path) as lab:
        lab.produce([*EVENTS, first, second])
        lab.start()
        lab.wait_consumed(len(EVENTS) + 2)
        (dead,) = dead_of(lab, b"L00001")
        control.replay(lab.connection, dead, actor="quality", reason="try again")
        lab.wait(lambda: len(lab.dead()) == 2, "the replay failed again")
        again = lab.dead()[1]
        assert text(again, "attempts") == "2"
        assert text(again, "cause").startswith("control@")
        assert again.value == dead.value
        assert lab.states()["L00001"].seq < NEXT
        control.drop(lab.connection, again, actor="quality", reason="scrapped")
        lab.wait(lambda: lab.states()["L00001"].seq == NEXT + 1, "what waited runs")
        assert_exact(lab, [*EVENTS, second])


def test_the_fuse_trips_survives_a_restart_and_is_reset_by_a_person(
    broker: str, tmp_path: Path
) -> None:
    bad = [event("L00001", NEXT + n, "boom") for n in range(40)]
    with borrowed(broker, tmp_path, fuse={"run": 20}) as lab:
        dedupe = {"ENGINE_TEST_DEDUPE": "0"}
        lab.produce(EVENTS)
        worker = lab.start(**dedupe)
        lab.wait_consumed(len(EVENTS))
        lab.produce(bad)
        assert worker.wait(30) == ExitCode.FUSE
        count = len(lab.dead())
        assert count < 20, "the records of the cycle that tripped are not consumed"
        assert lab.start(**dedupe).wait(30) == ExitCode.FUSE
        assert len(lab.dead()) == count, "a restart gave the release another run"

        # Another build may try; it is as bad, and trips anew.
        again = lab.start(**dedupe, ENGINE_TEST_BUILD="2")
        assert again.wait(30) == ExitCode.FUSE
        assert "in a row failed" in lab.tail()

        number = next(r.partition for r in lab.topic_records(lab.inspections) if r.key == b"L00001")
        control.reset_fuse(
            lab.connection, lab.inspections, number, actor="operator", reason="accepted"
        )
        lab.changes["fuse"] = {"run": 1_000, "share": 1.0}
        lab.start(**dedupe, ENGINE_TEST_BUILD="2")
        lab.wait_consumed(len(EVENTS) + len(bad))
        assert len(lab.dead()) == len(bad)
        assert_exact(lab, EVENTS)


def test_an_output_that_only_the_broker_refuses_costs_its_record_not_the_cycle(
    broker: str, tmp_path: Path
) -> None:
    """The engine's own limit set too high: the broker refuses the transaction, names no record."""
    with borrowed(broker, tmp_path, record_limit_bytes=10_000_000, codec_limit=10_000_000) as lab:
        lab.produce([*EVENTS, event("L00001", NEXT, "huge"), event("L00002", NEXT)])
        lab.start()
        lab.wait_consumed(len(EVENTS) + 2)
        (dead,) = lab.dead()
        assert (dead.key, text(dead, "code")) == (b"L00001", "output_refused")
        assert_exact(lab, [*EVENTS, event("L00002", NEXT)])


def test_a_released_record_whose_output_is_refused_is_found_among_those_released(
    broker: str, tmp_path: Path
) -> None:
    first, repaired = event("L00001", NEXT, "boom"), event("L00001", NEXT)
    waiting = [event("L00001", NEXT + n, "huge" if n == 3 else "") for n in range(1, 6)]
    good = [each for each in waiting if not each.note]
    with borrowed(broker, tmp_path, record_limit_bytes=10_000_000, codec_limit=10_000_000) as lab:
        lab.produce([*EVENTS, first, *waiting])
        lab.start()
        lab.wait_consumed(len(EVENTS) + 6)
        (dead,) = lab.dead()
        fixed = lab.codec.encode(job.INSPECTIONS, repaired)
        control.replay(lab.connection, dead, actor="quality", reason="repaired", value=fixed)
        lab.wait(lambda: len(lab.dead()) == 2, "the record at fault is set aside")
        assert lab.states()["L00001"].seq == NEXT + 2, "what came before it stands"
        huge = lab.dead()[1]
        assert text(huge, "code") == "output_refused"
        assert lab.codec.decode(job.INSPECTIONS, huge.value or b"").source_seq == NEXT + 3
        control.drop(lab.connection, huge, actor="quality", reason="not needed")
        lab.wait(lambda: lab.states()["L00001"].seq == NEXT + 5, "the rest is released")
        assert_exact(lab, [*EVENTS, repaired, *good])


@pytest.mark.parametrize("actor_and_reason", [("", "why"), ("who", " ")])
def test_a_decision_without_actor_or_reason_is_refused(
    broker: str, tmp_path: Path, actor_and_reason: tuple[str, str]
) -> None:
    actor, reason = actor_and_reason
    with (
        borrowed(broker, tmp_path) as lab,
        pytest.raises(Exception, match="needs an actor and a reason"),
    ):
        control.reset_fuse(lab.connection, lab.inspections, 0, actor=actor, reason=reason)
