"""The hold stages on the real engine: a history in any order, a kill, and a rewound group."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streams.contracts.provenance import HEADER, read
from streams.contracts.topics import HOLD_COMMANDS, NONCONFORMITIES
from streams.model.envelope import Transform
from streams.model.facts import Nonconformity
from tests.laws.hold_checks import assert_commands_are_sound
from tests.laws.hold_facts import edge, inspection, lot, nonconformity
from tests.laws.hold_histories import shuffled
from tests.laws.hold_oracle import Fact, Oracle
from tests.live.hold_lab import HoldLab

SIZE = 60


@pytest.fixture
def lab(broker: str, tmp_path: Path) -> Iterator[HoldLab]:
    lab = HoldLab(broker, tmp_path, f"hold-{os.getpid()}")
    try:
        yield lab
    except BaseException:
        sys.stderr.write(lab.log.read_text(errors="replace")[-4_000:])
        raise
    finally:
        lab.end()


def history(dice: random.Random) -> list[Fact]:
    """A plant with cycles, lots of one number, causes that end, and some that do not."""
    names = [f"{n}@M" for n in range(SIZE)]
    twins = [f"{n}@K" for n in range(5)]
    facts: list[Fact] = [lot(name) for name in (*names[:-3], *twins)]
    pairs = {(dice.choice(names), dice.choice(names)) for _ in range(SIZE)}
    facts += [edge(parent, child) for parent, child in sorted(pairs)]
    for n in range(8):
        by_number = str(dice.randrange(5))
        named = (dice.choice(names), by_number)
        facts.append(nonconformity(f"N{n}", 1, named, severity=dice.choice(("major", "minor"))))
        if n % 2:
            signed = n % 4 == 1
            facts.append(nonconformity(f"N{n}", 2, named, state="closed", signed=signed))
    facts.append(inspection("I1", 1, (dice.choice(names),)))
    return facts


def made_from_something(fact: Nonconformity) -> Nonconformity:
    """A fact that names a transform; written without its chain, it was stripped on its way."""
    return replace(fact, envelope=replace(fact.envelope, transform=(Transform("oca", "1"),)))


def assert_each_command_tells_its_hops(lab: HoldLab) -> None:
    for record in lab.records(HOLD_COMMANDS):
        hops = read(record.header(HEADER) or b"")
        assert len(hops) >= 3
        assert hops[0].transform.startswith("first/")
        assert hops[-1].transform == "lotgate.hold"
        assert hops[-1].event_id.encode() == record.header("ce_id")


@pytest.mark.urs("M2.5", "M4.1", "M4.4", "X1")
def test_any_order_a_kill_and_a_rewind_end_in_the_held_set_of_the_oracle(lab: HoldLab) -> None:
    dice = random.Random(20260302)
    facts = history(dice)
    oracle = Oracle()
    for fact in facts:
        oracle.see(fact)

    first = lab.start("a")
    delivered = shuffled(facts, dice)
    stripped = made_from_something(nonconformity("N99", 1, ("0@M",)))
    lab.produce([stripped])
    lab.produce(delivered[: len(delivered) // 2])
    lab.wait(lambda: len(lab.commands()) > 10, "the first commands")
    lab.produce(delivered[len(delivered) // 2 :])
    first.kill()
    first.wait(10)
    assert lab.held() != oracle.by_lot(), "killed too late to prove anything"
    lab.start("b")
    lab.start("a")

    lab.wait(lambda: lab.held() == oracle.by_lot(), "the held set of the oracle")
    lab.wait(lab.at_rest, "every input consumed")
    assert lab.held() == oracle.by_lot()
    commands = lab.commands()
    assert len({command.command_id for command in commands}) == len(commands)
    assert_commands_are_sound(commands, facts)
    assert_each_command_tells_its_hops(lab)
    (letter,) = lab.letters()
    assert letter.header("lotgate-dlq-code") == b"provenance_missing"
    assert lab.codec.decode(NONCONFORMITIES, letter.value or b"") == stripped

    lab.stop()
    lab.rewind()
    assert not lab.at_rest()
    lab.start("a")
    lab.wait(lab.at_rest, "every input consumed again")
    assert lab.held() == oracle.by_lot()
    assert lab.commands() == commands
