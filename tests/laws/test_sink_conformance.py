"""Every hold sink is safe to repeat, resumes after death at any call, and never overstates."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from connectors.registry import CONNECTORS
from connectors.runner.sink.result import result_of
from streams.errors import Unknown
from streams.model.hold import AckResult, HoldAction
from tests.laws.sink_cases import CASES, Died, TrytonCase, closing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.live.tryton_goods import Ground

pytestmark = pytest.mark.urs("M4.1", "M8.6", "X1", "X8")

LONGEST = 60
"""More calls than one command may take."""


@pytest.fixture(params=sorted(CASES))
def target(request: pytest.FixtureRequest, erp: Ground) -> Iterator[TrytonCase]:
    case = CASES[request.param](erp)
    yield case
    case.close()


def test_every_hold_connector_is_covered() -> None:
    assert {name for name, c in CONNECTORS.items() if c.kind == "hold"} == set(CASES)


async def apply(
    target: TrytonCase,
    number: str,
    action: HoldAction,
    version: int,
    fate: Callable[[int, httpx.Request], None] | None = None,
) -> None:
    sink = target.sink(fate)
    order = target.command(number, action=action, version=version)
    await closing(sink, sink.apply(order))


async def read(target: TrytonCase, number: str, action: HoldAction, version: int) -> AckResult:
    sink = target.sink()
    order = target.command(number, action=action, version=version)
    return result_of(action, await closing(sink, sink.read_back(order)))


class Dies:
    """Death after the n-th call that may write.

    Death after a call that only reads leaves the target as the write before it did, so these are
    all the places at which a death can matter.
    """

    def __init__(self, point: int) -> None:
        self._left = point

    def __call__(self, _: int, request: httpx.Request) -> None:
        self._left -= request.method != "GET"
        if self._left == 0:
            raise Died


async def died(
    target: TrytonCase, number: str, action: HoldAction, version: int, point: int
) -> bool:
    """Apply a command that dies at a point; False if the command ended before it."""
    try:
        await apply(target, number, action, version, Dies(point))
    except Died:
        return True
    return False


@pytest.mark.urs("M4.4")
async def test_repeating_a_command_changes_nothing(target: TrytonCase) -> None:
    number = target.lot()
    for _ in range(3):
        await apply(target, number, HoldAction.HOLD, 1)
        assert target.effects(number) == [("HOLD", "done")]
        assert (target.held(number), target.free(number)) == (13, 0)
    for _ in range(3):
        await apply(target, number, HoldAction.RELEASE, 2)
        assert target.effects(number) == [("HOLD", "done"), ("RELEASE", "done")]
        assert (target.held(number), target.free(number)) == (0, 13)


@pytest.mark.urs("M4.4")
async def test_both_ways_resume_after_death_at_any_call(target: TrytonCase) -> None:
    deaths = {HoldAction.HOLD: 0, HoldAction.RELEASE: 0}
    for point in range(1, LONGEST):
        number = target.lot()
        before = sum(deaths.values())
        deaths[HoldAction.HOLD] += await died(target, number, HoldAction.HOLD, 1, point)
        await apply(target, number, HoldAction.HOLD, 1)
        assert await read(target, number, HoldAction.HOLD, 1) == AckResult.CONTAINED, point
        assert target.effects(number) == [("HOLD", "done")], point
        assert target.unfinished(number) == [], point
        assert (target.held(number), target.free(number)) == (13, 0), point

        deaths[HoldAction.RELEASE] += await died(target, number, HoldAction.RELEASE, 2, point)
        await apply(target, number, HoldAction.RELEASE, 2)
        assert await read(target, number, HoldAction.RELEASE, 2) == AckResult.RELEASED, point
        assert target.effects(number) == [("HOLD", "done"), ("RELEASE", "done")], point
        assert target.unfinished(number) == [], point
        assert (target.held(number), target.free(number)) == (0, 13), point
        if sum(deaths.values()) == before:
            break
    assert min(deaths.values()) > 3, deaths


async def test_a_call_without_an_answer_is_unknown_and_is_resumed(target: TrytonCase) -> None:
    number = target.lot()
    lost = 0

    def fate(_: int, request: httpx.Request) -> None:
        nonlocal lost
        if request.method == "POST":
            lost += 1
            raise httpx.ReadTimeout("no answer", request=request)

    sink = target.sink(fate)
    order = target.command(number)
    for _ in range(LONGEST):
        try:
            await sink.apply(order)
        except Unknown:
            continue
        break
    await sink.close()
    assert lost > 3
    assert target.effects(number) == [("HOLD", "done")]
    assert (target.held(number), target.free(number)) == (13, 0)


async def test_two_sinks_at_once_move_the_goods_once(target: TrytonCase) -> None:
    for _ in range(3):
        number = target.lot()
        racers = (apply(target, number, HoldAction.HOLD, 1) for _ in range(3))
        ends = await asyncio.gather(*racers, return_exceptions=True)
        await apply(target, number, HoldAction.HOLD, 1)
        assert (target.held(number), target.free(number)) == (13, 0), ends
        assert target.effects(number) == [("HOLD", "done")], ends
        assert target.unfinished(number) == [], ends


async def test_contained_is_never_said_while_something_is_free(target: TrytonCase) -> None:
    number = target.lot()
    assert await read(target, number, HoldAction.HOLD, 1) == AckResult.PARTIAL
    await apply(target, number, HoldAction.HOLD, 1)
    assert await read(target, number, HoldAction.HOLD, 1) == AckResult.CONTAINED
    target.more(number)
    assert await read(target, number, HoldAction.HOLD, 1) == AckResult.PARTIAL
    await apply(target, number, HoldAction.HOLD, 2)
    assert await read(target, number, HoldAction.HOLD, 2) == AckResult.CONTAINED


async def test_reading_writes_nothing(target: TrytonCase) -> None:
    number = target.lot()
    methods: list[str] = []
    sink = target.sink(lambda _, request: methods.append(request.method))
    await closing(sink, sink.read_back(target.command(number)))
    assert set(methods) == {"GET"}
    assert target.free(number) == 13
