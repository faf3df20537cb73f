"""Records as bytes: Avro in Confluent's frame, one id per schema, nothing in them trusted."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import fastavro

from streams.contracts.schema_tree import self_contained, shape, title_of
from streams.contracts.topics import RECORD_LIMIT_BYTES
from streams.contracts.wire.plan import plan
from streams.contracts.wire.reading import compile_reader
from streams.contracts.wire.varints import TruncatedError
from streams.contracts.wire.writing import compile_writer
from streams.errors import Misconfigured, Poison

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streams.contracts.catalog import Catalog
    from streams.contracts.registry import Registry
    from streams.contracts.schema_tree import Schema
    from streams.contracts.topics import Topic

E = TypeVar("E")

MAGIC = 0
FRAME_BYTES = 5
"""A zero byte, then the schema id as an unsigned 32-bit integer, big end first."""
_ASK_AGAIN_S = 30.0
"""How long an id that the registry did not know is not asked for again."""
_REMEMBERED_UNKNOWN = 1024
_BAD = (ValueError, ArithmeticError, TypeError, KeyError, AttributeError)


@dataclass(slots=True)
class _Binding:
    """What the codec knows of one topic.

    Attributes:
        subject: Its subject in the registry.
        schema: Our schema, self-contained.
        shape: The same as `schema_tree.shape`.
        write: The generated writer.
        read: The generated reader of bytes written with our schema.
        frame: Frame of records we write; empty until `Codec.prepare`.
        readers: For each writer's schema id: payload to event.
    """

    subject: str
    schema: Schema
    shape: str
    write: Callable[[Any, bytes], bytes]
    read: Callable[[bytes, int], tuple[Any, int]]
    frame: bytes
    readers: dict[int, Callable[[bytes], Any]]


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
        self._prefix, self._group, self._limit, self._clock = prefix, group, limit, clock
        self._bindings: dict[str, _Binding] = {}
        self._writers: dict[int, Schema] = {}
        self._unknown: dict[int, tuple[float, Poison]] = {}

    def subject(self, topic: Topic[Any]) -> str:
        """The subject of a topic's values."""
        return f"{topic.full_name(self._prefix, self._group)}-value"

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
                found = self.registry.register(binding.subject, binding.schema)
            if found is None:
                raise Misconfigured(
                    f"The registry has no schema {title_of(binding.schema)} under the subject "
                    f"{binding.subject}",
                    code="schema_not_registered",
                    kept="nothing was read or produced",
                    advice="run `lotgate schema publish` with this release against this registry",
                )
            binding.frame = bytes([MAGIC]) + found.to_bytes(4, "big")
            binding.readers[found] = self._own_reader(binding)
            self._writers.setdefault(found, binding.schema)

    def encode(self, topic: Topic[E], event: E) -> bytes:
        """An event as the bytes of a record.

        Raises:
            Poison: `bad_value`: the event does not fit its schema; `too_large`.
            Misconfigured: `topic_not_prepared`.
        """
        binding = self._bindings.get(topic.name)
        if binding is None or not binding.frame:
            raise Misconfigured(
                f"{topic.name} is written but was not prepared", code="topic_not_prepared"
            )
        try:
            payload = binding.write(event, binding.frame)
        except _BAD as error:
            raise Poison(
                f"A {type(event).__name__} does not fit {binding.subject}: {error}",
                code="bad_value",
                advice="correct the rule or translator that made it, then replay",
            ) from error
        if len(payload) > self._limit:
            raise self._too_large(len(payload), topic)
        return payload

    def decode(self, topic: Topic[E], payload: bytes) -> E:
        """The event in a record's bytes.

        Raises:
            Poison: `not_framed`, `unknown_schema_id`, `truncated_body`, `trailing_bytes`,
                `bad_value`, `unreadable_schema`, `too_large`.
            Transient: `registry_unreachable`.
        """
        if len(payload) < FRAME_BYTES or payload[0] != MAGIC:
            raise _not_framed(payload)
        if len(payload) > self._limit:
            raise self._too_large(len(payload), topic)
        schema_id = int.from_bytes(payload[1:FRAME_BYTES], "big")
        binding = self._binding(topic)
        reader = binding.readers.get(schema_id)
        if reader is None:
            reader = self._reader_for(binding, schema_id)
        event: E = reader(payload)
        return event

    def decode_any(self, payload: bytes) -> tuple[str, Any]:
        """Decode a record by its writer's schema alone, for tools.

        Returns:
            The schema's full name (or kind of type), and the value as plain Python.

        Raises:
            Poison: As `decode`.
            Transient: `registry_unreachable`.
        """
        if len(payload) < FRAME_BYTES or payload[0] != MAGIC:
            raise _not_framed(payload)
        writer = self._writer(int.from_bytes(payload[1:FRAME_BYTES], "big"))
        return title_of(writer), read_plain(payload, writer)

    def _binding(self, topic: Topic[Any]) -> _Binding:
        binding = self._bindings.get(topic.name)
        if binding is None:
            named = topic.schema
            schema = self.catalog.schema(named) if isinstance(named, str) else self_contained(named)
            node = plan(schema, topic.event)
            binding = _Binding(
                subject=self.subject(topic),
                schema=schema,
                shape=shape(schema),
                write=compile_writer(node),
                read=compile_reader(node),
                frame=b"",
                readers={},
            )
            self._bindings[topic.name] = binding
        return binding

    def _reader_for(self, binding: _Binding, schema_id: int) -> Callable[[bytes], Any]:
        writer = self._writer(schema_id)
        same = shape(writer) == binding.shape
        reader = self._own_reader(binding) if same else _resolving_reader(binding, writer)
        binding.readers[schema_id] = reader
        return reader

    def _own_reader(self, binding: _Binding) -> Callable[[bytes], Any]:
        read = binding.read

        def own(payload: bytes) -> Any:
            try:
                value, end = read(payload, FRAME_BYTES)
            except (IndexError, *_BAD) as error:
                raise _judged(error, payload, binding.subject) from error
            if end != len(payload):
                raise _wrong_end(end, len(payload), binding.subject)
            return value

        return own

    def _writer(self, schema_id: int) -> Schema:
        """The schema of an id, fetched once; an unknown one is asked for every 30 s at most."""
        writer = self._writers.get(schema_id)
        if writer is not None:
            return writer
        now = self._clock()
        remembered = self._unknown.get(schema_id)
        if remembered is not None and now < remembered[0]:
            raise remembered[1]
        try:
            writer = self_contained(self.registry.schema_of(schema_id))
            fastavro.parse_schema(writer)
        except Poison as unknown:
            if len(self._unknown) >= _REMEMBERED_UNKNOWN:
                self._unknown.clear()
            self._unknown[schema_id] = (now + _ASK_AGAIN_S, unknown)
            raise
        except (Misconfigured, fastavro.schema.SchemaParseException) as error:
            raise Poison(
                f"Schema id {schema_id} cannot be used for reading: {error}",
                code="unreadable_schema",
                advice="find the producer that registered it",
            ) from error
        self._writers[schema_id] = writer
        return writer

    def _too_large(self, size: int, topic: Topic[Any]) -> Poison:
        return Poison(
            f"A record of {topic.name} has {size} bytes, more than {self._limit}",
            code="too_large",
            advice="split it at its source",
        )


def read_plain(payload: bytes, writer: Schema, reader: Schema | None = None) -> Any:
    """Decode a framed record as plain Python values, with schema resolution.

    Args:
        payload: The record, frame included.
        writer: The schema it was written with, self-contained.
        reader: The schema to read it as; default: the writer's.

    Raises:
        Poison: `truncated_body`, `trailing_bytes`, `bad_value`.
    """
    body = io.BytesIO(payload)
    body.seek(FRAME_BYTES)
    try:
        value = fastavro.schemaless_reader(body, writer, reader)
    except (EOFError, IndexError, MemoryError, *_BAD) as error:
        raise _judged(error, payload, title_of(writer)) from error
    if body.tell() != len(payload):
        raise _wrong_end(body.tell(), len(payload), title_of(writer))
    return value


def _resolving_reader(binding: _Binding, writer: Schema) -> Callable[[bytes], Any]:
    """A reader of another version: resolved by fastavro, then read in our own form.

    Old versions are rare, so one more encoding is cheaper to own than a second set of readers.
    """

    def resolving(payload: bytes) -> Any:
        body = io.BytesIO()
        try:
            value = read_plain(payload, writer, binding.schema)
            fastavro.schemaless_writer(body, binding.schema, value)
            return binding.read(body.getvalue(), 0)[0]
        except fastavro.read.SchemaResolutionError as error:
            raise Poison(
                f"A record for {binding.subject} was written with a schema that ours cannot read: "
                f"{error}",
                code="unreadable_schema",
                advice="publish the new form as a topic of its own beside this one",
            ) from error
        except (IndexError, *_BAD) as error:
            raise _judged(error, payload, binding.subject) from error

    return resolving


def _not_framed(payload: bytes) -> Poison:
    return Poison(
        f"The record begins with {payload[:FRAME_BYTES].hex() or 'nothing'}, not with a zero byte "
        "and a schema id",
        code="not_framed",
        advice="find the producer; it does not write through the schema registry",
    )


def _judged(error: BaseException, payload: bytes, where: str) -> Poison:
    """Tell a body that was cut from one that is wrong."""
    cut = isinstance(error, EOFError | IndexError | TruncatedError)
    if isinstance(error, UnicodeDecodeError):
        # A text cut inside a character is cut, not wrong.
        cut = error.reason == "unexpected end of data" and payload.endswith(error.object)
    if cut:
        return _wrong_end(len(payload) + 1, len(payload), where)
    return Poison(
        f"A record for {where} holds a value that its schema does not allow: {error}",
        code="bad_value",
        advice="compare the record's bytes with its producer's version",
    )


def _wrong_end(end: int, size: int, where: str) -> Poison:
    if end > size:
        return Poison(
            f"A record for {where} ends after {size} bytes, before its last value",
            code="truncated_body",
            advice="fetch it again from its source; these bytes are not complete",
        )
    return Poison(
        f"A record for {where} goes on for {size - end} bytes after its last value",
        code="trailing_bytes",
        advice="compare its schema id with its producer; the id may be another schema's",
    )
