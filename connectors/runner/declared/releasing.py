"""Up to which time a running sink may carry records, by its flow's mode."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from streams.contracts.interfaces.orders import ordered_ms, releases_topic
from streams.contracts.interfaces.release import NONE_MS, Release
from streams.engine import read_compacted, topic_partitions
from streams.errors import Transient
from streams.runtime.clock import now_ms

if TYPE_CHECKING:
    from streams.runtime.connection import KafkaConnection

log = logging.getLogger(__name__)

LOOK_S = 3.0
"""How soon an order of a person is found."""


class Releasing:
    """Asks the clock, or a person's order, up to which time records may go.

    Args:
        release: The mode.
        flow: The flow, by which orders are found.
        connection: Where orders are.
    """

    def __init__(self, release: Release, flow: str, connection: KafkaConnection) -> None:
        self._release, self._flow, self._connection = release, flow, connection
        self._ordered_ms = NONE_MS
        self._look_at = 0.0

    @property
    def must_look(self) -> bool:
        """Whether it is time to look for orders."""
        return self._release.mode == "manual" and time.monotonic() >= self._look_at

    def look(self) -> None:
        """Look for orders; blocks for a moment. What cannot be read leaves things as they are."""
        self._look_at = time.monotonic() + LOOK_S
        topic = releases_topic(self._connection.prefix, self._connection.group)
        try:
            if topic in topic_partitions(self._connection):
                orders = read_compacted(self._connection, topic, 0)
                self._ordered_ms = ordered_ms(orders.get(self._flow.encode()))
        except Transient as error:
            log.warning("flow %s: orders cannot be read: %s", self._flow, error)

    def lets(self, timestamp_ms: int) -> bool:
        """Whether a record of a time may be carried now."""
        return timestamp_ms <= self._release.upto_ms(now_ms(), self._ordered_ms)
