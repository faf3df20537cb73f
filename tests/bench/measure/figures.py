"""The arithmetic of the bench."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def percentile(sample: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of a sample does not exceed (nearest rank).

    Raises:
        ValueError: The sample is empty or the share is not within (0, 1].
    """
    if not sample or not 0 < share <= 1:
        raise ValueError(f"no percentile {share} of {len(sample)} values")
    rank = -int(-share * len(sample) // 1)
    return sorted(sample)[rank - 1]


def middle(values: Iterable[float | None]) -> float | None:
    """The median of what there is; None of nothing."""
    there = [value for value in values if value is not None]
    return median(there) if there else None


def ratio(ours: float | None, theirs: float | None, digits: int = 3) -> float | None:
    """Ours divided by the peer's; None when one is missing."""
    if ours is None or not theirs:
        return None
    return round(ours / theirs, digits)
