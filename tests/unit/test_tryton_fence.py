"""The fencing number in the notes of a lot."""

from __future__ import annotations

import pytest

from connectors.sinks.tryton.fence import Mark, Stale, marks_in, must_write, note_of
from streams.errors import Poison
from streams.model.hold import HoldAction
from tests.live.tryton_goods import command

pytestmark = pytest.mark.urs("M4.1", "M4.4")

HOLD = command("1", hold="h")
RELEASE = command("1", action=HoldAction.RELEASE, version=2, hold="h")


def test_a_note_is_read_back_as_it_was_written() -> None:
    (mark,) = marks_in([note_of(RELEASE)])
    assert mark == Mark(2, "release", "h", RELEASE.command_id)
    assert "Signature: present, not verified" in note_of(RELEASE)
    assert "Signature" not in note_of(HOLD)
    assert HOLD.reason in note_of(HOLD)


def test_notes_of_people_are_passed_over() -> None:
    notes = ["looks wet", "", "see: Lotgate version=9 action=hold hold=h command=c", "Lotgate"]
    assert marks_in(notes) == ()
    assert len(marks_in([note_of(HOLD).replace("\n", "\r\n")])) == 1


def test_versions() -> None:
    held, released = marks_in([note_of(HOLD)]), marks_in([note_of(HOLD), note_of(RELEASE)])
    assert must_write((), HOLD)
    assert not must_write(held, HOLD)
    assert must_write(held, RELEASE)
    with pytest.raises(Stale):
        must_write(released, HOLD)


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (command("1", version=2, hold="h"), "erp_version_conflict"),
        (command("1", version=2, action=HoldAction.RELEASE, hold="x"), "erp_version_conflict"),
        (command("1", version=3, hold="h"), "erp_hold_released"),
    ],
)
def test_contradictions_are_refused(order: object, code: str) -> None:
    marks = marks_in([note_of(HOLD), note_of(RELEASE)])
    with pytest.raises(Poison) as refused:
        must_write(marks, order)  # type: ignore[arg-type]
    assert refused.value.code == code
    assert refused.value.advice
