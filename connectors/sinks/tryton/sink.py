"""The sink: applies hold commands to a Tryton ERP and reads back what it shows.

Limits, to be known by whoever relies on it: goods of a document that is already picked, packed,
received or shipped are reported, not held (unless cancelling shipments is allowed, and then only
customer shipments); there is no lock on the lot itself, and an administrator can force goods out
of quarantine. What left the site or was used up cannot be held and is named as such.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from connectors.base import Capabilities, Observation, Outcome
from connectors.sinks.tryton.fence import Stale, raise_fence, read_marks
from connectors.sinks.tryton.placing import Placing
from connectors.sinks.tryton.reading.look import find_lot, look, quarantine_of, unguarded
from connectors.sinks.tryton.reading.shares import disposition_of, negative_of, prior_of, shares_of
from connectors.sinks.tryton.releasing import Releasing
from connectors.sinks.tryton.rest.judge import Moved
from connectors.sinks.tryton.rest.wire import Talk, Wire
from streams.model.facts import Disposition
from streams.model.hold import HoldAction, Prior

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    import httpx

    from connectors.sinks.tryton.reading.picture import LotRecord
    from connectors.sinks.tryton.rest.config import TrytonConfig
    from streams.model.hold import HoldCommand


class TrytonSink:
    """Holds and releases lots by internal transfers to and from a quarantine location.

    Args:
        config: The installation.
        transport: Replaces the network, for tests that cut it.
    """

    capabilities = Capabilities(
        has_readback=True, can_hold_partial=True, supports_idempotency_key=False
    )

    def __init__(
        self, config: TrytonConfig, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.name = config.target
        self._config = config
        self._wire = Wire(config, transport)
        self._quarantine: int | None = None

    async def prepare(self) -> None:
        """Check address, key, rights and quarantine location before the first command.

        Raises:
            Misconfigured: The quarantine location or the key file is not as it must be.
            Poison: The server refuses the key.
            Transient: The server cannot be reached now.
        """
        talk = Talk(self._wire)
        await self._quarantine_id(talk)
        await talk.search("stock.lot", [["id", "=", 0]], ("number",))
        for model in await unguarded(talk, self._config.quarantine):
            logger.warning(
                "no access rule on %s mentions %s: whoever may move stock may take goods out of "
                "quarantine; add rules that only the quality group may do so",
                model,
                self._config.quarantine,
            )

    async def apply(self, command: HoldCommand) -> Outcome:
        """Carry out a command; safe to repeat, resumes after a kill at any call."""
        talk = Talk(self._wire)
        lot = await find_lot(talk, command.material, command.number)
        if lot is None:
            return Outcome(detail="the ERP does not know the lot", calls=talk.calls)
        try:
            await raise_fence(talk, lot, command)
            story = await self._rounds(talk, lot, command)
        except Stale as overtaken:
            return Outcome(stale=True, detail=str(overtaken), calls=talk.calls)
        return Outcome(detail="; ".join(story), calls=talk.calls)

    async def read_back(self, command: HoldCommand) -> Observation:
        """Read what the ERP really shows for the command's lot. Writes nothing."""
        talk = Talk(self._wire)
        lot = await find_lot(talk, command.material, command.number)
        if lot is None:
            return Observation(
                found=False,
                shares=(),
                effective_disposition="",
                prior=Prior(Disposition.UNRESTRICTED, ""),
                detail="the ERP does not know the lot",
                calls=talk.calls,
            )
        picture = await look(talk, lot, await self._quarantine_id(talk))
        shares = shares_of(picture)
        negative = negative_of(picture)
        return Observation(
            found=True,
            shares=shares,
            effective_disposition=disposition_of(shares),
            prior=prior_of(picture),
            detail=f"stock below zero at {', '.join(negative)}" if negative else "",
            calls=talk.calls,
        )

    async def close(self) -> None:
        """Close connections."""
        await self._wire.close()

    async def _rounds(self, talk: Talk, lot: LotRecord, command: HoldCommand) -> list[str]:
        async def guard() -> None:
            marks = await read_marks(talk, lot)
            highest = max((mark.version for mark in marks), default=command.hold_version)
            if highest > command.hold_version:
                raise Stale(f"the lot went to version {highest} meanwhile")

        quarantine = await self._quarantine_id(talk)
        steps: Placing | Releasing
        if command.action == HoldAction.HOLD:
            steps = Placing(talk, self._config, lot, quarantine, command.hold_id, guard)
        else:
            steps = Releasing(talk, lot, quarantine, command.hold_id, guard)
        moved = ""
        for _ in range(self._config.rounds):
            try:
                if await steps.once():
                    return steps.story
            except Moved as error:
                # Somebody works on the same documents. What is left shows in the read-back.
                moved = error.message
        return [*steps.story, moved] if moved else steps.story

    async def _quarantine_id(self, talk: Talk) -> int:
        if self._quarantine is None:
            self._quarantine = await quarantine_of(talk, self._config.quarantine)
        return self._quarantine
