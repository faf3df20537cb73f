"""Turn what a rule emits into records: topic by type, key, bytes, headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.contracts.headers import headers_of as envelope_headers
from streams.contracts.provenance import HEADER, appended, begun, step
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
    """Encodes the outputs of one stage.

    Attributes:
        chain: The chain of the record at hand, where the stage's topic asks for one; None where
            it is taken from the record's headers if there is any.
    """

    def __init__(
        self,
        stage: Stage,
        codec: Encoding,
        names: dict[str, str],
        limit_bytes: int,
        build: str,
    ) -> None:
        """Prepare for a stage.

        Args:
            stage: Gives the topics by event type.
            codec: Encodes the events.
            names: Full names of topics by their declared names.
            limit_bytes: Largest record that may be emitted.
            build: Version of the running code: the stage's own where it states none.
        """
        self.chain: bytes | None = None
        self._step = step(stage.name, stage.version or build)
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
        trace, chain = self._carried(record)
        carried = bool(chain)
        if told is not None:
            trace, chain = told, self._of_timer(told)
        for event in events:
            if isinstance(event, Poison):
                rejected.append(event)
            else:
                outputs.append(self._output(event, trace, chain, carried=carried))
        return outputs, rejected

    def _output(self, event: object, trace: Headers, chain: bytes, *, carried: bool) -> Output:
        topic, name = self._routes.get(type(event)) or self._route(event)
        value = self._codec.encode(topic, event)
        key = topic.key(event).encode()
        headers = envelope_headers(event, topic)
        if carried or headers or topic.provenance != "open":
            headers = [*headers, (HEADER, appended(chain, self._step, event))]
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

    def _carried(self, record: Raw | None) -> tuple[Headers, bytes]:
        """The trace and the chain of a record, empty for none."""
        headers = record.headers() if record is not None else None
        trace: Headers = []
        chain = self.chain or b""
        for name, value in headers or ():
            if name == TRACE:
                trace.append((name, value))
            elif name == HEADER and self.chain is None:
                chain = value or b""
        return trace, chain

    def _of_timer(self, told: Headers) -> bytes:
        """A firing follows from no record: its chain begins with the timer."""
        # Name, key and due time: a replayed history says the same again.
        timer = ":".join(value.decode(errors="backslashreplace") for _, value in told[:3])
        return begun(f"timer/{self._stage.name}", "", timer)
