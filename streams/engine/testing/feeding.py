"""What goes into a driven job: events, raw bytes, the same once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.contracts.headers import headers_of
from streams.contracts.provenance import HEADER, begun
from streams.engine.testing.job import Job
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.contracts.topics import Topic


class Fed(Job):
    """Writes to the job's inputs."""

    def send(self, *events: object, topic: Topic[Any] | None = None) -> None:
        """Write events to the input that takes them.

        Args:
            events: The events, in order.
            topic: The input; not needed when the type of the event tells it.

        Raises:
            Misconfigured: No input of the job takes such an event, or several do.
            Poison: The event does not fit the topic's schema.
        """
        for event in events:
            to = topic if topic is not None else self._input_of(type(event))
            value = self.codec.encode(to, event)
            headers = headers_of(event, to)
            if to.provenance != "open":
                envelope = getattr(event, "envelope", None)
                first = begun("driver", "", getattr(envelope, "event_id", to.key(event)))
                headers = [*headers, (HEADER, first)]
            self._broker.append(self._full(to), to.key(event).encode(), value, headers)

    def send_raw(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        *,
        topic: Topic[Any] | None = None,
    ) -> None:
        """Write a record as bytes, whatever they are.

        Args:
            key: Key bytes.
            value: Value bytes.
            headers: Names and values.
            topic: The input; not needed when the job has one.
        """
        self._broker.append(self._full(topic or self._only_input()), key, value, headers)

    def redeliver(
        self, start: int = 0, stop: int | None = None, *, topic: Topic[Any] | None = None
    ) -> None:
        """Write what was already written once more, as new records: what `Transaction` prevents.

        Args:
            start: The first record, counted from 0.
            stop: The record to stop before; the last by default.
            topic: The input; not needed when the job has one.
        """
        name = self._full(topic or self._only_input())
        for each in self._broker.log(name).records[start:stop]:
            self._broker.append(name, each.octets_key, each.octets, each.pairs)

    def _input_of(self, kind: type[Any]) -> Topic[Any]:
        inputs = [stage.topic for stage in self._stages]
        for each in kind.__mro__:
            found = [topic for topic in inputs if topic.event is each]
            if len(found) == 1:
                return found[0]
            if found:
                break
        raise Misconfigured(
            f"not one input of this job takes a {kind.__qualname__}",
            code="which_topic",
            advice="say topic=, one of " + ", ".join(topic.name for topic in inputs),
        )

    def _only_input(self) -> Topic[Any]:
        if len(self._stages) == 1:
            return self._stages[0].topic
        raise Misconfigured(
            f"this job has {len(self._stages)} inputs",
            code="which_topic",
            advice="say topic=, one of " + ", ".join(each.topic.name for each in self._stages),
        )
