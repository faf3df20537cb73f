"""What a worker refuses at its start, with a named exit code and what to change."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourcePatternType,
    ResourceType,
)

from streams.engine import ExitCode
from tests.live import engine_job as job
from tests.live.engine_lab import PARTITIONS, assert_exact, borrowed, inspections
from tests.live.own_broker import ACCESS_CONTROL, USERS, own_broker, security

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localstack import Stack

    from tests.live.engine_lab import Lab

pytestmark = pytest.mark.urs("M4.4")

EVENTS = inspections(600)


def test_a_store_with_two_inputs_is_refused(broker: str, tmp_path: Path) -> None:
    with borrowed(broker, tmp_path) as lab:
        assert lab.start(ENGINE_TEST_SECOND_INPUT="1").wait(60) == ExitCode.PREFLIGHT
        assert "store lots has two inputs" in lab.tail()
        assert "re-key both into one topic" in lab.tail()


def test_a_topic_that_keeps_evidence_must_not_be_compacted(broker: str, tmp_path: Path) -> None:
    with borrowed(broker, tmp_path) as lab:
        holds = lab.name(job.HOLDS)
        alter(lab, holds, "cleanup.policy", "compact,delete")
        assert lab.start().wait(60) == ExitCode.PREFLIGHT
        assert f"{holds} has cleanup.policy=compact,delete, needed is delete" in lab.tail()
        assert "set cleanup.policy=delete" in lab.tail()


def test_more_partitions_than_the_state_has_are_refused_at_start(
    broker: str, tmp_path: Path
) -> None:
    with borrowed(broker, tmp_path) as lab:
        first = lab.start()
        lab.produce(EVENTS)
        lab.wait_consumed(len(EVENTS))
        assert lab.stop(first) == 0
        grow(lab)
        assert lab.start().wait(60) == ExitCode.REPARTITIONED
        told = lab.tail()
        assert f"{lab.inspections} has {PARTITIONS + 1} partitions, the state" in told
        assert f"make {lab.inspections} anew with {PARTITIONS} partitions" in told


def test_more_partitions_than_the_state_has_end_every_running_worker(
    broker: str, tmp_path: Path
) -> None:
    often = {"topic.metadata.refresh.interval.ms": 500}
    with borrowed(broker, tmp_path, client=often) as lab:
        workers = [lab.start("a"), lab.start("b")]
        lab.produce(EVENTS)
        lab.wait_consumed(len(EVENTS))
        grow(lab)
        lab.produce(inspections(600, start=600))
        for worker in workers:
            assert worker.wait(60) == ExitCode.REPARTITIONED
        assert lab.position(PARTITIONS) is None, "the new partition was consumed"


def grow(lab: Lab) -> None:
    answers = lab.admin.create_partitions([NewPartitions(lab.inspections, PARTITIONS + 1)])
    for answer in answers.values():
        answer.result(timeout=10)


def alter(lab: Lab, topic: str, name: str, value: str) -> None:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for answer in lab.admin.incremental_alter_configs([resource]).values():
        answer.result(timeout=10)


@contextmanager
def free_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = int(listening.getsockname()[1])
    yield number


@pytest.fixture(scope="module")
def guarded(parts_cache: Path) -> Iterator[tuple[Stack, str]]:
    """A broker that lets in who may come, and the address of its listener for others."""
    with (
        free_port() as port,
        own_broker(parts_cache, ACCESS_CONTROL, secured=port) as stack,
    ):
        yield stack, f"127.0.0.1:{port}"


def test_a_missing_right_is_named_and_refused(guarded: tuple[Stack, str], tmp_path: Path) -> None:
    stack, secured = guarded
    with borrowed(stack.broker.bootstrap, tmp_path) as lab:
        grant(lab)
        lab.produce(EVENTS)
        lab.changes["bootstrap"] = secured
        workers = {}
        for user in USERS[1:]:
            lab.changes["security"] = security(user)
            workers[user] = lab.start(user)
        for user, worker in workers.items():
            assert worker.wait(60) == ExitCode.PREFLIGHT, user
        told = lab.tail()
        assert f"describing topic {lab.inspections} was denied" in told
        holds = lab.name(job.HOLDS)
        assert f"may not WRITE topic {holds}: grant WRITE on topic {holds}" in told
        assert "grant this user READ on the group" in told
        assert "grant this user WRITE and DESCRIBE on the transactional id" in told
        lab.wait(lambda: untouched(lab), "the group is seen to have no position")
        lab.changes["security"] = security(USERS[0])
        lab.start(USERS[0])
        lab.wait_consumed(len(EVENTS))
        assert_exact(lab, EVENTS)


def untouched(lab: Lab) -> bool:
    """Whether the group has no position; False also while its coordinator of a new broker loads."""
    try:
        return [lab.position(number) for number in range(PARTITIONS)] == [None] * PARTITIONS
    except KafkaException:
        return False


TOPIC_RIGHTS = ("READ", "WRITE", "DESCRIBE", "DESCRIBE_CONFIGS")


def grant(lab: Lab) -> None:
    """Give each user all that a worker needs, but for what its name says."""
    holds = lab.name(job.HOLDS)
    topics = (lab.inspections, holds, lab.dead_letters, lab.changelog, f"{lab.group}-control")
    missing = {
        *(("no-topic", lab.inspections, right) for right in TOPIC_RIGHTS),
        ("no-write", holds, "WRITE"),
        ("no-group", lab.group, "READ"),
        *(("no-transactions", f"{lab.group}-", right) for right in ("WRITE", "DESCRIBE")),
    }
    needed = [
        *(("TOPIC", topic, right) for topic in topics for right in TOPIC_RIGHTS),
        ("GROUP", lab.group, "READ"),
        *(("TRANSACTIONAL_ID", f"{lab.group}-", right) for right in ("WRITE", "DESCRIBE")),
    ]
    wanted = [
        binding(user, kind, name, right)
        for user in USERS
        for kind, name, right in needed
        if (user, name, right) not in missing
    ]
    for answer in lab.admin.create_acls(wanted).values():
        answer.result(timeout=10)


def binding(user: str, kind: str, name: str, right: str) -> AclBinding:
    return AclBinding(
        getattr(ResourceType, kind),
        name,
        ResourcePatternType.PREFIXED,
        f"User:{user}",
        "*",
        AclOperation[right],
        AclPermissionType.ALLOW,
    )
