"""Laws of the cycle on generated histories; crashes, decisions and redelivery are generated too."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.engine import FuseLimits, Stage
from streams.engine.poison.fuse import FuseTripped
from streams.engine.testing import POINTS, Driver
from tests.laws.engine_cases import (
    BY_KEY,
    BY_PARTITION,
    CHECKS,
    CUTS,
    DEATHS,
    FAILURES,
    LOT_NAMES,
    LOTS,
    NEVER,
    PARKING,
    PARKING_VIEW,
    Check,
    Lane,
    assert_disk_is_changelog,
    cut,
    histories,
    plain,
    story,
)

pytestmark = pytest.mark.urs("M4.4", "M3.3", "X7")

LAW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FEW = settings(LAW, max_examples=25)
BAD = ("boom", "huge", "bytes", "empty", "no_key")
BAD_KINDS = st.sampled_from(BAD)


def send(driver: Driver, event: Check) -> None:
    """Write a check, or what its kind says in the place of one."""
    good = driver.codec.encode(CHECKS, event)
    raw: dict[str, tuple[bytes | None, bytes | None]] = {
        "bytes": (event.lot.encode(), good[:-1]),
        "empty": (event.lot.encode(), None),
        "no_key": (None, good),
    }
    driver.send_raw(*raw.get(event.kind, (event.lot.encode(), good)))


@pytest.mark.parametrize("stage", [BY_KEY, BY_PARTITION], ids=lambda stage: stage.scope)
@LAW
@given(events=histories("ok", "fail", *BAD), cuts=CUTS)
def test_e4_a_bad_record_costs_itself_and_nothing_else(
    stage: Stage, events: list[Check], cuts: list[int]
) -> None:
    if stage.scope == "partition":
        # A rule that sees the partition needs no key: there is nothing bad about its absence.
        events = [each for each in events if each.kind != "no_key"]
    good = [each for each in events if each.kind not in BAD]
    with Driver(stage, fuse=NEVER) as driver:
        for piece in cut(events, cuts):
            for event in piece:
                send(driver, event)
            driver.settle()
        states, failures = plain(good)
        assert driver.states(LOTS) == states
        assert driver.emitted(FAILURES) == failures
        sent = driver.records(CHECKS)
        bad = [sent[at] for at, event in enumerate(events) if event.kind in BAD]
        dead = driver.dead_letters()
        assert [(each.key, each.value) for each in dead] == [(each.key, each.value) for each in bad]
        assert [each.header("lotgate-dlq-offset") for each in dead] == [
            str(each.offset).encode() for each in bad
        ]
        assert_disk_is_changelog(driver)


@pytest.mark.parametrize(
    "stage", [PARKING, PARKING_VIEW, BY_KEY], ids=["key", "partition", "no parking"]
)
@FEW
@given(events=histories("ok", "fail", "boom"), cuts=CUTS, deaths=DEATHS)
def test_e1_a_crash_anywhere_leaves_what_no_crash_leaves(
    stage: Stage, events: list[Check], cuts: list[int], deaths: list[str | None]
) -> None:
    with Driver(stage, fuse=NEVER) as calm, Driver(stage, fuse=NEVER) as storm:
        for piece, death in zip(cut(events, cuts), deaths, strict=True):
            for driver in (calm, storm):
                driver.send(*piece)
            if death is not None:
                storm.crash(death)
            storm.settle()
            calm.settle()
        assert story(storm) == story(calm)
        assert_disk_is_changelog(storm)


@FEW
@given(
    kinds=st.lists(st.lists(st.sampled_from(["ok", "boom"]), min_size=1, max_size=8), max_size=12),
    ends=st.lists(st.sampled_from(["go on", "restart", "lose disk", "crash"]), min_size=12),
)
def test_e5_a_fuse_trips_as_if_the_process_had_never_been_restarted(
    kinds: list[list[str]], ends: list[str]
) -> None:
    limits, run, seq = FuseLimits(run=5, share=1.0), 0, 0
    with Driver(BY_KEY, fuse=limits, build="1") as driver:
        for cycle, end in zip(kinds, ends, strict=False):
            before = len(driver.dead_letters())
            for kind in cycle:
                seq += 1
                driver.send(Check("A", seq, kind))
            trips = False
            for kind in cycle:
                run = run + 1 if kind == "boom" else 0
                trips = trips or run >= limits.run
            if end == "crash":
                driver.crash("mid_stage")
            if trips:
                assert_stands_still(driver, before)
                assert_a_new_build_counts_anew(driver, cycle, before)
                return
            driver.settle()
            assert len(driver.dead_letters()) == before + cycle.count("boom")
            if end in {"restart", "lose disk"}:
                driver.restart(lose_disk=end == "lose disk")


def assert_stands_still(driver: Driver, dead: int) -> None:
    """A tripped fuse stays so over restarts and lost disks; and consumes nothing."""
    for lose in (False, False, True):
        with pytest.raises(FuseTripped):
            driver.cycle()
        assert len(driver.dead_letters()) == dead
        driver.restart(lose_disk=lose)


def assert_a_new_build_counts_anew(driver: Driver, cycle: list[str], dead: int) -> None:
    """Another build is tried on the same records; a person's word lets any build go on."""
    driver.restart(build="2")
    if max(len(run) for run in "".join(kind[0] for kind in cycle).split("o")) < 5:
        driver.settle()
    else:
        with pytest.raises(FuseTripped, match="5 records in a row failed"):
            driver.settle()
        assert len(driver.dead_letters()) == dead
        driver.reset_fuse()
        with pytest.raises(FuseTripped, match="the last"):
            driver.settle()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ok", "fail", "boom", "drop", "repair", "in vain", "stale"]),
        st.integers(0, len(LOT_NAMES) - 1),
        st.sampled_from([None, None, None, *POINTS]),
    ),
    max_size=25,
)


@pytest.mark.parametrize("stage", [PARKING, PARKING_VIEW], ids=lambda stage: stage.scope)
@FEW
@given(steps=STEPS)
def test_e8_no_record_overtakes_its_key_whatever_is_decided(
    stage: Stage, steps: list[tuple[str, int, str | None]]
) -> None:
    lanes: dict[str, Lane] = defaultdict(Lane)
    with Driver(stage, fuse=NEVER) as driver:
        for what, lot, death in steps:
            step(driver, lanes, what, lot)
            if death is not None:
                driver.crash(death)
            driver.settle()
            assert_lanes(driver, lanes)
        assert_disk_is_changelog(driver)


def step(driver: Driver, lanes: dict[str, Lane], what: str, lot: int) -> None:
    """Send a check, or decide on a dead letter."""
    if what in {"ok", "fail", "boom"}:
        lane = lanes[LOT_NAMES[lot]]
        event = Check(LOT_NAMES[lot], len(lane.items) + 1, what)
        lane.items.append(event)
        lane.go_on()
        driver.send(event)
        return
    dead = driver.dead_letters()
    blocked = [lane for lane in lanes.values() if lane.head is not None]
    if what == "stale" and dead:
        # Long resolved, or the one that is open: dropping it twice must not drop another.
        decide_stale(driver, lanes, dead[lot % len(dead)])
    elif blocked:
        lane = blocked[lot % len(blocked)]
        head = lane.head
        assert head is not None
        bytes_of = driver.codec.encode(CHECKS, head)
        letter = next(each for each in reversed(dead) if each.value == bytes_of)
        if what == "drop":
            driver.drop(letter)
            lane.drop()
        elif what == "repair":
            driver.replay(letter, event=replace(head, kind="fail"))
            lane.repair()
        else:
            driver.replay(letter)


def decide_stale(driver: Driver, lanes: dict[str, Lane], letter: Any) -> None:
    event = driver.codec.decode(CHECKS, letter.value)
    lane = lanes[event.lot]
    if lane.head is not None and lane.head.seq == event.seq:
        lane.drop()
    driver.drop(letter)
    driver.drop(letter)


def assert_lanes(driver: Driver, lanes: dict[str, Lane]) -> None:
    """States and outputs are what each lot's own checks give, in their order."""
    states = driver.states(LOTS)
    for lot, lane in lanes.items():
        state = states.get(lot)
        assert list(state.applied if state is not None else ()) == lane.applied
        emitted = [each.seq for each in driver.emitted(FAILURES) if each.lot == lot]
        assert emitted == lane.failures


@FEW
@given(
    events=histories("ok", "fail"),
    cuts=CUTS,
    again=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=6, max_size=6),
)
def test_the_second_line_alone_what_is_delivered_again_changes_nothing(
    events: list[Check], cuts: list[int], again: list[tuple[int, int]]
) -> None:
    with Driver(BY_KEY) as driver:
        for piece, (start, count) in zip(cut(events, cuts), again, strict=True):
            driver.send(*piece)
            driver.redeliver(start, start + count)
            driver.settle()
        states, failures = plain(events)
        assert driver.states(LOTS) == states
        assert driver.emitted(FAILURES) == failures


@pytest.mark.parametrize("torn", ["outputs", "all_but_positions"])
@FEW
@given(
    events=histories("ok", "fail", "boom"),
    cuts=CUTS,
    deaths=st.lists(
        st.sampled_from([None, "after_produce", "before_commit"]), min_size=6, max_size=6
    ),
)
def test_the_second_line_alone_a_torn_transaction_doubles_no_effect(
    torn: Any, events: list[Check], cuts: list[int], deaths: list[str | None]
) -> None:
    with Driver(PARKING, fuse=NEVER) as calm, Driver(PARKING, fuse=NEVER) as storm:
        for piece, death in zip(cut(events, cuts), deaths, strict=True):
            for driver in (calm, storm):
                driver.send(*piece)
            if death is not None:
                storm.crash(death, torn=torn)
            storm.settle()
            calm.settle()
        assert storm.states(LOTS) == calm.states(LOTS)
        # An effect is known by what it is about: lot and position.
        assert list(dict.fromkeys(storm.emitted(FAILURES))) == calm.emitted(FAILURES)
