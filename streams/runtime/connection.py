"""How a process reaches the broker, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Where the broker is and who we are there.

    Attributes:
        bootstrap: `host:port[,host:port…]`.
        prefix: Installation prefix of topics, groups, transactional ids; empty for none.
        group: The worker's group without prefix; internal topics carry it in their names.
        security: librdkafka settings for TLS and SASL; empty for a plain local listener.
        replication_factor: Copies that provisioning asks for and preflight demands at least.
        min_insync: `min.insync.replicas` that preflight demands at least.
    """

    bootstrap: str
    prefix: str = ""
    group: str = "lotgate"
    security: Mapping[str, str] = field(default_factory=dict, repr=False)
    replication_factor: int = 1
    min_insync: int = 1
