"""One partition's share of a cycle, on its way through Faust to its stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import faust
from faust.types import TP, ConsumerMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.engine.cycle.batch import Batch


class BatchMessage(ConsumerMessage):
    """One partition's share of a cycle, as Faust sees it."""

    __slots__ = ("batch", "completed", "deadline")

    batch: Batch
    completed: Callable[[], None]
    deadline: float


class BatchSchema(faust.Schema[None, Any]):
    """Gives the stage its batch as it is: the stage decodes, record by record."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> None:
        """A batch has no key."""

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:  # noqa: ARG002 - Faust's signature
        """The message carries the batch."""
        return message


def message_of(
    batch: Batch, deadline: float, generation: int, completed: Callable[[], None]
) -> BatchMessage:
    """Make the message that carries a batch to its stage.

    Args:
        batch: The batch.
        deadline: Monotonic seconds after which the rest of it waits.
        generation: The application's; Faust skips messages of another one.
        completed: Called by the stage when it has run the batch.
    """
    topic, number = batch.partition.key
    # The records travel in `batch`; Faust reads no more than where they come from.
    message = BatchMessage(
        topic=topic,
        partition=number,
        offset=max(batch.partition.position, 0),
        timestamp=0.0,
        timestamp_type=0,
        headers=[],
        key=None,
        value=b"",
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=0,
        tp=TP(topic, number),
    )
    message.batch = batch
    message.deadline = deadline
    message.completed = completed
    message.generation_id = generation
    return message
