"""Turn what a rule emits into records: topic by type, key, bytes, headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.contracts.headers import headers_of as envelope_headers
from streams.errors import LotgateError, Poison

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.contracts.topics import Topic
    from streams.engine.declare import Encoding, Stage
    from streams.engine.poison.letters import Output
    from streams.engine.poison.stored import Raw

Headers = list[tuple[str, bytes]]
TRACE = "traceparent"


class Undeclared(LotgateError):
    """A rule emitted a type that its stage does not declare: a mistake in the program."""

    code = "undeclared_emit"


class Effects:
    """Encodes the outputs of one stage."""

    def __init__(
        self, stage: Stage, codec: Encoding, names: dict[str, str], limit_bytes: int
    ) -> None:
        """Prepare for a stage.

        Args:
            stage: Gives the topics by event type.
            codec: Encodes the events.
            names: Full names of topics by their declared names.
            limit_bytes: Largest record that may be emitted.
        """
        self._stage = stage
        self._codec = codec
        self._names = names
        self._limit = limit_bytes
        self._routes: dict[type[Any], tuple[Topic[Any], str]] = {}

    def outputs(
        self, events: Iterable[object], record: Raw | None, told: Headers | None = None
    ) -> tuple[list[Output], list[Poison]]:
        """Encode what a rule emitted.

        Args:
            events: The emitted objects; a `Poison` among them says that a part of the record was
                rejected while the rest flows.
            record: The record they follow from; None for a timer.
            told: Further headers of each output; the record's trace by default.

        Returns:
            The records to produce, and what was rejected.

        Raises:
            Poison: An event cannot be encoded or is too large: the whole record is at fault.
            Undeclared: The stage does not declare such a type.
        """
        outputs: list[Output] = []
        rejected: list[Poison] = []
        trace = self._trace(record) if told is None else told
        for event in events:
            if isinstance(event, Poison):
                rejected.append(event)
            else:
                outputs.append(self._output(event, trace))
        return outputs, rejected

    def _output(self, event: object, trace: list[tuple[str, bytes]]) -> Output:
        topic, name = self._routes.get(type(event)) or self._route(event)
        value = self._codec.encode(topic, event)
        key = topic.key(event).encode()
        headers = envelope_headers(event, topic)
        if trace and not any(known == trace[0][0] for known, _ in headers):
            headers = [*headers, *trace]
        size = len(value) + len(key) + sum(len(a) + len(b) + 8 for a, b in headers) + 128
        if size > self._limit:
            raise Poison(
                f"stage {self._stage.name} emitted a record of {size} bytes for {name}, the limit"
                f" is {self._limit}",
                code="record_too_large",
                kept="the input record, as a dead letter",
                advice="make the rule emit less, or raise the limit here and at the topic",
            )
        return (name, key, value, headers or None)

    def _route(self, event: object) -> tuple[Topic[Any], str]:
        for kind in type(event).__mro__:
            topic = self._stage.routes.get(kind)
            if topic is not None:
                found = (topic, self._names[topic.name])
                self._routes[type(event)] = found
                return found
        raise Undeclared(
            f"stage {self._stage.name} emitted a {type(event).__qualname__}, which none of its"
            f" topics takes",
            kept="the record was not consumed",
            advice=f"add the topic of that type to emits= of stage {self._stage.name}",
        )

    @staticmethod
    def _trace(record: Raw | None) -> list[tuple[str, bytes]]:
        headers = record.headers() if record is not None else None
        if not headers:
            return []
        return [(name, value) for name, value in headers if name == TRACE]
