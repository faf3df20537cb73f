"""A hold goes to everything made from the lot, and to every lot of a number."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.model.hold import HoldCommand, HoldState, HoldStatus
from streams.model.messages import LotMessage
from streams.rules.cases.plant import Plant
from streams.rules.hold import lot as rule
from tests.laws.hold_facts import edge, inspection, lot, lot_named, nonconformity
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


def test_a_minor_cause_stays_with_the_named_lot() -> None:
    fact = nonconformity("N1", 1, ("1@A",), severity="minor")
    made = plant(lot("1@A"), lot("2@A"), edge("1@A", "2@A"), fact)
    assert {command.lot_id for command in made.commands} == {lot_named("1@A")}


def test_two_paths_to_one_lot_give_one_command() -> None:
    made = plant(
        *(lot(f"{n}@A") for n in range(1, 5)),
        edge("1@A", "2@A"),
        edge("1@A", "3@A"),
        edge("2@A", "4@A"),
        edge("3@A", "4@A"),
        opened(),
    )
    [command] = commands(made, "4@A")
    assert command.cause.depth == 2
    assert command.cause.from_lot == lot_named("2@A")
    assert command.reason.endswith("through ulm/A/2, 2 steps from it")


def test_a_late_edge_carries_the_hold_with_the_time_of_the_edge() -> None:
    late = edge("1@A", "2@A", 7)
    made = plant(lot("1@A"), lot("2@A"), opened(), late)
    [command] = commands(made, "2@A")
    assert command.envelope.recorded_at == late.envelope.recorded_at
    assert command.envelope.correlation_id == opened().envelope.correlation_id


def test_a_version_that_overtook_a_close_still_goes_on_to_the_children() -> None:
    """Else a child that hears the overtaken close by another way would be released for good."""
    parent = plant(lot("1@A"), edge("1@A", "2@A"), opened()).lots[lot_named("1@A")]
    ref = replace(parent.causes[0].ref, version=3)
    reopened = LotMessage(parent.lot_id, "cause", cause=ref, spreads=True, root=opened().envelope)
    [onwards] = rule.decide(parent, reopened, ("erp",)).emits[:1]
    assert isinstance(onwards, LotMessage)
    assert onwards.lot_id == lot_named("2@A")
    assert onwards.cause is not None
    assert onwards.cause.version == 3


def test_an_edge_taken_back_releases_nobody_and_asks_for_a_review() -> None:
    facts: list[Fact] = [lot("1@A"), lot("2@A"), edge("1@A", "2@A"), opened()]
    made = plant(*facts, edge("1@A", "2@A", 2, reverse=True))
    assert view(made, "2@A").status == HoldStatus.HELD
    assert "edge was taken back" in view(made, "2@A").note
    made.run([opened("N2")])
    assert [ref.cause_id for ref in view(made, "2@A").causes] == [NC1]
    made.run([closed()])
    assert commands(made, "2@A")[-1].action == "release"
    made.run([opened(version=3)])
    assert view(made, "2@A").status == HoldStatus.FREE


def test_relations_between_the_same_lots_are_edges_of_their_own() -> None:
    made = plant(
        lot("2@A"),
        edge("1@A", "2@A", 1),
        edge("1@A", "2@A", 1, relation="rework"),
        edge("1@A", "2@A", 2, relation="rework", reverse=True),
        opened(),
    )
    assert len(commands(made, "2@A")) == 1


def test_a_renamed_lot_is_held_under_both_names_whatever_the_severity() -> None:
    minor = nonconformity("N1", 1, ("1@A",), severity="minor")
    names = (
        edge("1@A", "11@A", relation="renamed"),
        edge("11@A", "1@A", relation="renamed"),
    )
    made = plant(lot("1@A"), lot("11@A"), lot("2@A"), edge("11@A", "2@A"), *names, minor)
    assert {command.lot_id for command in made.commands} == {lot_named("1@A"), lot_named("11@A")}
    assert all(command.cause.direct for command in made.commands)


def test_a_reversal_that_comes_before_its_edge_wins() -> None:
    made = plant(lot("2@A"), edge("1@A", "2@A", 2, reverse=True), edge("1@A", "2@A"), opened())
    assert commands(made, "2@A") == []


def test_a_number_without_material_waits_and_holds_every_lot_of_the_number() -> None:
    made = plant(opened(lots=("7",)))
    assert view(made, "7").status == HoldStatus.WAITING
    made.run([lot("7@A")])
    [command] = commands(made, "7@A")
    assert command.envelope.causation_id == lot("7@A").envelope.event_id
    assert command.envelope.correlation_id == opened().envelope.correlation_id
    assert "several lots" not in view(made, "7@A").note
    made.run([lot("7@B")])
    assert len(commands(made, "7@B")) == 1
    assert view(made, "7").status == HoldStatus.HELD
    assert commands(made, "7") == []
    assert view(made, "7").note == "stands for every lot with this number: ulm/A/7, ulm/B/7"
    for name in ("7@A", "7@B"):
        assert "several lots have that number: all of them are held" in view(made, name).note
        assert view(made, name).causes[0].direct


def test_a_minor_cause_by_number_reaches_the_lot_and_not_its_children() -> None:
    fact = nonconformity("N1", 1, ("7",), severity="minor")
    made = plant(lot("7@A"), lot("8@A"), edge("7@A", "8@A"), fact)
    assert {command.lot_id for command in made.commands} == {lot_named("7@A")}


def test_a_failed_inspection_holds_the_whole_family() -> None:
    names = [f"{n}@A" for n in range(1, 8)]
    made = plant(
        *(lot(name) for name in names),
        *(edge("1@A", name) for name in names[1:4]),
        edge("2@A", "5@A"),
        edge("3@A", "6@A"),
        edge("4@A", "7@A"),
        lot("99@A"),
        inspection("I7", 1, ("1@A",)),
    )
    assert {command.lot_id for command in made.commands} == {lot_named(name) for name in names}
    assert {command.cause.cause_id for command in made.commands} == {"inspection:erp:I7"}


def test_a_source_without_materials_names_lots_by_number_alone() -> None:
    made = plant(lot("7"), opened(lots=("7",)))
    assert [command.lot_id for command in made.commands] == [lot_named("7")]
    assert (made.commands[0].material, made.commands[0].number) == ("", "7")


def test_news_that_children_need_not_know_stays_here() -> None:
    by_a_shorter_way = edge("1@A", "3@A")
    made = plant(edge("1@A", "2@A"), edge("2@A", "3@A"), edge("3@A", "4@A"), opened())
    assert view(made, "3@A").causes[0].depth == 2
    made.run([by_a_shorter_way])
    assert view(made, "3@A").causes[0].depth == 1
    assert view(made, "4@A").causes[0].depth == 3


def test_an_edge_taken_back_twice_still_carries_the_end_of_its_causes() -> None:
    back = [edge("1@A", "2@A", version, reverse=True) for version in (2, 3)]
    made = plant(lot("1@A"), lot("2@A"), edge("1@A", "2@A"), opened(), *back, closed())
    assert [command.action for command in commands(made, "2@A")] == ["hold", "release"]
