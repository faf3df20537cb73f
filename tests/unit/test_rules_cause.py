"""Which records are causes, and how a cause stands over its versions."""

from __future__ import annotations

import itertools

import pytest

from streams.model.facts import InspectionResult, Nonconformity
from streams.model.messages import CauseMessage, LotMessage
from streams.model.states import CauseState
from streams.rules.hold import cause, route_cause
from tests.laws.hold_facts import inspection, lot_named, nonconformity

pytestmark = pytest.mark.urs("M4.1")


def routed(fact: Nonconformity | InspectionResult) -> CauseMessage | None:
    emits = route_cause.decide(None, fact).emits
    assert len(emits) <= 1
    for message in emits:
        assert isinstance(message, CauseMessage)
        return message
    return None


def after(*facts: Nonconformity | InspectionResult) -> tuple[CauseState, list[LotMessage]]:
    """The state at the end and what the last fact told."""
    state: CauseState | None = None
    told: list[LotMessage] = []
    for fact in facts:
        message = routed(fact)
        assert message is not None
        verdict = cause.decide(state, message)
        state = verdict.state
        told = [emit for emit in verdict.emits if isinstance(emit, LotMessage)]
        assert len(told) == len(verdict.emits)
    assert state is not None
    return state, told


def told_lots(*facts: Nonconformity | InspectionResult) -> dict[str, tuple[bool, str]]:
    found = {}
    for message in after(*facts)[1]:
        assert message.cause is not None
        assert message.root is not None
        found[message.lot_id] = (message.cause.open, message.cause.note)
    return found


L1, L2 = lot_named("1@A"), lot_named("2@A")


@pytest.mark.parametrize(
    ("fact", "is_open", "spreads"),
    [
        (nonconformity("N", 1, ("1@A",), severity="critical"), True, True),
        (nonconformity("N", 1, ("1@A",), severity="major"), True, True),
        (nonconformity("N", 1, ("1@A",), severity="unknown"), True, True),
        (nonconformity("N", 1, ("1@A",), severity="galactic"), True, True),
        (nonconformity("N", 1, ("1@A",), severity="minor"), True, False),
        (nonconformity("N", 1, ("1@A",), state="closed", signed=True), False, True),
        (nonconformity("N", 1, ("1@A",), state="cancelled", severity="minor"), False, False),
        (nonconformity("N", 1, ("1@A",), state="closed", severity="unfounded"), False, False),
        (inspection("I", 1, ("1@A",)), True, True),
    ],
)
def test_a_record_is_a_cause(
    fact: Nonconformity | InspectionResult, is_open: bool, spreads: bool
) -> None:
    message = routed(fact)
    assert message is not None
    assert (message.open, message.spreads) == (is_open, spreads)
    assert message.lots == (L1,)
    assert message.signed == (not is_open and getattr(fact, "signed", False))


@pytest.mark.parametrize(
    "fact",
    [
        nonconformity("N", 1, ("1@A",), state="draft"),
        nonconformity("N", 1, ("1@A",), severity="unfounded"),
        inspection("I", 1, ("1@A",), verdict="accepted"),
        inspection("I", 1, ("1@A",), verdict="pending"),
    ],
)
def test_a_record_is_no_cause(fact: Nonconformity | InspectionResult) -> None:
    assert routed(fact) is None


def test_a_cause_is_named_by_type_system_and_record() -> None:
    of_record, of_inspection = (
        routed(nonconformity("7", 1, ("1@A",))),
        routed(inspection("7", 1, ())),
    )
    assert of_record is not None
    assert of_inspection is not None
    assert of_record.cause_id == "nonconformity:qms:7"
    assert of_inspection.cause_id == "inspection:erp:7"


def test_lots_that_an_edit_strikes_off_are_told_what_is_new_all_the_same() -> None:
    first = nonconformity("N", 1, ("1@A", "2@A"), severity="minor")
    second = nonconformity("N", 2, ("2@A",), severity="major")
    state, told = after(first, second)
    assert state.told.lots == (L1, L2)
    assert [(message.lot_id, message.spreads) for message in told] == [(L1, True), (L2, True)]


def test_playing_a_matter_down_keeps_its_spread() -> None:
    state, told = after(
        nonconformity("N", 1, ("1@A",)), nonconformity("N", 2, ("1@A",), severity="minor")
    )
    assert state.told.spreads
    assert told == []


def test_a_close_without_signature_leaves_the_cause_open_and_says_so() -> None:
    opened = nonconformity("N", 1, ("1@A",))
    unsigned = nonconformity("N", 2, ("1@A",), state="closed")
    signed = nonconformity("N", 3, ("1@A",), state="closed", signed=True)
    assert told_lots(opened, unsigned) == {L1: (True, "closed without signature")}
    assert told_lots(opened, unsigned, signed) == {L1: (False, "")}
    assert told_lots(opened, signed, unsigned) == {}


def test_the_signature_of_the_same_version_ends_it() -> None:
    """A source may keep the version and only add the signature row."""
    opened = nonconformity("N", 1, ("1@A",))
    unsigned = nonconformity("N", 2, ("1@A",), state="closed")
    signed = nonconformity("N", 2, ("1@A",), state="closed", signed=True)
    state, told = after(opened, unsigned, signed)
    assert [message.cause.signature for message in told if message.cause] == [
        "present, not verified"
    ]
    assert state.told.signature == signed.signature


def test_a_cancelled_draft_holds_nothing() -> None:
    assert told_lots(nonconformity("N", 2, ("1@A",), state="cancelled")) == {}


def test_a_reopened_cause_stands_again() -> None:
    opened = nonconformity("N", 1, ("1@A",))
    closed = nonconformity("N", 2, ("1@A",), state="closed", signed=True)
    again = nonconformity("N", 3, ("1@A",))
    assert told_lots(opened, closed, again) == {L1: (True, "")}


def test_unfounded_takes_nothing_back_but_its_signed_close_does() -> None:
    opened = nonconformity("N", 1, ("1@A",))
    closed = nonconformity("N", 3, ("1@A",), state="closed", severity="unfounded", signed=True)
    assert routed(nonconformity("N", 2, ("1@A",), severity="unfounded")) is None
    assert told_lots(opened, closed) == {L1: (False, "")}


def test_a_version_that_only_edits_the_record_tells_nobody() -> None:
    assert told_lots(nonconformity("N", 1, ("1@A",)), nonconformity("N", 2, ("1@A",))) == {}


def test_every_order_of_versions_ends_in_the_same_state() -> None:
    versions = (
        nonconformity("N", 1, ("1@A",), severity="minor"),
        nonconformity("N", 2, ("2@A",), state="closed"),
        nonconformity("N", 3, ("2@A",)),
        nonconformity("N", 4, ("1@A",), state="closed", signed=True),
    )
    ends = {after(*order, order[0])[0] for order in itertools.permutations(versions)}
    assert len(ends) == 1


def test_a_snapshot_tells_nobody_until_the_first_live_version() -> None:
    read = nonconformity("N", 1, ("1@A",), op="r")
    live = nonconformity("N", 2, ("2@A",))
    assert told_lots(read) == {}
    assert told_lots(read, live) == {L1: (True, ""), L2: (True, "")}


def test_a_snapshot_after_live_versions_commands_nothing_by_itself() -> None:
    live = nonconformity("N", 1, ("1@A",))
    read_again = nonconformity("N", 2, ("1@A", "2@A"), op="r")
    later = nonconformity("N", 3, ("1@A",))
    assert told_lots(live, read_again) == {}
    assert told_lots(live, read_again, live) == {}
    assert told_lots(live, read_again, later) == {L1: (True, ""), L2: (True, "")}


def test_a_closed_cause_from_before_the_start_stays_silent() -> None:
    read = nonconformity("N", 1, ("1@A",), op="r")
    closed = nonconformity("N", 2, ("1@A",), state="closed", signed=True)
    assert told_lots(read, closed) == {}
