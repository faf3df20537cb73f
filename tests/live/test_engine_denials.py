"""A right that is taken away while a worker runs: no record is at fault, so none is set aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from streams.engine import ExitCode
from tests.live import engine_job as job
from tests.live.engine_lab import assert_exact, borrowed, inspections, oracle
from tests.live.own_broker import USERS, security
from tests.live.test_engine_refusals import grant, guarded

if TYPE_CHECKING:
    from pathlib import Path

    from localstack import Stack

pytestmark = pytest.mark.urs("M3.3", "M4.4")

__all__ = ["guarded"]
B = TypeVar("B", AclBinding, AclBindingFilter)
FIRST = inspections(200, lots=10)
SECOND = inspections(400, lots=10, start=200)


def denial(kind: type[B], topic: str) -> B:
    return kind(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        f"User:{USERS[0]}",
        "*",
        AclOperation.WRITE,
        AclPermissionType.DENY,
    )


@pytest.mark.parametrize("output", ["holds", "dead_letters"])
def test_a_right_that_is_taken_away_stops_the_worker_and_costs_no_record(
    guarded: tuple[Stack, str],
    tmp_path: Path,
    output: str,
) -> None:
    stack, secured = guarded
    with borrowed(stack.broker.bootstrap, tmp_path) as lab:
        grant(lab)
        lab.changes |= {"bootstrap": secured, "security": security(USERS[0])}
        worker = lab.start(USERS[0])
        lab.produce(FIRST)
        lab.wait_consumed(len(FIRST))
        assert len(lab.holds()) < len(oracle([*FIRST, *SECOND])[1]), "nothing is left to be held"
        topic = lab.name(job.HOLDS) if output == "holds" else lab.dead_letters
        for answer in lab.admin.create_acls([denial(AclBinding, topic)]).values():
            answer.result(timeout=10)
        bad = [job.Inspection("L00001", 10_000, 20, 10, "boom")]
        lab.produce([*SECOND, *bad])
        assert worker.wait(60) == ExitCode.PREFLIGHT
        assert "denied" in lab.tail()
        assert lab.dead() == []
        for answer in lab.admin.delete_acls([denial(AclBindingFilter, topic)]).values():
            assert len(answer.result(timeout=10)) == 1
        lab.start(USERS[0])
        lab.wait_consumed(len(FIRST) + len(SECOND) + 1)
        assert_exact(lab, [*FIRST, *SECOND])
        assert len(lab.dead()) == 1
