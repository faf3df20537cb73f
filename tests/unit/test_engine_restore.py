"""A disk on its way along a changelog: what it trusts, what it applies, how it fails."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import KafkaError
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.engine.kafka.admin import TopicFacts
from streams.engine.kafka.failures import Fenced, StartPosition, Unreleased
from streams.engine.kafka.positions import UNRELEASED, raise_for
from streams.engine.state.disk import Checkpoint, Disk, DiskFailed
from streams.engine.state.restore import DELETE_RETENTION_MS, Restore
from streams.errors import Transient

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.urs("M4.4")

NOW = 1_700_000_000_000
FACTS = TopicFacts("this", 1, 1, {"delete.retention.ms": "1000000"})
END = KafkaError._PARTITION_EOF
LOST = KafkaError._AUTO_OFFSET_RESET


@dataclass(frozen=True)
class Read:
    """What a feed reads, as far as a restore looks at it."""

    at: int
    k: bytes | None = None
    v: bytes | None = None
    code: int | None = None

    def error(self) -> KafkaError | None:
        return None if self.code is None else KafkaError(self.code)

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return self.k

    def value(self) -> bytes | None:
        return self.v

    def topic(self) -> str:
        return "changelog"

    def partition(self) -> int:
        return 0


def restore(disk: Disk, facts: TopicFacts = FACTS, now: int = NOW) -> Restore:
    return Restore(disk, facts, lambda: now)


@pytest.mark.parametrize(
    ("checkpoint", "facts", "is_kept"),
    [
        (Checkpoint(3, "this", NOW - 499_999), FACTS, True),
        (Checkpoint(3, "this", NOW - 500_001), FACTS, False),
        (Checkpoint(3, "other", NOW), FACTS, False),
        (Checkpoint(3, "this", NOW - DELETE_RETENTION_MS // 3), TopicFacts("this", 1, 1, {}), True),
        (Checkpoint(3, "this", NOW - DELETE_RETENTION_MS), TopicFacts("this", 1, 1, {}), False),
    ],
    ids=["fresh", "older-than-half", "another-topic", "default-fresh", "default-old"],
)
def test_a_disk_that_may_miss_deletions_is_restored_from_the_beginning(
    tmp_path: Path, checkpoint: Checkpoint, facts: TopicFacts, is_kept: bool
) -> None:
    disk = Disk(tmp_path / "d")
    disk.write({b"fired timer": b"1"}, checkpoint)
    begun = restore(disk, facts)
    assert begun.begin == (3 if is_kept else None)
    assert (disk.get(b"fired timer") is not None) == is_kept
    disk.close()


def test_markers_at_the_end_count_and_are_noted(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "d")
    begun = restore(disk)
    assert begun.take([Read(20, b"a", b"1")])  # type: ignore[list-item]
    assert (begun.position, begun.share(22)) == (21, 0.5)
    assert begun.take([Read(22, code=END)])  # type: ignore[list-item]
    assert (begun.position, begun.share(22), begun.records) == (22, 1.0, 1)
    begun.finish()
    assert disk.checkpoint == Checkpoint(22, "this", NOW)
    disk.close()


def test_a_changelog_that_lost_what_comes_next_is_read_from_its_beginning(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "d")
    disk.write({b"a": b"1"}, Checkpoint(5, "this", NOW))
    begun = restore(disk)
    assert not begun.take([Read(5, code=LOST)])  # type: ignore[list-item]
    begun.again()
    assert (begun.begin, begun.position, disk.get(b"a")) == (None, 0, None)
    disk.close()


CHANGES = st.lists(
    st.tuples(st.sampled_from([b"a", b"b", b"\0\1c"]), st.none() | st.binary(max_size=3)),
    max_size=40,
)


@settings(max_examples=25, deadline=None)
@given(CHANGES, st.lists(st.integers(1, 7), max_size=12), st.data())
def test_whatever_the_steps_and_deaths_the_disk_tells_the_last_values(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[bytes, bytes | None]],
    steps: list[int],
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("restore") / "d"
    log = [Read(at, key, value) for at, (key, value) in enumerate(changes)]
    disk = Disk(folder)
    begun = restore(disk)
    for step in [*steps, len(log) + 1]:
        if data.draw(st.booleans()):
            # The process ends; the next one goes on from the checkpoint.
            disk.close()
            disk = Disk(folder)
            begun = restore(disk)
        assert begun.take(log[begun.position :][:step])  # type: ignore[arg-type]
    begun.finish()
    expected = dict(changes)
    assert {key: disk.get(key) for key in expected} == expected
    disk.close()


def test_a_damaged_store_is_restored_from_its_changelog(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "d")
    disk.write({b"a": b"1"}, Checkpoint(5, "this", NOW))
    disk.close()
    (manifest,) = (tmp_path / "d").glob("MANIFEST-*")
    manifest.write_bytes(b"\xff" * 200)
    again = Disk(tmp_path / "d")
    assert (again.checkpoint, again.get(b"a")) == (None, None)
    again.close()


def test_a_store_that_another_has_open_is_waited_for(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "d")
    with pytest.raises(Transient, match="open in another process") as refused:
        Disk(tmp_path / "d")
    assert refused.value.code == "store_locked"
    disk.close()
    Disk(tmp_path / "d").close()


FULL = """
import resource, sys
from pathlib import Path
from streams.engine.state.disk import Checkpoint, Disk, DiskFailed
disk = Disk(Path(sys.argv[1]))
disk.write({b"a": b"before"}, Checkpoint(1, "this", 1))
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
written = 1
try:
    while written < 1000:
        disk.write({b"a": str(written).encode() * 500}, Checkpoint(written + 1, "this", 1))
        written += 1
except DiskFailed as failed:
    print(failed.code, disk.is_failed)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
disk.reopen()
last = str(written - 1).encode() * 500
print(disk.is_failed, disk.checkpoint.position == written, disk.get(b"a") == last)
disk.write({b"a": b"after"}, Checkpoint(2000, "this", 1))
disk.close()
print(Disk(Path(sys.argv[1])).get(b"a"))
"""


def test_a_full_disk_keeps_whole_batches_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "d")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stdout.splitlines() == ["disk_full True", "False True True", "b'after'"], ended


def test_the_fatal_error_of_a_place_that_is_still_taken_passes_by_itself() -> None:
    taken = KafkaError(KafkaError._FATAL, f"Fatal error: {UNRELEASED}: heartbeat", fatal=True)
    with pytest.raises(Unreleased):
        raise_for(taken, Read(0))  # type: ignore[arg-type]
    with pytest.raises(StartPosition):
        raise_for(KafkaError(LOST), Read(0))  # type: ignore[arg-type]


def test_who_is_fenced_is_told_of_both_causes() -> None:
    with pytest.raises(Fenced) as ended:
        raise_for(KafkaError(KafkaError.FENCED_INSTANCE_ID), Read(0))  # type: ignore[arg-type]
    said = str(ended.value)
    assert "Another process runs with the same instance id" in said
    assert "the broker stood still" in said
    assert "one restart is all that is needed" in said


def test_reading_a_failed_disk_says_nothing_about_the_record_at_hand(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "d")
    disk.close()
    with pytest.raises(DiskFailed):
        disk.get(b"a")
    assert disk.is_failed
