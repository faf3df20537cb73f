"""One partition's share of a cycle, on its way through Faust to its stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import faust
from faust.types import ConsumerMessage

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
