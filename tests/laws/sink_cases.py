"""What the conformance suite needs to know of a target, once per sink."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from tests.live.tryton_goods import Colleague, Ground, command

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from connectors.base import Sink
    from streams.model.hold import HoldCommand


class Died(BaseException):
    """The process that called the target is gone."""


class Wire(httpx.AsyncBaseTransport):
    """The network between a sink and its target, cut after a number of calls.

    Args:
        fate: Called after the n-th answer arrived (from 1) and before the sink sees it.
    """

    def __init__(self, fate: Callable[[int, httpx.Request], None]) -> None:
        self._inner = httpx.AsyncHTTPTransport()
        self._fate = fate
        self.calls = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        await response.aread()
        self.calls += 1
        self._fate(self.calls, request)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class TrytonCase:
    """Tryton as a target."""

    name = "tryton"

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._colleague = Colleague(ground, ground.shipper)

    def close(self) -> None:
        """Hang up."""
        self._colleague.close()

    def lot(self) -> str:
        """A new lot with 10 free and 3 reserved by a delivery; its number."""
        number = self._colleague.lot(13)
        self._colleague.delivery(number, 3, "assign_try")
        return number

    def more(self, number: str) -> None:
        """2 more of the lot arrive."""
        self._colleague.book(number, 2, "", "STO")

    def sink(self, fate: Callable[[int, httpx.Request], None] | None = None) -> Sink:
        return self._ground.sink(Wire(fate) if fate else None)

    def command(self, number: str, **parts: Any) -> HoldCommand:
        return command(number, **parts)

    def free(self, number: str) -> float:
        """What the target's own tables show outside quarantine."""
        balance = self._ground.balance(number)
        return float(sum(q for place, q in balance.items() if place != "QUA"))

    def held(self, number: str) -> float:
        """What the target's own tables show in quarantine."""
        return float(self._ground.balance(number).get("QUA", 0))

    def effects(self, number: str) -> list[tuple[str, str]]:
        """Effects at the target that were finished, without those taken back."""
        found = self._ground.transfers(f"hold-{number}")
        return [
            (reference.split(":")[0], state) for reference, state, _ in found if state == "done"
        ]

    def unfinished(self, number: str) -> list[str]:
        """Effects that were begun and are neither finished nor taken back."""
        found = self._ground.transfers(f"hold-{number}")
        return [state for _, state, _ in found if state not in {"done", "cancelled"}]


CASES: dict[str, Callable[[Ground], TrytonCase]] = {"erp-hold": TrytonCase}
"""Every hold connector of the registry, with its target."""


async def closing(sink: Sink, work: Awaitable[Any]) -> Any:
    """Await something and close the sink, however it ends."""
    try:
        return await work
    finally:
        await sink.close()
