"""Taking a partition over: from its changelog, from a disk, from a copy, and past what is wrong."""

from __future__ import annotations

import os
import resource
import time
from itertools import count
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, TopicPartition

from streams.engine import Transaction
from streams.engine.state.disk import Checkpoint, Disk
from streams.engine.state.standby import Copy, Standbys
from streams.runtime.connection import KafkaConnection
from tests.live.engine_lab import assert_exact, borrowed, inspections
from tests.live.takeover_lab import finished, site

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.takeover_lab import Site

pytestmark = pytest.mark.urs("M4.4")

NUMBERS = count(1)
KEYS = 100_000


@pytest.fixture
def connection(broker: str) -> KafkaConnection:
    return KafkaConnection(broker, group=f"takeover-{os.getpid()}-{next(NUMBERS)}")


def values(first: int, last: int) -> dict[bytes, bytes | None]:
    return {b"key-%06d" % number: b"value-%d" % number for number in range(first, last)}


def test_a_large_partition_comes_in_steps_that_let_others_flow(
    connection: KafkaConnection, tmp_path: Path
) -> None:
    with site(connection, tmp_path, partitions=2) as here:
        for first in range(0, KEYS, 20_000):
            here.keep(values(first, first + 20_000))
        here.keep(values(0, 10), partition=1)
        here.commit_position(0, 7)
        takeovers = here.takeovers()
        here.begin(takeovers)
        steps, seen, order = 0, set(), []
        deadline = time.monotonic() + 60
        while takeovers:
            assert time.monotonic() < deadline
            arrived = takeovers.step(0.001, patient=False)
            steps += 1
            order += [(each.partition.key[1], each.position) for each in arrived]
            if takeovers.progress is not None:
                seen.add(round(takeovers.progress.share, 1))
        takeovers.close()
        assert order == [(1, None), (0, 7)], "the small one waited for the large one"
        # A step of the shortest time takes one chunk: fifty for the large partition.
        assert steps > KEYS / 2_000
        assert len(seen) > 3, seen
        disk = here.disks[0]
        assert disk.checkpoint is not None
        assert disk.checkpoint.position >= KEYS
        assert {key: disk.get(key) for key in values(0, KEYS)} == values(0, KEYS)


def test_the_same_disk_goes_on_where_it_was(connection: KafkaConnection, tmp_path: Path) -> None:
    with site(connection, tmp_path) as here:
        here.keep(values(0, 100))
        ((disk, _),) = here.taken_over().values()
        first = disk.checkpoint
        disk.close()
        here.keep({b"key-000001": None, b"new": b"1"})
        takeovers = here.takeovers()
        here.begin(takeovers)
        while (progress := takeovers.progress) is None or not progress.records:
            takeovers.step(0.01, patient=True)
        assert progress.records == 2, "more than what came since was read"
        ((disk, _),) = finished(takeovers).values()
        takeovers.close()
        assert (disk.get(b"key-000001"), disk.get(b"new")) == (None, b"1")
        assert first is not None
        assert disk.checkpoint is not None
        assert disk.checkpoint.position > first.position


def stale(here: Site, position: int, topic_id: str | None = None, age_ms: int = 0) -> None:
    """A disk that tells something else than the changelog."""
    disk = Disk(here.folder / "store-0")
    written = here.now_ms - age_ms
    disk.write({b"stale": b"1"}, Checkpoint(position, topic_id or here.facts.topic_id, written))
    disk.close()


def assert_restored(here: Site, expected: dict[bytes, bytes | None]) -> None:
    ((disk, _),) = here.taken_over().values()
    assert disk.get(b"stale") is None
    assert {key: disk.get(key) for key in expected} == expected


def test_a_disk_older_than_deletions_are_kept_is_not_trusted(
    connection: KafkaConnection, tmp_path: Path
) -> None:
    config = {"cleanup.policy": "compact", "delete.retention.ms": "60000"}
    with site(connection, tmp_path, config=config) as here:
        here.keep(values(0, 10))
        stale(here, 5, age_ms=30_001)
        assert_restored(here, values(0, 10))


def test_a_disk_of_another_topic_of_the_same_name_is_not_trusted(
    connection: KafkaConnection, tmp_path: Path
) -> None:
    with site(connection, tmp_path) as here:
        here.keep(values(0, 10))
        stale(here, 5, topic_id="of the topic that was here before")
        assert_restored(here, values(0, 10))


def test_a_disk_beyond_the_changelogs_end_is_not_trusted(
    connection: KafkaConnection, tmp_path: Path
) -> None:
    with site(connection, tmp_path) as here:
        here.keep(values(0, 10))
        stale(here, 5_000)
        assert_restored(here, values(0, 10))


def test_a_changelog_that_no_longer_has_the_disks_place_is_read_whole(
    connection: KafkaConnection, tmp_path: Path
) -> None:
    with site(connection, tmp_path, config={"cleanup.policy": "compact,delete"}) as here:
        here.keep(values(0, 10))
        here.keep(values(10, 20))
        stale(here, 3)
        admin = here.admin()
        for answer in admin.delete_records([TopicPartition(here.changelog, 0, 11)]).values():
            answer.result()
        assert_restored(here, values(10, 20))


def test_a_take_over_waits_for_the_former_owners_open_transaction(
    connection: KafkaConnection, tmp_path: Path
) -> None:
    """Neither old state with a new position, nor new state with an old one."""
    with site(connection, tmp_path) as here:
        here.keep(values(0, 10))
        member = Consumer({"bootstrap.servers": connection.bootstrap, "group.id": connection.group})
        with Transaction(connection, f"{connection.group}-former") as former:
            former.begin()
            former.produce(here.changelog, b"key-000001", b"newer", partition=0)
            former.flush()
            former.send_offsets({(here.input, 0): 42}, member.consumer_group_metadata())
            takeovers = here.takeovers()
            here.begin(takeovers)
            deadline = time.monotonic() + 1.5
            while time.monotonic() < deadline:
                assert takeovers.step(0.05, patient=True) == []
            former.commit()
        ((disk, position),) = finished(takeovers).values()
        takeovers.close()
        member.close()
        assert (disk.get(b"key-000001"), position) == (b"newer", 42)


def test_a_copy_follows_and_is_lent_to_its_owner(
    connection: KafkaConnection, tmp_path: Path
) -> None:
    with site(connection, tmp_path, partitions=2) as here:
        here.keep(values(0, 5_000))
        here.keep(values(0, 10), partition=1)
        copies = {
            (here.changelog, number): Copy(tmp_path / f"store-{number}", here.facts)
            for number in range(2)
        }
        standbys = Standbys(connection, copies, lambda: here.now_ms)
        first = standbys.lend((here.changelog, 1))
        assert first is None, "nothing is open before the first step"
        follow(standbys, here.changelog, 5_000)
        # What is not committed is not in a copy.
        here.writer.begin()
        here.writer.produce(here.changelog, b"key-000001", b"uncommitted", partition=0)
        here.writer.flush()
        for _ in range(20):
            standbys.step()
        here.writer.abort()
        here.keep({b"last": b"1"})
        disk = standbys.lend((here.changelog, 0))
        assert disk is not None
        assert disk.get(b"key-000001") == b"value-1"
        disk.close()
        takeovers = here.takeovers()
        here.begin(takeovers, 0)
        while (progress := takeovers.progress) is None or not progress.records:
            takeovers.step(0.01, patient=True)
        assert progress.records == 1, "the copy was read anew"
        ((disk, _),) = finished(takeovers).values()
        takeovers.close()
        assert disk.get(b"last") == b"1"
        # Given back, it is followed again.
        assert standbys.take_back((here.changelog, 0), disk)
        here.disks.remove(disk)
        here.keep({b"later": b"1"})
        deadline = time.monotonic() + 30
        while disk.get(b"later") is None:
            assert time.monotonic() < deadline
            standbys.step()
        standbys.close()


def follow(standbys: Standbys, changelog: str, records: int) -> None:
    deadline = time.monotonic() + 30
    while standbys.applied((changelog, 0)) < records:
        assert time.monotonic() < deadline
        standbys.step()


def test_a_disk_that_fails_while_it_is_restored_is_opened_anew(
    connection: KafkaConnection, tmp_path: Path
) -> None:
    with site(connection, tmp_path) as here:
        here.keep(values(0, 30_000))
        takeovers = here.takeovers()
        here.begin(takeovers)
        while (progress := takeovers.progress) is None or not progress.records:
            takeovers.step(0.001, patient=False)
        here.disks[0].close()
        while not takeovers.waiting:
            takeovers.step(0.001, patient=False)
        assert "cannot be used" in takeovers.waiting
        ((disk, _),) = finished(takeovers).values()
        assert takeovers.waiting == ""
        takeovers.close()
        assert {key: disk.get(key) for key in values(0, 30_000)} == values(0, 30_000)


EVENTS = inspections(6_000, lots=3_000)


def test_a_disk_that_is_full_after_a_commit_loses_and_doubles_nothing(
    broker: str, tmp_path: Path
) -> None:
    """The offsets are committed and the store is behind them: it must not go on with that."""
    with borrowed(broker, tmp_path, cycle_records=200) as lab:
        lab.produce(EVENTS[:500])
        worker = lab.start()
        lab.wait_consumed(500)
        largest = max(file.stat().st_size for file in (tmp_path / "data-a").rglob("*.log"))
        room = (largest + 4_096, resource.RLIM_INFINITY)
        resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, room)
        lab.produce(EVENTS[500:])
        lab.wait(lambda: "disk_full" in lab.tail(), "the worker says that the disk is full")
        assert worker.poll() is None
        everything = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, everything)
        lab.wait_consumed(len(EVENTS))
        assert worker.poll() is None
        assert_exact(lab, EVENTS)


def test_a_store_that_another_process_has_open_is_waited_for(broker: str, tmp_path: Path) -> None:
    with borrowed(broker, tmp_path) as lab:
        disk = Disk(tmp_path / "data-a" / lab.group / "lots-0")
        lab.produce(EVENTS[:1_000])
        worker = lab.start()
        lab.wait(lambda: "is open in another process" in lab.tail(), "the worker says so")
        disk.close()
        lab.wait_consumed(1_000)
        assert worker.poll() is None
        assert_exact(lab, EVENTS[:1_000])
