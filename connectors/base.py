"""The two small protocols behind which every foreign system lives.

A source reads and confirms; it never produces to Kafka. A sink acts and reads back; it is safe to
call again with the same command. Loops, retries, commits and acks belong to `connectors.runner`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from streams.model.hold import HoldCommand, Prior, Share


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a target can do, as its sink declares it.

    Attributes:
        has_readback: The sink can read the state it claims.
        can_hold_partial: A part of a lot can be held.
        supports_idempotency_key: The target itself refuses a second effect of one command.
    """

    has_readback: bool
    can_hold_partial: bool
    supports_idempotency_key: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the effects of one command, before the target is read again.

    Attributes:
        stale: The target has seen a higher hold version; nothing was done.
        detail: What was done, for people.
        calls: Calls made to the target.
    """

    stale: bool = False
    detail: str = ""
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Observation:
    """What a target showed when it was read.

    Attributes:
        found: The target knows the lot.
        shares: Quantity per outcome; empty if the lot has no stock anywhere.
        effective_disposition: `Restricted` if nothing of the lot is free to move, else the
            disposition the target shows.
        prior: Disposition and place before the hold, read from the target's own hold documents.
        detail: What was seen, for people.
        calls: Calls made to the target.
    """

    found: bool
    shares: tuple[Share, ...]
    effective_disposition: str
    prior: Prior
    detail: str = ""
    calls: int = 0


class Sink(Protocol):
    """A target system that can hold lots."""

    name: str
    capabilities: Capabilities

    async def apply(self, command: HoldCommand) -> Outcome:
        """Carry out a command. Safe to repeat; resumes after a kill at any call.

        Raises:
            Poison: The command can never work at this target.
            Transient: The target is unavailable; call again later.
            Unknown: The call may have worked; read back before acting again.
            Misconfigured: Credentials or rights are missing.
        """
        ...

    async def read_back(self, command: HoldCommand) -> Observation:
        """Read what the target really shows for the command's lot. Writes nothing."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
