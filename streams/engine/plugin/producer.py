"""Faust's producer, which must not produce."""
# ruff: noqa: ARG002 - the signatures are Faust's

from __future__ import annotations

from typing import Any

from faust.transport.producer import Producer as FaustProducer
from faust.types import TP

from streams.errors import Misconfigured


class Producer(FaustProducer):
    """Refuses Faust's own sends: what a stage emits is part of the cycle's transaction."""

    async def on_start(self) -> None:
        """Nothing to start: the engine has the producer."""

    async def flush(self) -> None:
        """Nothing to flush."""

    async def send(self, topic: str, *args: Any, **options: Any) -> Any:
        """Refuse.

        Raises:
            Misconfigured: Always.
        """
        raise Misconfigured(
            f"a send to {topic} outside of the cycle would not be part of its transaction",
            code="send_outside_cycle",
            kept="nothing was sent",
            advice="return the event from the rule, in Verdict.emits",
        )

    async def send_and_wait(self, topic: str, *args: Any, **options: Any) -> Any:
        """Refuse as `send` does."""
        return await self.send(topic)

    async def create_topic(self, *args: Any, **options: Any) -> None:
        """Topics are provisioned, never made on the way."""

    def key_partition(self, topic: str, key: bytes) -> TP:
        """The engine's producer partitions."""
        return TP(topic, 0)
