"""A topic as the broker must hold it: what provisioning creates and preflight demands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic, by its full name on the broker.

    Attributes:
        name: Full name, with prefix and group.
        partitions: Number of partitions; it never shrinks.
        replication_factor: Copies of each partition.
        config: Topic settings by the broker's own names (`cleanup.policy`, `retention.ms`,
            `max.message.bytes`, `min.insync.replicas`, …), values as text.
    """

    name: str
    partitions: int
    replication_factor: int
    config: Mapping[str, str] = field(default_factory=dict)
