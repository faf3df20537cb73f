"""The real codec with a registry of the driver's own."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.file_registry import FileRegistry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.contracts.topics import Topic
    from streams.runtime.connection import KafkaConnection


class LocalCodec(Codec):
    """Registers every schema that it meets: nobody publishes to a driver's registry."""

    def prepare(self, topics: Iterable[Topic[Any]], *, register: bool = True) -> None:
        """See `Codec.prepare`."""
        super().prepare(topics, register=register)


class MemoryRegistry(FileRegistry):
    """The registry of a file, without the file."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__(Path())

    def _read(self) -> None:
        """What was registered is here."""

    def _write(self) -> None:
        """Nobody else reads it."""


def local_codec(registry: MemoryRegistry, connection: KafkaConnection) -> LocalCodec:
    """Make the codec.

    Args:
        registry: Keeps the schemas and ids over the restarts of a process.
        connection: Names the group, whose internal topics are meant.
    """
    return LocalCodec(_shipped(), registry, connection.prefix, connection.group)


@cache
def _shipped() -> Catalog:
    """The shipped schemas, read once."""
    return Catalog.load()
