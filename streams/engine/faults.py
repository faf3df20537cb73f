"""Places in a cycle where a test can make the process die, to prove that death there is harmless.

Each point is a call of `reach`. Nothing happens unless `arm` named that point; the composition
root arms it from `LOTGATE_FAULT=<point>[:nth]`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable

DEATH: Final = 137
"""Exit status of a death at a fault point: what a shell reports for `kill -9`."""

ENGINE_POINTS: Final = (
    "after_poll",
    "mid_stage",
    "before_produce",
    "after_produce",
    "before_offsets",
    "before_commit",
    "after_commit",
    "after_write",
    "in_restore",
    "in_revoke",
)
"""The engine's own points, in the order a cycle meets them. Connectors name further ones."""


class _Armed:
    """The one armed point of this process."""

    point: str | None = None
    left: int = 0
    die: Callable[[int], object] = staticmethod(os._exit)


def arm(setting: str, die: Callable[[int], object] = os._exit) -> None:
    """Choose where the process dies.

    Args:
        setting: `<point>` or `<point>:<nth>` (1 = the first time); empty disarms.
        die: What death is; a driver without a broker takes it for the end of a pretended process.

    Raises:
        Misconfigured: The number is not a positive integer.
    """
    point, _, nth = setting.partition(":")
    if nth and not (nth.isdigit() and int(nth) > 0):
        raise Misconfigured(
            f"LOTGATE_FAULT is {setting!r}: after the colon stands a number from 1",
            code="bad_fault_point",
            advice="write <point> or <point>:<nth>, or unset it",
        )
    _Armed.point = point or None
    _Armed.left = int(nth or 1)
    _Armed.die = staticmethod(die)


def reach(point: str) -> None:
    """Die here if this point is armed and it is its turn."""
    if point != _Armed.point:
        return
    _Armed.left -= 1
    if _Armed.left == 0:
        _Armed.die(DEATH)
