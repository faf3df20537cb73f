"""The schemas that records were written with, by id: asked for once, checked, remembered."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import fastavro

from streams.contracts.wire.frames import BAD_VALUE, judged, read_plain
from streams.contracts.wire.schema_tree import self_contained
from streams.errors import Misconfigured, Poison

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.contracts.registry import Registry
    from streams.contracts.wire.schema_tree import Schema

ASK_AGAIN_S = 30.0
"""How long an id that the registry did not know is not asked for again."""
_REMEMBERED_UNKNOWN = 1024
_NO_SCHEMA = (
    fastavro.schema.SchemaParseException,
    AttributeError,
    KeyError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a text that is no schema, or one nested without end, makes of its reader."""
_OURS_TO_FIX = frozenset({"registry_refused", "not_a_registry", "bad_registry_file"})


class WriterSchemas:
    """A registry's schemas as they are needed for reading.

    Args:
        registry: Who knows the ids.
        clock: Seconds, only ever rising.
    """

    def __init__(self, registry: Registry, clock: Callable[[], float]) -> None:
        self._registry, self._clock = registry, clock
        self._known: dict[int, Schema] = {}
        self._unknown: dict[int, tuple[float, Poison]] = {}

    def know(self, schema_id: int, schema: Schema) -> None:
        """Note a schema whose id is known already."""
        self._known.setdefault(schema_id, schema)

    def schema(self, schema_id: int) -> Schema:
        """The self-contained schema of an id.

        Raises:
            Poison: `unknown_schema_id`; `unreadable_schema` if the schema is not valid or not
                safe to decode with.
            Transient: `registry_unreachable`.
        """
        found = self._known.get(schema_id)
        if found is not None:
            return found
        now = self._clock()
        remembered = self._unknown.get(schema_id)
        if remembered is not None and now < remembered[0]:
            raise remembered[1]
        try:
            found = self_contained(self._registry.schema_of(schema_id))
            fastavro.parse_schema(found)
        except Poison as unknown:
            if len(self._unknown) >= _REMEMBERED_UNKNOWN:
                self._unknown.clear()
            self._unknown[schema_id] = (now + ASK_AGAIN_S, unknown)
            raise
        except (Misconfigured, *_NO_SCHEMA) as error:
            # A schema that refuses to be used is the record's fault; a registry that refuses us
            # is not, and must not cost a record.
            if isinstance(error, Misconfigured) and error.code in _OURS_TO_FIX:
                raise
            raise Poison(
                f"Schema id {schema_id} cannot be used for reading: {error}",
                code="unreadable_schema",
                advice="find the producer that registered it",
            ) from error
        self._known[schema_id] = found
        return found


def resolving_reader(
    subject: str, schema: Schema, read: Callable[[bytes, int], tuple[Any, int]], writer: Schema
) -> Callable[[bytes], Any]:
    """A reader of another version: resolved by fastavro, then read in our own form.

    Old versions are rare, so one more encoding is cheaper to own than a second set of readers.
    """

    def resolving(payload: bytes) -> Any:
        body = io.BytesIO()
        try:
            value = read_plain(payload, writer, schema)
            fastavro.schemaless_writer(body, schema, value)
            return read(body.getvalue(), 0)[0]
        except fastavro.read.SchemaResolutionError as error:
            raise Poison(
                f"A record for {subject} was written with a schema that ours cannot read: {error}",
                code="unreadable_schema",
                advice="publish the new form as a topic of its own beside this one",
            ) from error
        except (IndexError, *BAD_VALUE) as error:
            raise judged(error, payload, subject) from error

    return resolving
