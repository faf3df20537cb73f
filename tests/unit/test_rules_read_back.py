"""Applied means read back; silence and disagreement end at a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from streams.rules.hold.read_back import ReadBack, ReadBackClock, Standing, judged

pytestmark = pytest.mark.urs("M4.1", "X1")

COMMIT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def at(second: float) -> datetime:
    return COMMIT + timedelta(seconds=second)


def back(second: float, disposition: str = "Restricted") -> ReadBack:
    return ReadBack(at(second), disposition)


def standing(now: float, *backs: ReadBack) -> Standing:
    return judged(COMMIT, "Restricted", backs, at(now)).standing


@pytest.mark.parametrize(
    ("now", "backs", "expected"),
    [
        (10, (), Standing.SENT),
        (299.9, (), Standing.SENT),
        (300, (), Standing.ESCALATED),
        (10, (back(5),), Standing.VERIFIED),
        (10_000, (back(5),), Standing.VERIFIED),
        (10, (back(5, "UnRestricted"),), Standing.SENT),
        (10, (back(5, "UnRestricted"), back(8)), Standing.VERIFIED),
        (10, (back(20),), Standing.SENT),
        (20, (back(5), back(15, "UnRestricted")), Standing.ESCALATED),
        (400, (back(350),), Standing.VERIFIED),
    ],
)
def test_where_a_command_stands(
    now: float, backs: tuple[ReadBack, ...], expected: Standing
) -> None:
    assert standing(now, *backs) == expected
    assert standing(now, *reversed(backs)) == expected


def test_a_late_agreement_does_not_hide_the_breach() -> None:
    judgement = judged(COMMIT, "Restricted", (back(350),), at(400))
    assert judgement.breach_at == at(300)
    assert judgement.applied_at == at(350)
    assert judgement.retry_at is None


def test_the_next_try_counts_from_the_last_read_back() -> None:
    clock = ReadBackClock(retry_after=timedelta(seconds=30))
    silent = judged(COMMIT, "Restricted", (), at(1), clock)
    disagreed = judged(COMMIT, "Restricted", (back(7, "UnRestricted"),), at(8), clock)
    assert silent.retry_at == at(30)
    assert disagreed.retry_at == at(37)
