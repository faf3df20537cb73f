"""State of an earlier release is read through upcasters; an earlier release refuses later state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.engine import ExitCode, read_compacted
from tests.live import engine_job as job
from tests.live import evolution_job as later
from tests.live.engine_lab import PARTITIONS, borrowed, inspections, oracle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.engine_lab import Lab

pytestmark = pytest.mark.urs("M4.5", "M4.4")

FIRST = inspections(400, lots=60)
SECOND = inspections(300, lots=30, start=400)


def stored(lab: Lab) -> dict[bytes, bytes]:
    """What the changelog holds of users' keys."""
    found: dict[bytes, bytes] = {}
    for number in range(PARTITIONS):
        found |= read_compacted(lab.connection, f"{lab.group}-lots-changelog", number)
    return {key: value for key, value in found.items() if not key.startswith(b"\0")}


def test_state_goes_up_and_never_down(broker: str, tmp_path: Path) -> None:
    with borrowed(broker, tmp_path) as lab:
        lab.module = "tests.live.evolution_job"
        lab.produce(FIRST)
        worker = lab.start(ENGINE_TEST_BUILD="1")
        lab.wait_consumed(len(FIRST))
        lab.stop(worker)
        before = stored(lab)

        # A changed schema under the same number, and a rename without an upcaster, begin nothing.
        lab.produce(SECOND)
        assert lab.start(ENGINE_TEST_BUILD="changed").wait(30) == ExitCode.PREFLIGHT
        assert lab.start(ENGINE_TEST_BUILD="broken").wait(30) == ExitCode.STATE_NEWER
        assert "upcaster" in lab.tail()
        assert (stored(lab), lab.consumed()) == (before, len(FIRST))

        worker = lab.start(ENGINE_TEST_BUILD="2")
        everything = [*FIRST, *SECOND]
        lab.wait_consumed(len(everything))
        lab.stop(worker)
        codec = job.codec(lab.connection, lab.folder / "registry.json")
        states, holds = oracle(everything)
        found = [(hold.lot, hold.source_seq) for hold in lab.holds()]
        assert (sorted(found), len(set(found))) == (sorted(holds), len(found))
        touched = {event.lot for event in SECOND}
        for key, value in stored(lab).items():
            lot = key.decode()
            # What no rule has changed since keeps its bytes.
            assert (value == before.get(key)) == (lot not in touched)
            state, expected = codec.decode(later.LATER.topic, value), states[lot]
            assert (state.seq, state.n, state.failures, state.held) == (
                expected.seq, expected.n, expected.fails, expected.held,
            )  # fmt: skip
            assert (state.last_value == -1) == (lot not in touched)
        assert len(states) == len(stored(lab))

        # Back to the first release: it would lose what it does not know.
        lab.produce(inspections(50, lots=60, start=700))
        for instance in ("a", "b"):  # with its own disk, and from the changelog alone
            kept = stored(lab)
            assert lab.start(instance, ENGINE_TEST_BUILD="1").wait(40) == ExitCode.STATE_NEWER
            assert "written by build '2' with version 2" in lab.tail()
            assert (stored(lab), lab.consumed()) == (kept, len(everything))


def test_an_earlier_release_begins_nowhere_if_any_partition_has_later_state(
    broker: str, tmp_path: Path
) -> None:
    """Only one partition was worked on by the later release; the other has work that waits."""
    with borrowed(broker, tmp_path) as lab:
        lab.module = "tests.live.evolution_job"
        lab.produce(FIRST)
        worker = lab.start(ENGINE_TEST_BUILD="1")
        lab.wait_consumed(len(FIRST))
        lab.stop(worker)
        records = lab.topic_records(lab.inspections)
        homes = {(record.key or b"").decode(): record.partition for record in records}
        later_work = [event for event in SECOND if homes[event.lot] == 1]
        lab.produce(later_work)
        worker = lab.start(ENGINE_TEST_BUILD="2")
        lab.wait_consumed(len(FIRST) + len(later_work))
        lab.stop(worker)

        lab.produce([event for event in SECOND if homes[event.lot] == 0])
        before = stored(lab)
        assert lab.start(ENGINE_TEST_BUILD="1").wait(30) == ExitCode.STATE_NEWER
        assert "the state of lots[1] was written by build '2'" in lab.tail()
        assert (stored(lab), lab.consumed()) == (before, len(FIRST) + len(later_work))


def test_the_first_state_has_the_form_of_its_release(broker: str, tmp_path: Path) -> None:
    with borrowed(broker, tmp_path) as lab:
        lab.module = "tests.live.evolution_job"
        lab.produce(FIRST[:50])
        lab.start(ENGINE_TEST_BUILD="2")
        lab.wait_consumed(50)
        codec = job.codec(lab.connection, lab.folder / "registry.json")
        states = {key: codec.decode(later.LATER.topic, v) for key, v in stored(lab).items()}
        assert {key.decode(): each.n for key, each in states.items()} == {
            lot: each.n for lot, each in oracle(FIRST[:50])[0].items()
        }
        assert job.LOTS.topic.name == later.LATER.topic.name
