"""What the engine asks of the broker, and what it does when the broker goes away."""

from __future__ import annotations

import signal
from contextlib import closing
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, Producer

from streams.contracts.topic_specs import TopicSpec
from streams.engine import (
    Aborted,
    ExitCode,
    Fenced,
    Reader,
    StartPosition,
    Transaction,
    high_watermark,
    preflight,
    provision,
    read_compacted,
    read_partition,
)
from streams.engine.kafka import clients
from streams.engine.kafka.positions import committed
from streams.engine.kafka.reading import undecided
from streams.engine.kafka.topics import unended
from streams.errors import Misconfigured
from streams.runtime.connection import KafkaConnection
from tests.live.engine_lab import assert_exact, borrowed, inspections

if TYPE_CHECKING:
    from pathlib import Path

    from localstack import Stack

pytestmark = pytest.mark.urs("M4.4")

NUMBERS = count(1)
COMPACT = {"cleanup.policy": "compact", "max.message.bytes": "2097152"}


@pytest.fixture
def connection(broker: str) -> KafkaConnection:
    return KafkaConnection(broker, group=f"broker-{next(NUMBERS)}")


def made(connection: KafkaConnection, **config: str) -> str:
    name = f"{connection.group}-{next(NUMBERS)}"
    named = {key.replace("_", "."): value for key, value in config.items()}
    provision(connection, [TopicSpec(name, 1, 1, named)])
    return name


def write(connection: KafkaConnection, topic: str, *pairs: tuple[bytes, bytes | None]) -> None:
    with Transaction(connection, f"{connection.group}-writer") as transaction:
        transaction.begin()
        for key, value in pairs:
            transaction.produce(topic, key, value, [("name", b"value")], partition=0)
        transaction.commit()


def test_provisioning_adds_and_never_changes(connection: KafkaConnection) -> None:
    name = f"{connection.group}-new"
    assert provision(connection, [TopicSpec(name, 2, 1, COMPACT)], create=False) == [name]
    assert provision(connection, [TopicSpec(name, 2, 1, COMPACT)]) == [name]
    assert provision(connection, [TopicSpec(name, 5, 1, {"cleanup.policy": "delete"})]) == []
    facts = preflight(connection, [TopicSpec(name, 2, 1, COMPACT)])[name]
    assert (facts.partitions, facts.config["cleanup.policy"]) == (2, "compact")


@pytest.mark.parametrize(
    ("existing", "wanted", "sentence"),
    [
        (None, {}, "is missing: run `lotgate topology apply`"),
        ({}, {"cleanup.policy": "compact"}, "needed is compact: set cleanup.policy=compact"),
        (
            {"cleanup_policy": "compact"},
            {"cleanup.policy": "delete"},
            "needed is delete: set cleanup.policy=delete",
        ),
        (
            {"max_message_bytes": "1000"},
            {"max.message.bytes": "2000"},
            "takes records of 1000 bytes, needed are 2000: set max.message.bytes=2000",
        ),
    ],
    ids=["missing", "not-compacted", "compacted", "too-small"],
)
def test_preflight_says_what_to_change(
    connection: KafkaConnection,
    existing: dict[str, str] | None,
    wanted: dict[str, str],
    sentence: str,
) -> None:
    name = "nowhere" if existing is None else made(connection, **existing)
    with pytest.raises(Misconfigured) as refused:
        preflight(connection, [TopicSpec(name, 1, 1, wanted)])
    assert f"{name} " in str(refused.value)
    assert sentence in str(refused.value)


def test_preflight_refuses_too_few_copies_and_too_long_transactions(broker: str) -> None:
    strict = KafkaConnection(broker, group="strict", replication_factor=3, min_insync=2)
    name = made(KafkaConnection(broker, group="strict"))
    with pytest.raises(Misconfigured) as refused:
        preflight(strict, [TopicSpec(name, 1, 3)], transaction_timeout_ms=3_600_000)
    told = str(refused.value)
    assert f"{name} has 1 copies, the setting demands 3" in told
    assert "set min.insync.replicas=2" in told
    assert "set transaction.max.timeout.ms=3600000" in told


def test_a_worker_refuses_topics_that_are_wrong_or_missing(broker: str, tmp_path: Path) -> None:
    with borrowed(broker, tmp_path, group=f"uneven-{next(NUMBERS)}") as lab:
        # The group that the worker is told of has topics of its own making.
        group = lab.changes["group"]
        other = KafkaConnection(broker, group=group)
        provision(
            other,
            [
                TopicSpec(f"{group}-inspections", 2, 1),
                TopicSpec(f"{group}-lots-changelog", 3, 1, {"cleanup.policy": "delete"}),
            ],
        )
        assert lab.start().wait(30) == ExitCode.PREFLIGHT
        told = lab.tail()
        assert "set cleanup.policy=compact" in told
        assert f"topic {group}-holds is missing" in told
        assert f"topic dlq.{group} is missing" in told


def test_a_reader_goes_on_where_its_transactions_committed(connection: KafkaConnection) -> None:
    source, target = made(connection), made(connection)
    write(connection, source, *((b"k", str(n).encode()) for n in range(10)))
    for expected in (5, 10):
        with (
            Reader(connection, "readers", [source]) as reader,
            Transaction(connection, "copier") as transaction,
        ):
            taken: list[Any] = []
            while len(taken) < 5:
                taken += reader.poll(1.0, max_records=5 - len(taken))
            transaction.begin()
            for record in taken:
                transaction.produce(target, record.key, record.value, record.headers)
            transaction.send_offsets(reader.positions, reader.group_metadata())
            transaction.commit()
            # What was read and not committed is read again by the next one.
            reader.poll(1.0, max_records=1)
        copied = [r for r in read_partition(connection, target, 0) if r is not None]
        assert [r.value for r in copied] == [str(n).encode() for n in range(expected)]
        assert copied[0].header("name") == b"value"


def test_a_reader_takes_positions_kept_elsewhere_and_can_be_told_to_refuse(
    connection: KafkaConnection,
) -> None:
    topic = made(connection)
    write(connection, topic, *((b"k", str(n).encode()) for n in range(5)))
    with Reader(
        connection, "elsewhere", [topic], start_positions=lambda _: {(topic, 0): 3}
    ) as reader:
        found: list[Any] = []
        while len(found) < 2:
            found += reader.poll(1.0)
        assert [r.value for r in found] == [b"3", b"4"]
        assert reader.positions == {(topic, 0): 5}
        reader.seek((topic, 0), 4)
        assert [r.value for r in reader.poll(5.0)] == [b"4"]
    with (
        Reader(connection, "refusing", [topic], start="refuse") as reader,
        pytest.raises(StartPosition, match="has no position"),
    ):
        _polled(reader)


def _polled(reader: Reader) -> None:
    for _ in range(100):
        reader.poll(0.1)


def _written(transaction: Transaction, topic: str, value: bytes) -> None:
    transaction.begin()
    transaction.produce(topic, b"k", value)
    transaction.commit()


def test_a_newer_transaction_of_the_same_name_fences_the_older(
    connection: KafkaConnection,
) -> None:
    topic = made(connection)
    with Transaction(connection, "one") as old, Transaction(connection, "one") as new:
        with pytest.raises(Fenced):
            _written(old, topic, b"old")
        new.begin()
        new.produce(topic, b"k", b"new")
        new.commit()
    assert [r.value for r in read_partition(connection, topic, 0) if r] == [b"new"]


def test_an_aborted_transaction_is_invisible_and_the_next_one_works(
    connection: KafkaConnection,
) -> None:
    topic = made(connection)
    with Transaction(connection, "aborting") as transaction:
        transaction.begin()
        transaction.produce(topic, b"k", b"lost")
        transaction.flush()
        transaction.abort()
        with pytest.raises(Aborted) as gone:
            _written(transaction, topic, b"x" * 5_000_000)
        assert gone.value.record_fault
        with pytest.raises(Misconfigured, match="without positions"):
            transaction.send_offsets({}, None)
        transaction.begin()
        transaction.produce(topic, b"k", b"kept")
        transaction.commit()
    assert [r.value for r in read_partition(connection, topic, 0) if r] == [b"kept"]


def test_a_compacted_topic_is_read_to_its_end_past_an_open_transaction(
    connection: KafkaConnection,
) -> None:
    topic = made(connection, cleanup_policy="compact")
    write(connection, topic, (b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"b", None))
    with Transaction(connection, "late", timeout_ms=5_000) as late:
        late.begin()
        late.produce(topic, b"c", b"3")
        late.flush()
        behind = Producer({"bootstrap.servers": connection.bootstrap})
        behind.produce(topic, b"4", b"d")
        behind.flush()
        assert high_watermark(connection, topic, 0) >= 6
        late.commit()
    assert read_compacted(connection, topic, 0) == {b"a": b"2", b"c": b"3", b"d": b"4"}


def test_what_a_lost_transaction_touched_is_ended_in_compacted_topics_too(
    connection: KafkaConnection,
) -> None:
    topic = f"{connection.group}-lost"
    spec = TopicSpec(topic, 1, 1, {"cleanup.policy": "compact"})
    assert provision(connection, [spec]) == [topic]
    with Transaction(connection, "lost", timeout_ms=60_000) as transaction:
        transaction.begin()
        transaction.produce(topic, b"a", b"never seen", partition=0)
        transaction.flush()
        transaction._discard_producer()
        transaction.settle()
        assert transaction._traces.are_ended, "what was lost is not known to be ended"
        transaction.begin()
        transaction.produce(topic, b"b", b"seen", partition=0)
        transaction.commit()
    assert read_compacted(connection, topic, 0) == {b"b": b"seen"}


def test_who_starts_anew_ends_what_may_be_open_and_nobody_elses(
    connection: KafkaConnection,
) -> None:
    topic = f"{connection.group}-open"
    assert provision(connection, [TopicSpec(topic, 2, 1, {"cleanup.policy": "compact"})]) == [topic]
    assert unended(connection, {topic: 2}) == []
    with Transaction(connection, "other", timeout_ms=60_000) as other:
        other.begin()
        other.produce(topic, b"a", b"other's", partition=1)
        other.flush()
        assert unended(connection, {topic: 2}) == [(topic, 1)]
        with Transaction(connection, "anew", timeout_ms=60_000) as anew:
            anew.end_at([(topic, 1)])
            assert anew._traces.are_ended
            assert unended(connection, {topic: 2}) == [(topic, 1)], "the other one is still at work"
            anew.begin()
            anew.produce(topic, b"b", b"anew", partition=1)
            anew.commit()
        other.commit()
    assert unended(connection, {topic: 2}) == []
    assert read_compacted(connection, topic, 1) == {b"a": b"other's", b"b": b"anew"}


def test_who_starts_anew_leaves_the_groups_positions_as_they_are(
    connection: KafkaConnection,
) -> None:
    topic, group = f"{connection.group}-read", connection.group
    assert provision(connection, [TopicSpec(topic, 1, 1, {})]) == [topic]
    assert undecided(connection, group, [(topic, 0)]) is None
    member = Consumer(clients.consumer(connection, group))
    with closing(member), Transaction(connection, "other", timeout_ms=60_000) as other:
        other.begin()
        other.send_offsets({(topic, 0): 7}, member.consumer_group_metadata())
        open_ones = undecided(connection, group, [(topic, 0)])
        assert open_ones is not None
        with Transaction(connection, "anew", timeout_ms=60_000) as anew:
            anew.end_at([], open_ones)
            assert anew._traces.are_ended
        assert undecided(connection, group, [(topic, 0)]) is not None, "the other is still at work"
        other.commit()
        assert undecided(connection, group, [(topic, 0)]) is None
        assert committed(member, [(topic, 0)]) == {(topic, 0): 7}


def test_a_broker_that_is_killed_and_comes_back_loses_nothing(
    broker: str, stack: Stack, tmp_path: Path
) -> None:
    events = inspections(3_000)
    with borrowed(broker, tmp_path, cycle_records=100) as lab:
        worker = lab.start()
        lab.produce(events[:1_500])
        lab.wait_consumed(300)
        stack.kill("broker", signal.SIGKILL)
        stack.start("broker")
        lab.produce(events[1_500:])
        lab.wait_consumed(len(events), seconds=60)
        assert worker.poll() is None, "the worker should have waited for the broker"
        assert_exact(lab, events)
