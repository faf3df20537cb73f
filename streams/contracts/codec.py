"""Records as bytes: Avro in Confluent's frame, one id per schema, nothing in them trusted."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from streams.contracts.evolution import publish
from streams.contracts.evolution.upcasters import fact_lineage
from streams.contracts.topics import RECORD_LIMIT_BYTES
from streams.contracts.wire.frames import (
    BAD_VALUE,
    FRAME_BYTES,
    frame,
    judged,
    read_plain,
    schema_id_of,
    too_large,
    wrong_end,
)
from streams.contracts.wire.plan import plan
from streams.contracts.wire.reading.late import LateReader, is_late
from streams.contracts.wire.reading.strict import compile_reader
from streams.contracts.wire.schema_tree import self_contained, shape, title_of
from streams.contracts.wire.upcasting import Lineage
from streams.contracts.wire.writers import WriterSchemas, resolving_reader
from streams.contracts.wire.writing import compile_writer
from streams.errors import Misconfigured, Poison

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from streams.contracts.catalog import Catalog
    from streams.contracts.registry import Registry
    from streams.contracts.topics import Topic
    from streams.contracts.wire.plan import Node
    from streams.contracts.wire.schema_tree import Schema

E = TypeVar("E")


@dataclass(slots=True)
class _Binding:
    """What the codec knows of one topic.

    Attributes:
        event: The type of its records.
        subject: Its subject in the registry.
        schema: Our schema, self-contained.
        shape: The same as `schema_tree.shape`.
        node: How schema and type fit together.
        encode: Gives the bytes of an event.
        read: The generated reader of bytes written with our schema.
        frame: Frame of records we write; empty until `Codec.prepare`.
        readers: For each writer's frame: payload to event.
        late: The same, where fields may be read when they are used.
        lineage: What reads states or facts of earlier versions; None where Avro's own rules do.
    """

    event: type
    subject: str
    schema: Schema
    shape: str
    node: Node
    encode: Callable[[Any], bytes]
    read: Callable[[bytes, int], tuple[Any, int]]
    frame: bytes
    readers: dict[bytes, Callable[[bytes], Any]]
    late: dict[bytes, Callable[[bytes], Any]]
    lineage: Lineage | None


@dataclass(frozen=True, slots=True)
class Form:
    """In which form a topic's records are written.

    Attributes:
        name: Full name of the schema.
        version: Number of its version; 1 for a topic whose versions all read each other.
        fingerprint: Tells whether two schemas of one version are the same on the wire.
    """

    name: str
    version: int
    fingerprint: str


class Codec:
    """Encodes and decodes the records of topics.

    Args:
        catalog: Where topics that name a schema find it.
        registry: Where ids come from.
        prefix: The installation's prefix of topic names.
        group: The group whose internal topics are meant.
        limit: The largest record that is read or written, in bytes.
        clock: Seconds, only ever rising; for how long an unknown id is not asked for again.
    """

    def __init__(
        self,
        catalog: Catalog,
        registry: Registry,
        prefix: str = "",
        group: str = "lotgate",
        *,
        limit: int = RECORD_LIMIT_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.catalog = catalog
        self.registry = registry
        self._prefix, self._group, self._limit = prefix, group, limit
        self._bindings: dict[str, _Binding] = {}
        self._writers = WriterSchemas(registry, clock)

    def subject(self, topic: Topic[Any]) -> str:
        """The subject of a topic's values."""
        return self._subject(topic, self._version(topic))

    def form(self, topic: Topic[Any]) -> Form:
        """The form that a topic's records are written in."""
        binding = self._binding(topic)
        digest = hashlib.sha256(binding.shape.encode()).hexdigest()
        return Form(title_of(binding.schema), self._version(topic), digest)

    def schema(self, topic: Topic[Any]) -> Schema:
        """The self-contained schema that a topic's records are written with."""
        return self._binding(topic).schema

    def prepare(self, topics: Iterable[Topic[Any]], *, register: bool = False) -> None:
        """Resolve the schema ids of topics that will be written.

        Args:
            topics: The topics.
            register: Register schemas that the registry does not have. Otherwise that is the work
                of `lotgate schema publish`, done once at deployment with its own rights.

        Raises:
            Misconfigured: `schema_not_registered`, naming the subject and the command to run;
                `incompatible_schema`; `model_schema_mismatch`.
            Transient: `registry_unreachable`.
        """
        for topic in topics:
            binding = self._binding(topic)
            if binding.frame:
                continue
            found = self.registry.lookup(binding.subject, binding.schema)
            if found is None and register:
                found = publish(self.registry, binding.subject, binding.schema)
            if found is None:
                raise Misconfigured(
                    f"The registry has no schema {title_of(binding.schema)} under the subject "
                    f"{binding.subject}",
                    code="schema_not_registered",
                    kept="nothing was read or produced",
                    advice="run `lotgate schema publish` with this release against this registry",
                )
            binding.frame = frame(found)
            binding.readers[binding.frame] = self._own_reader(binding)
            self._read_late(binding, binding.frame)
            self._writers.know(found, binding.schema)

    def encode(self, topic: Topic[E], event: E) -> bytes:
        """An event as the bytes of a record.

        Raises:
            Poison: `bad_value`: the event does not fit its schema; `too_large`.
            Misconfigured: `topic_not_prepared`.
        """
        binding = self._bindings.get(topic.name)
        if binding is None:
            raise _not_prepared(topic)
        return binding.encode(event)

    def encoder(self, topic: Topic[E]) -> Callable[[E], bytes]:
        """`encode` for one topic, for whoever writes many of its records."""
        return self._binding(topic).encode

    def decode(self, topic: Topic[E], payload: bytes) -> E:
        """The event in a record's bytes.

        Raises:
            Poison: `not_framed`, `unknown_schema_id`, `truncated_body`, `trailing_bytes`,
                `bad_value`, `unreadable_schema`, `too_large`.
            Transient: `registry_unreachable`.
        """
        binding = self._bindings.get(topic.name)
        if binding is None or binding.event is not topic.event:
            binding = self._binding(topic)
        reader = binding.readers.get(payload[:FRAME_BYTES])
        if reader is None:
            reader = self._reader_for(binding, payload)
        if len(payload) > self._limit:
            raise too_large(len(payload), self._limit, binding.subject)
        event: E = reader(payload)
        return event

    def readers(self, topic: Topic[E]) -> Mapping[bytes, Callable[[bytes], E]]:
        """What reads a topic's records for a rule, by the frame that they begin with.

        A field of such an event may be read when it is used: then `bad_value` is raised by the
        use. Records with a frame that is not among these take `decode`, which adds it if it can.
        The mapping changes while it is used: look a reader up for each record.
        """
        return self._binding(topic).late

    def decode_any(self, payload: bytes) -> tuple[str, Any]:
        """Decode a record by its writer's schema alone, for tools.

        Returns:
            The schema's full name (or kind of type), and the value as plain Python.

        Raises:
            Poison: As `decode`.
            Transient: `registry_unreachable`.
        """
        writer = self._writers.schema(schema_id_of(payload))
        return title_of(writer), read_plain(payload, writer)

    def writer(self, payload: bytes) -> Schema:
        """The schema that a record was written with.

        Raises:
            Poison: `not_framed`, `unknown_schema_id`, `unreadable_schema`.
            Transient: `registry_unreachable`.
        """
        return self._writers.schema(schema_id_of(payload))

    def _binding(self, topic: Topic[Any]) -> _Binding:
        binding = self._bindings.get(topic.name)
        if binding is not None and binding.event is not topic.event:
            raise Misconfigured(
                f"{topic.name} is declared for {binding.event.__name__} and for "
                f"{topic.event.__name__}",
                code="topic_declared_twice",
                advice="declare a topic once, as one value",
            )
        if binding is None:
            named = topic.schema
            schema = self.catalog.schema(named) if isinstance(named, str) else self_contained(named)
            node = plan(schema, topic.event)
            binding = _Binding(
                event=topic.event,
                subject=self.subject(topic),
                schema=schema,
                shape=shape(schema),
                node=node,
                encode=lambda _: b"",
                read=compile_reader(node),
                frame=b"",
                readers={},
                late={},
                lineage=self._lineage(topic, schema),
            )
            binding.encode = self._encode(topic, binding)
            self._bindings[topic.name] = binding
        return binding

    def _reader_for(self, binding: _Binding, payload: bytes) -> Callable[[bytes], Any]:
        schema_id = schema_id_of(payload)
        if len(payload) > self._limit:
            raise too_large(len(payload), self._limit, binding.subject)
        writer = self._writers.schema(schema_id)
        if shape(writer) == binding.shape:
            reader = self._own_reader(binding)
            self._read_late(binding, frame(schema_id))
        elif binding.lineage is not None and (earlier := binding.lineage.version_of(writer)):
            reader = binding.lineage.reader(earlier, writer, binding.read)
        else:
            reader = resolving_reader(binding.subject, binding.schema, binding.read, writer)
        binding.readers[frame(schema_id)] = reader
        return reader

    def _version(self, topic: Topic[Any]) -> int:
        if topic.evolution is None:
            return 1
        if topic.evolution.version is not None:
            return topic.evolution.version
        return self.catalog.version_of(topic.schema) if isinstance(topic.schema, str) else 1

    def _subject(self, topic: Topic[Any], version: int) -> str:
        name = topic.full_name(self._prefix, self._group)
        return f"{name}-value" if version == 1 else f"{name}-v{version}-value"

    def _lineage(self, topic: Topic[Any], schema: Schema) -> Lineage | None:
        """What reads states or facts of earlier versions; None where Avro's own rules do."""
        version = self._version(topic)
        if topic.evolution is None:
            named = topic.schema
            return (
                fact_lineage(self.catalog, named, self.subject(topic))
                if isinstance(named, str)
                else None
            )
        if version == 1:
            return None

        def earlier(number: int) -> tuple[Schema, ...]:
            return self.registry.versions(self._subject(topic, number))

        upcasters = topic.evolution.upcasters
        return Lineage(self.subject(topic), schema, version, earlier, upcasters)

    def _encode(self, topic: Topic[Any], binding: _Binding) -> Callable[[Any], bytes]:
        write, limit = compile_writer(binding.node), self._limit

        def encode(event: Any) -> bytes:
            if not binding.frame:
                raise _not_prepared(topic)
            try:
                payload = write(event, binding.frame)
            except BAD_VALUE as error:
                raise Poison(
                    f"A {type(event).__name__} does not fit {binding.subject}: {error}",
                    code="bad_value",
                    advice="correct the rule or translator that made it, then replay",
                ) from error
            if len(payload) > limit:
                raise too_large(len(payload), limit, binding.subject)
            return payload

        return encode

    def _read_late(self, binding: _Binding, head: bytes) -> None:
        """Make the reader for rules, of records that our own schema describes, if it can be."""

        def install(read: Callable[[bytes], Any]) -> None:
            binding.late[head] = read

        if is_late(binding.node):
            install(LateReader(binding.node, binding.subject, self._limit, install).read)

    def _own_reader(self, binding: _Binding) -> Callable[[bytes], Any]:
        read = binding.read

        def own(payload: bytes) -> Any:
            try:
                value, end = read(payload, FRAME_BYTES)
            except (IndexError, *BAD_VALUE) as error:
                raise judged(error, payload, binding.subject) from error
            if end != len(payload):
                raise wrong_end(end, len(payload), binding.subject)
            return value

        return own


def _not_prepared(topic: Topic[Any]) -> Misconfigured:
    return Misconfigured(f"{topic.name} is written but was not prepared", code="topic_not_prepared")
