"""Deaths at work: what a process leaves behind, and what the next one makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.poison.suspects import DEATHS, Suspects
from streams.engine.timers.places import NEVER

if TYPE_CHECKING:
    from pathlib import Path

    from streams.errors import Poison

pytestmark = pytest.mark.urs("M3.3")

HERE = ("a.topic", 2)


def died(folder: Path, first: int, last: int) -> Suspects:
    """A process that died at these records, and the one after it."""
    process = Suspects(folder)
    process.begin(*HERE, first, last)
    process.close()
    return Suspects(folder)


def ranges(suspects: Suspects) -> list[tuple[int, int, int]]:
    return [(each.first, each.last, each.deaths) for each in suspects.about(*HERE)]


def test_who_ends_between_two_batches_leaves_no_suspicion(tmp_path: Path) -> None:
    process = Suspects(tmp_path)
    process.begin(*HERE, 10, 20)
    process.end()
    assert not ranges(Suspects(tmp_path))


def test_the_third_death_at_one_record_condemns_it(tmp_path: Path) -> None:
    suspects = died(tmp_path, 10, 20)
    assert ranges(suspects) == [(10, 20, 1)]
    assert ranges(died(tmp_path, 14, 14)) == [(14, 14, 2)]
    suspects = Suspects(tmp_path)
    assert suspects.refusal(*HERE, 14) is None
    suspects = died(tmp_path, 14, 14)
    refusal = suspects.refusal(*HERE, 14)
    assert refusal is not None
    assert (refusal.code, "a.topic[2]@14" in str(refusal)) == ("crash_loop", True)
    assert suspects.refusal(*HERE, 13) is None
    assert suspects.refusal("a.topic", 1, 14) is None
    # It stays so until what follows from it is committed, whatever dies before.
    assert Suspects(tmp_path).refusal(*HERE, 14) is not None
    suspects.passed("a.topic", 1, 99)
    suspects.passed(*HERE, 14)
    assert ranges(suspects)
    suspects.passed(*HERE, 15)
    assert not ranges(suspects)
    assert not ranges(Suspects(tmp_path))


def test_a_second_killer_does_not_hide_the_first(tmp_path: Path) -> None:
    for first, last in [(10, 20), (14, 14), (14, 14), (17, 17), (17, 17)]:
        died(tmp_path, first, last)
    suspects = died(tmp_path, 17, 17)
    assert suspects.refusal(*HERE, 14) is not None
    assert suspects.refusal(*HERE, 17) is not None


def test_deaths_elsewhere_narrow_nothing(tmp_path: Path) -> None:
    died(tmp_path, 10, 20)
    assert ranges(died(tmp_path, 21, 21)) == [(10, 20, 1), (21, 21, 1)]
    # A death that was no rule's leaves the count as it is.
    assert ranges(Suspects(tmp_path)) == [(10, 20, 1), (21, 21, 1)]


NAME = (1_000).to_bytes(8) + b"a key\0\0remind"


def died_firing(folder: Path, due_us: int, name: bytes = NAME) -> Suspects:
    """A process that died while one timer fired alone, and the one after it."""
    process = Suspects(folder)
    firing = process.firing(*HERE, due_us, name)
    assert firing.__enter__() is None, "it may be tried"
    process.close()
    return Suspects(folder)


def refusal_of(suspects: Suspects, due_us: int, name: bytes = NAME) -> Poison | None:
    with suspects.firing(*HERE, due_us, name) as refusal:
        return refusal


def test_the_third_death_at_one_timer_condemns_it(tmp_path: Path) -> None:
    process = Suspects(tmp_path)
    process.begin_due(*HERE, 5_000)
    process.close()
    assert refusal_of(died_firing(tmp_path, 1_000), 1_000) is None
    suspects = died_firing(tmp_path, 1_000)
    refusal = refusal_of(suspects, 1_000)
    assert refusal is not None
    assert refusal.code == "crash_loop"
    assert refusal_of(suspects, 1_000, NAME + b"er") is None
    assert suspects.refusal(*HERE, 1_000) is None, "it is no record"
    # What is committed of the records says nothing about a timer.
    suspects.passed(*HERE, 99_999)
    suspects.fired(*HERE, 1_000)
    assert refusal_of(suspects, 1_000) is not None
    suspects.fired(*HERE, 1_001)
    assert not ranges(Suspects(tmp_path))


def test_a_timer_that_is_replayed_is_suspected_until_that_is_through(tmp_path: Path) -> None:
    for _ in range(DEATHS):
        died_firing(tmp_path, NEVER)
    suspects = Suspects(tmp_path)
    suspects.fired(*HERE, NEVER)
    assert refusal_of(suspects, NEVER) is not None
    suspects.replayed(*HERE, NAME)
    assert refusal_of(suspects, NEVER) is None


def test_records_and_timers_do_not_narrow_each_other(tmp_path: Path) -> None:
    died(tmp_path, 0, 5_000)
    suspects = died_firing(tmp_path, 1_000)
    assert ranges(suspects) == [(0, 5_000, 1), (1_000, 1_000, 1)]
    suspects.fired(*HERE, 9_999)
    assert ranges(suspects) == [(0, 5_000, 1)]


def test_notes_of_a_build_before_timers_were_suspected_are_read(tmp_path: Path) -> None:
    (tmp_path / "suspects.json").write_bytes(b'[["a.topic",2,14,14,3]]')
    assert Suspects(tmp_path).refusal(*HERE, 14) is not None


@given(notes=st.binary(max_size=600), kept=st.binary(max_size=300))
def test_torn_notes_are_no_suspicion_and_no_stop(
    tmp_path_factory: pytest.TempPathFactory, notes: bytes, kept: bytes
) -> None:
    folder = tmp_path_factory.mktemp("torn")
    (folder / "at-work").write_bytes(notes)
    (folder / "suspects.json").write_bytes(kept)
    suspects = Suspects(folder)
    assert suspects.refusal(*HERE, 1) is None
    suspects.close()


@pytest.mark.parametrize("note", [b"[[1,2,3,4,5]]", b'{"a":1}', b'[["t",0,true,3,1]]', b"[7]"])
def test_notes_of_another_form_are_passed_over(tmp_path: Path, note: bytes) -> None:
    (tmp_path / "at-work").write_bytes(note)
    assert not ranges(Suspects(tmp_path))


def test_a_condemned_record_needs_as_many_deaths_as_are_said() -> None:
    assert DEATHS == 3
