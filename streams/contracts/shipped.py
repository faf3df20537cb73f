"""The codec that every process uses: the shipped schemas, and ids from its registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.registry import ConfluentRegistry

if TYPE_CHECKING:
    from streams.contracts.provisioning import Placement


def shipped_codec(registry_url: str, placement: Placement, kind: type[Codec] = Codec) -> Codec:
    """Make the codec of a process; nothing is asked of the registry yet.

    Args:
        registry_url: Root of the registry's Confluent-compatible interface.
        placement: Prefix and group whose topics are meant.
        kind: The class to make.
    """
    registry = ConfluentRegistry(registry_url)
    return kind(Catalog.load(), registry, placement.prefix, placement.group)
