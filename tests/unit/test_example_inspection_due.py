"""The example with a timer, tested as users test their own rules: without a broker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from examples.inspection_due import (
    ESCALATIONS,
    HOUR_US,
    LADDER,
    PATIENCE_US,
    LotNews,
    app,
)
from streams.engine import Timer
from streams.engine.testing import Driver

NOON_US = 1_750_000_000_000_000


def arrived(lot: str, seq: int = 1, at_us: int = NOON_US) -> LotNews:
    return LotNews(lot, seq, "arrived", at_us)


def inspected(lot: str, seq: int = 2) -> LotNews:
    return LotNews(lot, seq, "inspected", NOON_US + HOUR_US)


@pytest.fixture
def driver() -> Iterator[Driver]:
    with Driver(app, now_us=NOON_US) as driver:
        yield driver


def test_a_result_in_time_escalates_nothing(driver: Driver) -> None:
    driver.send(arrived("L1"))
    driver.settle()
    assert driver.timers("L1") == [Timer("inspection", NOON_US + PATIENCE_US, "L1")]
    driver.send(inspected("L1"))
    driver.advance(days=2)
    assert driver.timers() == []
    assert driver.emitted(ESCALATIONS) == []


def test_each_rung_is_climbed_once_and_the_ladder_ends(driver: Driver) -> None:
    driver.send(arrived("L1"))
    driver.advance(hours=7.9)
    assert driver.emitted(ESCALATIONS) == []
    for hours in (0.1, 8, 8, 8, 80):
        driver.advance(hours=hours)
    said = driver.emitted(ESCALATIONS)
    assert [each.to for each in said] == list(LADDER)
    assert [each.due_us for each in said] == [NOON_US + n * PATIENCE_US for n in (1, 2, 3)]
    assert all(each.now_us == each.due_us for each in said)


def test_after_an_outage_every_rung_is_told_with_both_times(driver: Driver) -> None:
    driver.send(arrived("L1"), arrived("L2", at_us=NOON_US + HOUR_US))
    driver.settle()
    driver.outage(hours=20)
    said = driver.emitted(ESCALATIONS)
    assert [(each.lot, each.to) for each in said] == [
        ("L1", LADDER[0]),
        ("L2", LADDER[0]),
        ("L1", LADDER[1]),
        ("L2", LADDER[1]),
    ]
    assert {each.now_us for each in said} == {NOON_US + 20 * HOUR_US}
    assert [each.due_us - NOON_US for each in said] == [
        8 * HOUR_US,
        9 * HOUR_US,
        16 * HOUR_US,
        17 * HOUR_US,
    ]


@pytest.mark.parametrize("point", ["mid_stage", "before_commit", "after_commit", "after_write"])
def test_a_crash_while_a_timer_fires_tells_nobody_twice(driver: Driver, point: str) -> None:
    driver.send(arrived("L1"))
    driver.settle()
    driver.now_us += PATIENCE_US
    assert driver.crash(point)
    driver.settle()
    assert [each.to for each in driver.emitted(ESCALATIONS)] == [LADDER[0]]
    assert driver.timers() == [Timer("inspection", NOON_US + 2 * PATIENCE_US, "L1")]


def test_news_delivered_again_neither_restarts_nor_ends_the_wait(driver: Driver) -> None:
    driver.send(arrived("L1"))
    driver.advance(hours=8)
    driver.redeliver()
    driver.settle()
    assert driver.timers() == [Timer("inspection", NOON_US + 2 * PATIENCE_US, "L1")]
    driver.send(inspected("L1"))
    driver.redeliver()
    driver.advance(days=3)
    assert len(driver.emitted(ESCALATIONS)) == 1
