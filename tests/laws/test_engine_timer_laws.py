"""Law E7: timers are state. They fire once, in order, whatever befalls the process."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.engine import FuseLimits, Stage, Timer
from streams.engine.testing import Driver
from tests.laws.timer_cases import (
    ASKS,
    BAD,
    BY_KEY,
    BY_PARTITION,
    FIRED,
    LOTS,
    NAMES,
    NOTHING,
    STEPS,
    Ask,
    Asked,
    Plain,
)

pytestmark = pytest.mark.urs("M4.4", "X7")

LAW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NEVER = FuseLimits(10_000, 1.0)
BOTH = pytest.mark.parametrize("stage", [BY_KEY, BY_PARTITION], ids=lambda stage: stage.scope)


def befall(driver: Driver, death: str | None) -> None:
    """Let the process die, or begin anew, with work at hand; then let it finish."""
    if death in {"restart", "lose disk"}:
        driver.restart(lose_disk=death == "lose disk")
    elif death is not None:
        driver.crash(death)
    driver.settle()


def do(driver: Driver, plain: Plain, what: str, event: Ask) -> None:
    """One step, in the driver and in the plain dictionary."""
    if what == "pass":
        driver.now_us += event.due_us - driver.now_us
    elif what == "drop":
        heads = [each for each in driver.dead_letters() if each.key == event.lot.encode()]
        if event.lot in plain.blocked:
            plain.drop(event.lot)
            driver.drop(heads[-1])
    else:
        due_us = {"cancel": NOTHING, "bad": BAD}.get(what, event.due_us)
        plain.take(replace(event, due_us=due_us))
        driver.send(replace(event, due_us=due_us))


@BOTH
@LAW
@given(steps=STEPS)
def test_timers_fire_once_and_in_order_whatever_befalls_the_process(
    stage: Stage, steps: list[tuple[str, str, str, int, str | None]]
) -> None:
    plain = Plain()
    with Driver(stage, fuse=NEVER) as driver:
        for seq, (what, lot, name, later, death) in enumerate(steps, 1):
            do(driver, plain, what, Ask(lot, seq, name, driver.now_us + later))
            befall(driver, death)
            plain.settle(driver.now_us)
            assert driver.emitted(FIRED) == plain.fired
            pending = {(each.key, each.name): each.due_us for each in driver.timers()}
            assert pending == plain.pending
        counts = Counter(each.lot for each in plain.fired)
        for lot in LOTS:
            assert (driver.state(lot) or Asked()).fired == counts[lot]


@BOTH
@LAW
@given(
    asks=st.lists(
        st.tuples(st.sampled_from(LOTS), st.sampled_from(NAMES[1:]), st.integers(1, 100)),
        min_size=1,
        max_size=20,
    )
)
def test_after_an_outage_all_that_was_due_fires_in_due_order_with_both_times(
    stage: Stage, asks: list[tuple[str, str, int]]
) -> None:
    with Driver(stage) as driver:
        driver.send(*(Ask(lot, seq, name, at) for seq, (lot, name, at) in enumerate(asks, 1)))
        driver.settle()
        driver.outage(seconds=1)
        last = {(lot, name): at for lot, name, at in asks}
        expected = sorted((at, lot, name) for (lot, name), at in last.items())
        fired = driver.emitted(FIRED)
        assert [(each.due_us, each.lot, each.name) for each in fired] == expected
        assert {each.now_us for each in fired} == {1_000_000}
        for event, written in zip(fired, driver.records(FIRED), strict=True):
            told = {name: value.decode() for name, value in written.headers}
            assert told["lotgate-timer"] == event.name
            assert told["lotgate-timer-key"] == event.lot
            assert told["lotgate-timer-due"] == str(event.due_us)
            assert told["lotgate-timer-now"] == str(event.now_us)
            assert told["lotgate-timer-next"] == str(len(asks))
            assert told["lotgate-timer-partition"] == "0"


def test_a_timer_that_is_set_again_and_again_is_one_timer() -> None:
    with Driver(BY_KEY) as driver:
        for seq in range(1, 50):
            driver.send(Ask("A", seq, "once", 1_000 + seq))
            driver.settle()
        assert driver.timers() == [Timer("once", 1_049, "A")]
        driver.advance(days=1)
        assert [each.due_us for each in driver.emitted(FIRED)] == [1_049]
        assert len(driver.records(ASKS)) == 49
