"""Retrying what passes by itself: for ever, with full jitter, said now and then."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from streams.errors import Transient, Unknown

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from connectors.runner.health.sink import SinkHealth
    from connectors.runner.sink.config import SinkConfig

logger = logging.getLogger(__name__)


def patiently(config: SinkConfig, health: SinkHealth | None = None) -> AsyncRetrying:
    """A retry loop that ends only with success or with an error that does not pass.

    Args:
        config: Gives the pauses. After a call without an answer the pause has a least length: the
            call may still be running at the target.
        health: Is told what is waited for.
    """
    retrying = config.retrying
    draw = wait_random_exponential(multiplier=retrying.first_s, max=retrying.longest_s)

    def pause(state: RetryCallState) -> float:
        least = retrying.unknown_s if isinstance(_error(state), Unknown) else 0.0
        return max(least, draw(state))

    def say(state: RetryCallState) -> None:
        number = state.attempt_number
        if health is not None:
            health.waits(str(_error(state)))
        if number in {1, 10} or number % 100 == 0:
            story = "target %s: attempt %d failed, retrying: %s"
            logger.warning(story, config.target, number, _error(state))

    return AsyncRetrying(
        wait=pause, retry=retry_if_exception_type(Transient), before_sleep=say, reraise=True
    )


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
