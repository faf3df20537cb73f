"""Faust's questions about a data path that it does not have here, answered once.

Positions, commits, fetching and topics belong to the engine's cycle.
"""
# ruff: noqa: ARG002, ASYNC109 - the signatures are Faust's

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from faust.transport.consumer import Consumer as FaustConsumer
from faust.types import TP

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping


class Answers(FaustConsumer):
    """A Faust consumer that fetches, seeks and commits nothing.

    Attributes:
        idle: Set while no cycle is open.
    """

    idle: asyncio.Event

    def ack(self, message: Any) -> bool:
        """Completion is what the stage says."""
        return True

    def track_message(self, message: Any) -> None:
        """Nothing to track: positions are part of the transaction."""

    async def getmany(self, timeout: float) -> AsyncIterator[Any]:
        """Give nothing: the cycle delivers."""
        await asyncio.sleep(timeout)
        nothing: tuple[Any, ...] = ()
        for each in nothing:
            yield each

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:
        raise NotImplementedError

    def _to_message(self, tp: Any, record: Any) -> Any:
        raise NotImplementedError

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: FBT001, FBT002
        """Commits belong to the cycle."""
        return True

    async def force_commit(self, *args: Any, **options: Any) -> bool:
        """Commits belong to the cycle."""
        return True

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        return True

    async def wait_empty(self) -> None:
        """Wait until no cycle is open."""
        await self.idle.wait()

    async def perform_seek(self) -> None:
        """Positions are the engine's."""

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Positions are the engine's."""
        return {}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Positions are the engine's."""

    async def _seek(self, partition: TP, offset: int) -> None:
        """Positions are the engine's."""

    async def seek_to_beginning(self, *partitions: TP) -> None:
        """Positions are the engine's."""

    async def position(self, tp: TP) -> int | None:
        """Positions are the engine's."""
        return None

    def pause_partitions(self, tps: Iterable[TP]) -> None:
        """Faust pauses for its recovery, which has nothing to do."""

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Faust resumes after its recovery, which has nothing to do."""

    def highwater(self, tp: TP) -> int:
        """Not known here: there are no Faust tables."""
        return 0

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Not known here: there are no Faust tables."""
        return {}

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """Not known here: there are no Faust tables."""
        return {}

    def topic_partitions(self, topic: str) -> int | None:
        """Not known here: there are no Faust tables."""
        return None

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> None:
        """The producer partitions."""

    async def create_topic(self, *args: Any, **options: Any) -> None:
        """Topics are provisioned, never made on the way."""

    def close(self) -> None:
        """`on_stop` closes."""
