"""The real codec with a registry of the driver's own."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.file_registry import FileRegistry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from streams.contracts.topics import Topic
    from streams.runtime.connection import KafkaConnection


class LocalCodec(Codec):
    """Registers every schema that it meets: nobody publishes to a driver's registry."""

    def prepare(self, topics: Iterable[Topic[Any]], *, register: bool = True) -> None:
        """See `Codec.prepare`."""
        super().prepare(topics, register=register)


def local_codec(registry: Path, connection: KafkaConnection) -> LocalCodec:
    """Make the codec.

    Args:
        registry: The file that keeps its schemas and ids.
        connection: Names the group, whose internal topics are meant.
    """
    return LocalCodec(_shipped(), FileRegistry(registry), connection.prefix, connection.group)


@cache
def _shipped() -> Catalog:
    """The shipped schemas, read once."""
    return Catalog.load()
