"""What a read-back amounts to. Pure: the one rule that turns shares into a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.model.hold import AckResult, Enforcement, HoldAction

if TYPE_CHECKING:
    from connectors.base import Observation
    from streams.model.hold import Share

_WORST_FIRST = (
    ({"escaped"}, AckResult.ESCAPED),
    ({"in_flight"}, AckResult.IN_FLIGHT),
    ({"free", "assigned"}, AckResult.PARTIAL),
    ({"contained"}, AckResult.CONTAINED),
    ({"consumed"}, AckResult.CONSUMED),
)
_ADVICE = {
    AckResult.ESCAPED: "goods of this lot left the site: start a field assessment with the "
    "customers named",
    AckResult.IN_FLIGHT: "a document named here can still move goods of this lot: stop it by hand",
    AckResult.PARTIAL: "goods of this lot are still free: see who takes them, then replay the "
    "command",
    AckResult.NOT_FOUND: "the pipeline knows this lot, the target does not: compare number and "
    "material",
}


def result_of(action: str, observation: Observation) -> AckResult:
    """The worst that is present.

    A lot without any stock is in flight, never contained: goods of it may still come. A release is
    `released` only if nothing is left that belongs somewhere else (a share says so by naming the
    place it returns to).

    Args:
        action: The command's action.
        observation: What the target showed.
    """
    if not observation.found:
        return AckResult.NOT_FOUND
    if action == HoldAction.RELEASE and not unfinished(action, observation):
        return AckResult.RELEASED
    return _worst(observation.shares)


def unfinished(action: str, observation: Observation) -> bool:
    """True if the command has work left that a further try may do."""
    if not observation.found:
        return False
    if action == HoldAction.RELEASE:
        return any(share.returns_to for share in observation.shares)
    return any(share.outcome in {"free", "assigned"} for share in observation.shares)


def would_be(action: str, observation: Observation) -> AckResult:
    """The result of a command that a target in observe or propose mode only looked at."""
    if not observation.found:
        return AckResult.NOT_FOUND
    return AckResult.WOULD_RELEASE if action == HoldAction.RELEASE else AckResult.WOULD_HOLD


def advice_of(result: AckResult, mode: Enforcement) -> str:
    """What a person should do about a result, empty if nothing."""
    if result in {AckResult.WOULD_HOLD, AckResult.WOULD_RELEASE}:
        if mode == Enforcement.PROPOSE:
            return "nothing was written: an approval is needed, or set the target to enforce"
        return "nothing was written: the target is set to observe"
    return _ADVICE.get(result, "")


def _worst(shares: tuple[Share, ...]) -> AckResult:
    outcomes = {share.outcome for share in shares}
    for group, result in _WORST_FIRST:
        if outcomes & group:
            return result
    return AckResult.IN_FLIGHT
