"""Reads a state that an earlier version wrote: step by step, up to the version that is written now.

A step is the store's own function where one is declared, and Avro's schema resolution elsewhere.
The schemas of earlier versions come from the registry, each version from a subject of its own.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import fastavro

from streams.contracts.wire.frames import BAD_VALUE, read_plain
from streams.contracts.wire.schema_tree import self_contained, shape
from streams.errors import Poison

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.contracts.wire.schema_tree import Schema

    Upcasters = Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]

UNFIT = (EOFError, IndexError, fastavro.read.SchemaResolutionError, *BAD_VALUE)
"""What Avro's own code raises for a value that does not fit a schema."""


class Lineage:
    """The versions of one state's schema.

    Args:
        subject: The subject of the version that is written now.
        current: Its schema, self-contained.
        version: Its number, from 1.
        earlier: Gives the schemas under an earlier version's subject, oldest first.
        upcasters: By the version they take: what makes the next version's value of a value.
    """

    def __init__(
        self,
        subject: str,
        current: Schema,
        version: int,
        earlier: Callable[[int], tuple[Schema, ...]],
        upcasters: Upcasters,
    ) -> None:
        self._subject, self._current, self._version = subject, current, version
        self._earlier, self._upcasters = earlier, upcasters

    def version_of(self, writer: Schema) -> int | None:
        """The earlier version that a writer's schema is of; None if it is none of them.

        Raises:
            Transient: `registry_unreachable`.
        """
        wanted = shape(writer)
        for version in range(self._version - 1, 0, -1):
            if any(shape(known) == wanted for known in self._schemas(version)):
                return version
        return None

    def reader(
        self, version: int, writer: Schema, read: Callable[[bytes, int], tuple[Any, int]]
    ) -> Callable[[bytes], Any]:
        """A reader of what an earlier version wrote.

        Args:
            version: That version.
            writer: The schema it wrote with.
            read: The reader of bytes without frame that are written with the current schema.

        Raises:
            Poison: `unreadable_schema`: the registry does not have a version that lies between.
            Transient: `registry_unreachable`.
        """
        steps = self._steps(version, writer)
        schema = fastavro.parse_schema(self._current)

        def upcasting(payload: bytes) -> Any:
            value = read_plain(payload, writer)
            try:
                for step in steps:
                    value = step(value)
                body = io.BytesIO()
                fastavro.schemaless_writer(body, schema, value)
            except UNFIT as failure:
                raise Poison(
                    f"A value of {self._subject} was written by version {version} and cannot be"
                    f" made one of version {self._version}: {failure!r}",
                    code="not_upcast",
                    advice="correct the upcaster of that version",
                ) from failure
            return read(body.getvalue(), 0)[0]

        return upcasting

    def _steps(self, version: int, writer: Schema) -> list[Callable[[Any], Any]]:
        steps: list[Callable[[Any], Any]] = []
        schema = writer
        for number in range(version, self._version):
            target = self._last(number + 1)
            declared = self._upcasters.get(number)
            steps.append(declared if declared is not None else _resolve(schema, target))
            schema = target
        return steps

    def _last(self, version: int) -> Schema:
        if version == self._version:
            return self._current
        known = self._schemas(version)
        if not known:
            raise Poison(
                f"The registry has no schema of version {version} of {self._subject}",
                code="unreadable_schema",
                advice="register it again from the release that had it",
            )
        return known[-1]

    def _schemas(self, version: int) -> tuple[Schema, ...]:
        return tuple(self_contained(schema) for schema in self._earlier(version))


def _resolve(writer: Schema, reader: Schema) -> Callable[[Any], Any]:
    """One step by Avro's own rules: defaults, promotions, aliases."""
    written, wanted = fastavro.parse_schema(writer), fastavro.parse_schema(reader)

    def resolve(value: Any) -> Any:
        body = io.BytesIO()
        fastavro.schemaless_writer(body, written, value)
        body.seek(0)
        return fastavro.schemaless_reader(body, written, wanted)

    return resolve
