"""Partitions change hands: with the broker's own protocol, with copies, in the middle of work."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import KafkaException

from streams.engine import EngineSettings, ExitCode
from streams.engine.cycle.engine import Engine
from streams.errors import Transient
from tests.live import engine_job as job
from tests.live.engine_lab import PARTITIONS, assert_exact, borrowed, inspections
from tests.live.own_broker import QUICK_SESSIONS, own_broker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.engine.kafka.clients import GroupProtocol
    from tests.live.engine_lab import Lab

pytestmark = pytest.mark.urs("M4.4")

EVENTS = inspections(6_000)
NEWER = {"group_protocol": "consumer"}


@pytest.fixture(scope="module")
def quick(parts_cache: Path) -> Iterator[str]:
    """A broker whose members' sessions under the newer protocol end soon."""
    with own_broker(parts_cache, QUICK_SESSIONS) as stack:
        yield stack.broker.bootstrap


def test_newer_protocol_a_killed_worker_waits_for_its_place_and_goes_on(
    quick: str, tmp_path: Path
) -> None:
    """Its place is kept for the dead process until the session ends; that is no fencing."""
    with borrowed(quick, tmp_path, **NEWER) as lab:
        first = lab.start()
        lab.produce(EVENTS[:1_000])
        lab.wait_consumed(1_000)
        first.kill()
        first.wait()
        lab.produce(EVENTS[1_000:2_000])
        second = lab.start()
        lab.wait(lambda: "still waits for the former process" in lab.tail(), "the worker says so")
        lab.wait_consumed(2_000)
        assert second.poll() is None
        assert_exact(lab, EVENTS[:2_000])


def test_newer_protocol_workers_come_and_go_in_the_middle_of_work(
    quick: str, tmp_path: Path
) -> None:
    """Records in hand of a partition that moved are dropped, not committed by the wrong one."""
    with borrowed(quick, tmp_path, cycle_records=50, **NEWER) as lab:
        first = lab.start("a")
        lab.produce(EVENTS[:2_000])
        lab.wait_consumed(500)
        second = lab.start("b")
        lab.produce(EVENTS[2_000:4_000])
        lab.wait(lambda: joined(lab, "b"), "the second worker is a member")
        lab.wait_consumed(2_500)
        assert lab.stop(second) == 0
        third = lab.start("c")
        lab.produce(EVENTS[4_000:])
        lab.wait_consumed(len(EVENTS))
        assert first.poll() is None
        assert third.poll() is None
        assert_exact(lab, EVENTS)


def joined(lab: Lab, instance: str) -> bool:
    """Whether an instance is a member of the group and has a partition."""
    (answer,) = lab.admin.describe_consumer_groups([lab.group]).values()
    try:
        members = answer.result().members
    except KafkaException:
        # The coordinator of a new group is not known yet.
        return False
    return any(m.group_instance_id == instance and m.assignment.topic_partitions for m in members)


def test_newer_protocol_the_same_instance_twice_ends_the_older_one(
    quick: str, tmp_path: Path
) -> None:
    """There the group refuses the newcomer, but the transactions' name is the newcomer's."""
    with borrowed(quick, tmp_path, **NEWER) as lab:
        first = lab.start("a")
        lab.produce(EVENTS[:1_000])
        lab.wait_consumed(1_000)
        twin = tmp_path / "twin"
        twin.mkdir()
        lab.changes["data"] = str(twin)
        second = lab.start("a")
        lab.wait(lambda: "still waits for the former process" in lab.tail(), "it was refused")
        lab.produce(EVENTS[1_000:2_000])
        assert first.wait(60) == ExitCode.FENCED
        lab.wait_consumed(2_000)
        assert second.poll() is None
        assert_exact(lab, EVENTS[:2_000])


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_no_record_in_hand_is_of_a_partition_that_has_moved(
    quick: str, tmp_path: Path, protocol: GroupProtocol
) -> None:
    """The group takes partitions inside of the very calls that give their records."""
    with borrowed(quick, tmp_path, cycle_records=20) as lab:
        lab.produce(EVENTS)
        engines = [engine(lab, name, protocol) for name in ("a", "b")]
        first, second = engines
        first.start()
        deadline = time.monotonic() + 60
        try:
            while len(first.membership.active) < PARTITIONS:
                step(first, deadline)
            second.start()
            while not (second.membership.active and second.records):
                step(second, deadline)
                step(first, deadline)
            assert first.membership.active.keys().isdisjoint(second.membership.active)
        finally:
            for each in engines:
                each.close()


def test_a_member_that_its_group_does_not_answer_asks_anew(
    parts_cache: Path, tmp_path: Path
) -> None:
    """Here it is a broker that waits for further members longer than the worker has patience."""
    slow = {"group.min.session.timeout.ms": "1000", "group.initial.rebalance.delay.ms": "9000"}
    with (
        own_broker(parts_cache, slow) as stack,
        borrowed(stack.broker.bootstrap, tmp_path) as lab,
    ):
        lab.produce(EVENTS[:200])
        member = engine(lab, "a", "classic", session_timeout_ms=2_000)
        member.start()
        deadline, told = time.monotonic() + 60, set()
        try:
            while not member.records:
                step(member, deadline)
                told.add(member.membership.waiting)
            assert any("gave no assignment for 6 s" in each for each in told), told
            assert not member.membership.waiting
        finally:
            member.close()


def engine(
    lab: Lab, instance: str, protocol: GroupProtocol, session_timeout_ms: int = 6_000
) -> Engine:
    return Engine(
        job.app.stages,
        EngineSettings(
            lab.connection,
            lambda: lab.codec,
            lab.folder / f"data-{instance}",
            instance_id=instance,
            session_timeout_ms=session_timeout_ms,
            group_protocol=protocol,
            cycle_records=20,
        ),
    )


def step(each: Engine, deadline: float) -> None:
    """One cycle, as the plug-in runs it."""
    assert time.monotonic() < deadline
    try:
        batches = each.poll()
        active = each.membership.active
        for batch in batches:
            assert active.get(batch.partition.key) is batch.partition
            batch.run(time.monotonic() + 1)
        if batches:
            each.commit(batches)
    except Transient:
        each.recover()


def test_a_worker_with_copies_takes_over_from_them(broker: str, tmp_path: Path) -> None:
    with borrowed(broker, tmp_path, standbys=1) as lab:
        first, second = lab.start("a"), lab.start("b")
        lab.produce(EVENTS[:3_000])
        lab.wait_consumed(3_000)
        lab.wait(lambda: copied(lab, "b"), "the second worker has a copy of every partition")
        first.kill()
        lab.produce(EVENTS[3_000:])
        lab.wait_consumed(len(EVENTS))
        assert second.poll() is None
        assert_exact(lab, EVENTS)


def copied(lab: Lab, instance: str) -> bool:
    """Whether there is a store for each partition, whoever owns it."""
    folder = lab.folder / f"data-{instance}" / lab.group
    return {each.name for each in folder.glob("lots-*")} == {"lots-0", "lots-1"}


def test_workers_join_and_leave_in_the_middle_of_work(broker: str, tmp_path: Path) -> None:
    """Cycles of a group that moves are given up and read again; nothing is lost or doubled."""
    with borrowed(broker, tmp_path, cycle_records=50) as lab:
        first = lab.start("a")
        for number, instance in enumerate(("b", "c")):
            lab.produce(EVENTS[number * 2_000 : (number + 1) * 2_000])
            worker = lab.start(instance)
            lab.wait(partial(joined, lab, instance), "another worker is a member")
            assert lab.stop(worker) == 0
        lab.produce(EVENTS[4_000:])
        lab.wait_consumed(len(EVENTS))
        assert first.poll() is None
        assert_exact(lab, EVENTS)
