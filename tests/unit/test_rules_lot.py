"""One lot and its neighbours: commands, ids, the public state."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from streams.errors import Poison
from streams.model.hold import CauseRef, HoldCommand, HoldState, HoldStatus, Prior
from streams.model.ids import derived_id
from streams.model.messages import LotMessage
from streams.rules.cases.plant import Plant
from streams.rules.hold import lot as rule
from tests.laws.hold_facts import ack, edge, envelope, lot, lot_named, nonconformity
from tests.laws.hold_oracle import Fact

pytestmark = pytest.mark.urs("M4.1")

NC1 = "nonconformity:qms:N1"


def plant(*facts: Fact, targets: tuple[str, ...] = ("erp",)) -> Plant:
    made = Plant(targets)
    for fact in facts:
        assert made.run([fact])
    return made


def commands(made: Plant, name: str) -> list[HoldCommand]:
    return [command for command in made.commands if command.lot_id == lot_named(name)]


def view(made: Plant, name: str) -> HoldState:
    return [state for state in made.states if state.lot_id == lot_named(name)][-1]


def opened(number: str = "N1", lots: tuple[str, ...] = ("1@A",), version: int = 1) -> Fact:
    return nonconformity(number, version, lots)


def closed(number: str = "N1", version: int = 2, *, signed: bool = True) -> Fact:
    return nonconformity(number, version, ("1@A",), state="closed", signed=signed)


def test_a_known_lot_that_is_named_is_held_once() -> None:
    made = plant(lot("1@A", disposition="In-Process", place="INSP"), opened(), opened("N2"))
    [command] = made.commands
    assert (command.action, command.target, command.hold_version) == ("hold", "erp", 1)
    assert command.command_id == derived_id(NC1, lot_named("1@A"), "hold", "erp", 1)
    assert command.hold_id == command.command_id == command.envelope.event_id
    assert (command.material, command.number) == ("A", "1")
    assert command.prior == Prior("In-Process", "INSP")
    assert command.reason == "nonconformity:qms:N1 names this lot"
    assert len(view(made, "1@A").causes) == 2


def test_latency_and_thread_of_a_command_are_those_of_the_root_event() -> None:
    fact = opened()
    [command] = plant(lot("1@A"), edge("1@A", "2@A"), lot("2@A"), fact).commands[1:]
    assert command.lot_id == lot_named("2@A")
    assert command.envelope.recorded_at == fact.envelope.recorded_at
    assert command.envelope.source == fact.envelope.source
    assert command.envelope.correlation_id == fact.envelope.correlation_id
    assert command.envelope.causation_id == fact.envelope.event_id
    assert command.envelope.transform[0].input_event_ids == (fact.envelope.event_id,)
    assert command.envelope.event_type == "lotgate.inventory.hold_command"


def test_an_unknown_lot_waits_and_is_held_on_arrival() -> None:
    made = plant(opened())
    assert made.commands == []
    assert view(made, "1@A").status == HoldStatus.WAITING
    assert view(made, "1@A").disposition == "Restricted"
    arrival = lot("1@A", 3, arrived=True)
    made.run([arrival])
    [command] = made.commands
    assert command.envelope.recorded_at == arrival.envelope.recorded_at
    assert command.envelope.correlation_id == opened().envelope.correlation_id
    assert view(made, "1@A").status == HoldStatus.HELD


def test_a_live_cause_that_waits_is_served_by_a_snapshot_of_the_lot() -> None:
    assert len(plant(opened(), lot("1@A", op="r")).commands) == 1


def test_the_last_signed_close_gives_back_what_was_there_before() -> None:
    made = plant(lot("1@A", disposition="In-Process", place="INSP"), opened(), opened("N2"))
    made.run([closed("N2")])
    assert len(made.commands) == 1
    made.run([lot("1@A", 2, disposition="UnRestricted", place="OUT")])
    made.run([closed()])
    hold, release = made.commands
    assert (release.action, release.hold_version, release.hold_id) == ("release", 2, hold.hold_id)
    assert release.prior == Prior("In-Process", "INSP")
    assert release.open_causes == ()
    assert release.cause == CauseRef(
        NC1, 2, open=False, direct=True, signature="present, not verified"
    )
    assert "signature: present, not verified" in release.reason
    seen = view(made, "1@A")
    assert (seen.status, seen.disposition, seen.hold_id) == (HoldStatus.FREE, "In-Process", "")


def test_a_close_without_signature_keeps_the_hold_down_to_the_children_and_says_why() -> None:
    made = plant(lot("1@A"), lot("2@A"), edge("1@A", "2@A"), opened(), closed(signed=False))
    assert [command.action for command in made.commands] == ["hold", "hold"]
    for name in ("1@A", "2@A"):
        assert view(made, name).status == HoldStatus.HELD
        assert "was closed without signature" in view(made, name).note
        assert view(made, name).causes[0].note == "closed without signature"
    made.run([closed(version=3)])
    assert [command.action for command in made.commands[2:]] == ["release", "release"]
    assert view(made, "2@A").note == ""


def test_a_second_hold_has_a_new_id_and_a_higher_version() -> None:
    made = plant(lot("1@A"), opened(), closed(), opened(version=3))
    assert [command.hold_version for command in made.commands] == [1, 2, 3]
    assert len({command.command_id for command in made.commands}) == 3
    assert made.commands[2].hold_id == made.commands[2].command_id


def test_new_stock_of_a_held_lot_is_held_again_under_the_same_hold() -> None:
    stock = lot("1@A", 2, arrived=True, place="DOCK")
    made = plant(lot("1@A"), opened(), stock, stock)
    first, again = made.commands
    assert (again.action, again.hold_version) == ("hold", 2)
    assert again.hold_id == first.hold_id
    assert again.command_id != first.command_id
    assert again.prior == first.prior
    assert again.envelope.recorded_at == stock.envelope.recorded_at
    assert "new stock" in again.reason


@pytest.mark.parametrize(
    "fact",
    [
        lot("1@A", 2, arrived=True, op="r"),
        lot("1@A", 2, place="SHELF"),
        edge("9@A", "1@A", op="r"),
        lot("1@A", 1, arrived=True, op="r"),
    ],
)
def test_snapshots_and_mere_changes_command_nothing(fact: Fact) -> None:
    made = plant(lot("1@A"), opened())
    made.run([fact])
    assert len(made.commands) == 1


def test_arrival_of_free_stock_commands_nothing() -> None:
    assert plant(lot("1@A"), lot("1@A", 2, arrived=True)).commands == []


def test_each_target_has_its_own_command_and_hold_id() -> None:
    made = plant(lot("1@A"), opened(), closed(), targets=("erp", "wms"))
    holds = {command.target: command.hold_id for command in made.commands[:2]}
    releases = {command.target: command.hold_id for command in made.commands[2:]}
    assert holds == releases
    assert len(set(holds.values())) == 2


def test_a_read_back_changes_the_public_state_and_nothing_else() -> None:
    made = plant(lot("1@A"), opened(), targets=("erp", "wms"))
    erp, wms = made.commands
    made.run([ack(erp, "contained"), ack(wms, "in_flight")])
    assert view(made, "1@A").last_result == "in_flight"
    made.run([ack(wms, "contained", second=9), ack(wms, "partial", second=3)])
    assert view(made, "1@A").last_result == "contained"
    sent = len(made.states)
    made.run([ack(erp, "stale_ignored", second=20), ack(erp, "contained")])
    assert len(made.states) == sent
    assert len(made.commands) == 2


def test_a_lot_that_no_cause_held_has_no_public_state() -> None:
    assert plant(lot("1@A"), edge("1@A", "2@A"), lot("1@A", 2, arrived=True)).states == []


def test_public_states_have_ids_of_their_own_in_order() -> None:
    made = plant(lot("1@A"), opened(), opened("N2"), closed(), closed("N2"))
    assert [state.envelope.subject_version for state in made.states] == [1, 2, 3, 4]
    assert made.states[-1].envelope.event_id == derived_id("hold_state", lot_named("1@A"), 4)
    assert made.states[-1].envelope.recorded_at - opened().envelope.recorded_at == timedelta(
        minutes=1
    )


def test_a_close_that_nobody_signed_cannot_be_smuggled_past_the_cause_stage() -> None:
    held = plant(lot("1@A"), opened()).lots[lot_named("1@A")]
    ref = replace(held.causes[0].ref, version=9, open=False, signature="")
    forged = LotMessage(held.lot_id, "cause", cause=ref, root=envelope("forged", "N1", 9))
    verdict = rule.decide(held, forged, ("erp",))
    assert verdict.state == held
    assert verdict.emits == ()


@pytest.mark.parametrize("kind", ["lot", "child", "parent", "cause", "ack", "rumour"])
def test_a_message_without_its_part_is_refused(kind: str) -> None:
    with pytest.raises(Poison) as refused:
        rule.decide(None, LotMessage(lot_named("1@A"), kind), ("erp",))
    assert refused.value.code == "incomplete_lot_message"
