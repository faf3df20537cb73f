"""Random histories of a small plant, and a network that reorders and repeats what it carries."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from hypothesis import strategies as st

from streams.rules.cases.plant import Plant
from tests.laws.hold_facts import edge, inspection, lot, nonconformity
from tests.laws.hold_oracle import Fact

LOTS = ("1@A", "1@B", "2@A", "3@A", "4@B", "5@B")
NAMES = ("1", "3", *LOTS)
"""Causes also name lots by number only; number 1 is ambiguous."""
DELIVERIES = 20_000
"""Far more than any of these histories needs."""
TARGETS = ("erp", "mes")


@st.composite
def _cause(draw: st.DrawFn, number: str) -> list[Fact]:
    versions: list[Fact] = []
    for version in range(1, draw(st.integers(1, 4)) + 1):
        state = draw(st.sampled_from(("open", "closed", "open", "cancelled", "closed", "draft")))
        versions.append(
            nonconformity(
                number,
                version,
                tuple(draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True))),
                state=state,
                severity=draw(st.sampled_from(("major", "minor", "critical", "unfounded"))),
                signed=state in ("closed", "cancelled") and draw(st.integers(0, 2)) > 0,
            )
        )
    return versions


@st.composite
def _edges(draw: st.DrawFn, *, reversals: bool) -> list[list[Fact]]:
    """One stream per edge: asserted, perhaps taken back, perhaps asserted again."""
    pair = st.tuples(st.sampled_from(LOTS), st.sampled_from(LOTS))
    pairs = draw(st.lists(pair, min_size=2, max_size=9, unique=True))
    found: list[list[Fact]] = []
    for parent, child in pairs:
        stream: list[Fact] = [edge(parent, child)]
        if reversals and draw(st.booleans()):
            stream.append(edge(parent, child, 2, reverse=True))
            if draw(st.booleans()):
                stream.append(edge(parent, child, 3))
        if draw(st.integers(0, 3)) == 0:
            stream.append(edge(parent, child, relation="rework"))
        found.append(stream)
    return found


@st.composite
def histories(draw: st.DrawFn, *, reversals: bool = False) -> list[Fact]:
    """Facts in an order in which the versions of one subject rise, subjects mixed."""
    streams: list[list[Fact]] = [draw(_cause(f"NC{n}")) for n in range(draw(st.integers(1, 3)))]
    if draw(st.integers(0, 3)) == 0:
        streams.append([inspection("I1", 1, (draw(st.sampled_from(LOTS)),))])
    streams.extend(draw(_edges(reversals=reversals)))
    known = draw(st.sets(st.sampled_from(LOTS), min_size=3))
    streams.extend([lot(name)] for name in sorted(known))
    return mixed(streams, random.Random(draw(st.integers(0, 2**32))))


def mixed(streams: Iterable[Sequence[Fact]], dice: random.Random) -> list[Fact]:
    """Interleave streams, each in its own order."""
    waiting = [list(stream) for stream in streams if stream]
    order: list[Fact] = []
    while waiting:
        stream = dice.choice(waiting)
        order.append(stream.pop(0))
        waiting = [stream for stream in waiting if stream]
    return order


def shuffled(facts: Sequence[Fact], dice: random.Random) -> list[Fact]:
    """Any order, versions of one subject included, and some facts twice."""
    again = [fact for fact in facts if dice.random() < 0.4]
    order = [*facts, *again]
    dice.shuffle(order)
    return order


def deliver(plant: Plant, facts: Sequence[Fact], dice: random.Random) -> None:
    """Deliver facts in their order and what follows in any order, some of it twice.

    A message may overtake every other one, also of its own key.
    """
    outside = list(facts)
    between: list[object] = []
    repeats = 60
    for _ in range(DELIVERIES):
        if not outside and not between:
            return
        if outside and (not between or dice.random() < 0.3):
            event: object = outside.pop(0)
        else:
            event = between.pop(dice.randrange(len(between)))
            if repeats and dice.random() < 0.15:
                repeats -= 1
                between.append(event)
        between.extend(plant.handle(event))
    raise AssertionError("the messages never came to rest")
