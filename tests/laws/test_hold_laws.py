"""Laws of the hold: what is held depends on what happened, never on how it was delivered."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.model.facts import GenealogyEdge, Nonconformity
from streams.model.hold import HoldAction, HoldStatus
from streams.rules.cases.plant import Plant
from tests.laws.hold_checks import assert_commands_are_sound
from tests.laws.hold_facts import edge, inspection, lot, nonconformity
from tests.laws.hold_histories import TARGETS, deliver, histories, shuffled
from tests.laws.hold_oracle import Fact, Held, Oracle, ever_edges, live_edges, open_seeds

pytestmark = pytest.mark.urs("M4.1", "X1", "X7")

SEEDS = st.integers(0, 2**32)
LAW = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def held(plant: Plant) -> Held:
    """Open causes by lot, as the rules see them."""
    by_lot = {
        lot: frozenset(cause.ref.cause_id for cause in state.causes if cause.ref.open)
        for lot, state in plant.lots.items()
    }
    return {lot: causes for lot, causes in by_lot.items() if causes}


def live_through(plant: Plant, facts: list[Fact]) -> None:
    """Deliver each fact after all that the one before it caused."""
    for fact in facts:
        assert plant.run([fact])


def expected(facts: list[Fact]) -> Held:
    oracle = Oracle()
    for fact in facts:
        oracle.see(fact)
    return oracle.by_lot()


def assert_lots_follow_their_causes(plant: Plant) -> None:
    """At rest: held where known and Restricted, waiting where not known, free else."""
    stated = {view.lot_id: view for view in plant.states}
    for lot_id, state in plant.lots.items():
        restricted = any(cause.ref.open for cause in state.causes)
        assert state.held == (restricted and state.known)
        view = stated.get(lot_id)
        if view is None:
            assert not restricted
            continue
        assert (view.disposition == "Restricted") == restricted
        assert (view.status == HoldStatus.FREE) == (not restricted)
        assert view.causes == tuple(cause.ref for cause in state.causes)


@LAW
@given(histories(), SEEDS, SEEDS)
def test_order_and_repetition_never_change_what_is_held(
    facts: list[Fact], seed: int, other_seed: int
) -> None:
    ends = []
    for dice in (random.Random(seed), random.Random(other_seed)):
        plant = Plant(TARGETS)
        deliver(plant, shuffled(facts, dice), dice)
        assert_commands_are_sound(plant.commands, facts)
        assert_lots_follow_their_causes(plant)
        ends.append(held(plant))
    assert ends[0] == ends[1] == expected(facts)


@LAW
@given(histories(reversals=True), SEEDS)
def test_held_is_the_closure_and_who_was_held_over_an_edge_taken_back(
    facts: list[Fact], seed: int
) -> None:
    plant, oracle, dice = Plant(TARGETS), Oracle(), random.Random(seed)
    for fact in facts:
        deliver(plant, [fact], dice)
        oracle.see(fact)
        assert held(plant) == oracle.by_lot()
        assert_lots_follow_their_causes(plant)
    assert_commands_are_sound(plant.commands, facts)


@LAW
@given(histories(reversals=True), SEEDS)
def test_in_any_order_edges_taken_back_never_hold_less_than_the_closure(
    facts: list[Fact], seed: int
) -> None:
    plant, dice = Plant(TARGETS), random.Random(seed)
    deliver(plant, shuffled(facts, dice), dice)
    seen = held(plant)
    for lot_id, causes in closure(facts, live_edges(facts)).items():
        assert causes <= seen.get(lot_id, frozenset())
    most = closure(facts, ever_edges(facts))
    for lot_id, causes in seen.items():
        assert causes <= most.get(lot_id, frozenset())
    assert_commands_are_sound(plant.commands, facts)
    assert_lots_follow_their_causes(plant)


def closure(facts: list[Fact], edges: set[tuple[str, str]]) -> Held:
    """The held set if exactly these edges had always stood."""
    standing = [edge_of(pair) for pair in sorted(edges)]
    others = [fact for fact in facts if not isinstance(fact, GenealogyEdge)]
    return expected([*standing, *others])


def edge_of(pair: tuple[str, str]) -> Fact:
    parent, child = pair
    return replace(edge("1@A", "1@B"), parent_lot_id=parent, child_lot_id=child)


@pytest.mark.urs("M4.4")
@LAW
@given(histories(reversals=True), SEEDS)
def test_a_history_seen_again_commands_nothing_and_says_nothing(
    facts: list[Fact], seed: int
) -> None:
    plant, dice = Plant(TARGETS), random.Random(seed)
    live_through(plant, facts)
    commands, states, end = list(plant.commands), list(plant.states), dict(plant.lots)
    again = list(facts)
    dice.shuffle(again)
    plant.run(again)
    assert (plant.commands, plant.states) == (commands, states)
    assert plant.lots == end


@pytest.mark.urs("M4.4")
@LAW
@given(histories(reversals=True))
def test_equal_histories_give_equal_commands(facts: list[Fact]) -> None:
    one, other = Plant(TARGETS), Plant(TARGETS)
    live_through(one, facts)
    live_through(other, facts)
    assert one.commands == other.commands
    assert one.states == other.states
    assert len({state.envelope.event_id for state in one.states}) == len(one.states)


@LAW
@given(histories(), SEEDS)
def test_a_snapshot_commands_nothing_and_the_next_live_version_commands_all(
    facts: list[Fact], seed: int
) -> None:
    dice = random.Random(seed)
    read = [snapshot(fact) for fact in facts]
    plant = Plant(TARGETS)
    deliver(plant, read, dice)
    assert plant.commands == []
    assert plant.states == []
    assert held(plant) == {}
    live: list[Fact] = [
        nonconformity(number, 50, ("5@B",))
        for number in sorted({fact.nc_id for fact in facts if isinstance(fact, Nonconformity)})
    ]
    deliver(plant, live, dice)
    own = {f"nonconformity:qms:{fact.nc_id}" for fact in live if isinstance(fact, Nonconformity)}
    wanted = {
        lot_id: causes & own for lot_id, causes in expected([*read, *live]).items() if causes & own
    }
    assert held(plant) == wanted


def snapshot(fact: Fact) -> Fact:
    source = replace(fact.envelope.source, op="r")
    return replace(fact, envelope=replace(fact.envelope, source=source))


@pytest.mark.parametrize("seed", range(5))
def test_a_deep_and_cyclic_genealogy_is_walked_once(seed: int) -> None:
    dice = random.Random(seed)
    names = [f"{n}@M" for n in range(60)]
    chain: list[Fact] = [edge(a, b) for a, b in zip(names, [*names[1:], names[0]], strict=True)]
    across: list[Fact] = [edge(dice.choice(names), dice.choice(names)) for _ in range(60)]
    facts: list[Fact] = [*chain, *across, *(lot(name) for name in names)]
    plant = Plant(("erp",))
    deliver(plant, shuffled([*facts, inspection("I1", 1, (names[0],))], dice), dice)
    assert len(plant.commands) == len(names)
    assert {command.lot_id for command in plant.commands} == set(held(plant))


def test_the_histories_are_not_empty_talk() -> None:
    """The generator reaches what the laws are about, else they would pass for nothing."""
    seen: dict[str, int] = defaultdict(int)

    @settings(max_examples=150, deadline=None, database=None, derandomize=True)
    @given(histories(reversals=True))
    def count(facts: list[Fact]) -> None:
        plant = Plant(TARGETS)
        live_through(plant, facts)
        seen["held"] += any(command.action == HoldAction.HOLD for command in plant.commands)
        seen["released"] += any(c.action == HoldAction.RELEASE for c in plant.commands)
        seen["several causes"] += any(len(causes) > 1 for causes in held(plant).values())
        seen["through genealogy"] += any(
            cause.ref.depth > 1 for state in plant.lots.values() for cause in state.causes
        )
        seen["by number"] += any("several lots" in state.note for state in plant.states)
        seen["taken back"] += any("taken back" in state.note for state in plant.states)
        seen["unsigned"] += any("without signature" in state.note for state in plant.states)
        seen["waiting"] += any(state.status == HoldStatus.WAITING for state in plant.states)
        seen["open seeds"] += bool(open_seeds(facts))

    count()
    assert {name: times for name, times in seen.items() if times < 5} == {}
