"""What a driven job has done: its outputs, states, dead letters, timers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from streams.contracts.topics import dead_letters, prefixed
from streams.engine.state.keys import user_key
from streams.engine.testing.job import Job
from streams.engine.testing.worker import changelog_name
from streams.engine.timers.asked import KEY_ERRORS
from streams.engine.timers.places import ASIDE, DUE, Place, read, read_aside
from streams.errors import Misconfigured
from streams.model.verdict import Timer

if TYPE_CHECKING:
    from streams.contracts.topics import Topic
    from streams.engine.declare import Stage, Store
    from streams.engine.kafka.records import Record

E = TypeVar("E")
S = TypeVar("S")


class Seen(Job):
    """Reads what is committed. Nothing of an unfinished cycle is in it."""

    def records(self, topic: Topic[Any]) -> list[Record]:
        """The records of a topic as a reader of the broker would see them, headers included."""
        return self._broker.records(self._full(topic))

    @overload
    def emitted(self, topic: Topic[E]) -> list[E]: ...
    @overload
    def emitted(self, topic: None = None) -> list[Any]: ...
    def emitted(self, topic: Topic[Any] | None = None) -> list[Any]:
        """The events that rules emitted, in order.

        Args:
            topic: Of one topic; by default of all topics that the stages emit to, one after
                the other.
        """
        topics = [topic] if topic is not None else self._outputs()
        return [
            self.codec.decode(each, record.value or b"")
            for each in topics
            for record in self.records(each)
        ]

    @overload
    def state(self, key: str, store: Store[S]) -> S | None: ...
    @overload
    def state(self, key: str, store: None = None) -> Any: ...
    def state(self, key: str, store: Store[Any] | None = None) -> Any:
        """The state of a key, None if it has none.

        Args:
            key: The key.
            store: Whose state; not needed when the job has one store.
        """
        chosen, stage = self._stateful(store)
        octets = self._broker.compacted(self._changelog(stage)).get(user_key(key.encode()))
        return None if octets is None else self.codec.decode(chosen.topic, octets)

    @overload
    def states(self, store: Store[S]) -> dict[str, S]: ...
    @overload
    def states(self, store: None = None) -> dict[str, Any]: ...
    def states(self, store: Store[Any] | None = None) -> dict[str, Any]:
        """Every state by key.

        Args:
            store: Whose states; not needed when the job has one store.
        """
        chosen, stage = self._stateful(store)
        entries = self._broker.compacted(self._changelog(stage))
        return {
            key.decode(): self.codec.decode(chosen.topic, octets)
            for key, octets in entries.items()
            if not key.startswith(b"\0")
        }

    def kept(self, store: Store[Any] | None = None) -> dict[bytes, bytes]:
        """Everything in a store's changelog as bytes, the engine's own records included.

        Args:
            store: Whose; not needed when the job has one store.
        """
        return self._broker.compacted(self._changelog(self._stateful(store)[1]))

    def timers(self, key: str | None = None, *, store: Store[Any] | None = None) -> list[Timer]:
        """The pending timers, in the order in which they are due.

        Args:
            key: Of one key; by default of all.
            store: In whose stage; not needed when the job has one store.
        """
        found = sorted(map(_pending, filter(_is_timer, self.kept(store))))
        named = [Timer(at.name, at.due_us, at.key.decode(errors=KEY_ERRORS)) for at in found]
        return [timer for timer in named if key is None or timer.key == key]

    def dead_letters(self) -> list[Record]:
        """Every dead letter ever written, in order, those that were resolved included.

        The value is the record's own bytes; `record.header("lotgate-dlq-code")` and its
        neighbours tell what happened.
        """
        connection = self._settings.connection
        return self._broker.records(prefixed(connection.prefix, dead_letters(connection.group)))

    def _changelog(self, stage: Stage) -> str:
        return changelog_name(self._settings, stage)

    def _outputs(self) -> list[Topic[Any]]:
        named = {topic.name: topic for stage in self._stages for topic in stage.emits}
        return list(named.values())

    def _stateful(self, store: Store[Any] | None) -> tuple[Store[Any], Stage]:
        found = [
            (stage.store, stage)
            for stage in self._stages
            if stage.store is not None and (store is None or stage.store.name == store.name)
        ]
        if len(found) != 1:
            raise Misconfigured(
                f"{len(found)} stores of this job are meant",
                code="which_store",
                advice="name one of "
                + ", ".join(stage.store.name for stage in self._stages if stage.store is not None),
            )
        return found[0]


def _is_timer(octets: bytes) -> bool:
    return octets.startswith((DUE, ASIDE))


def _pending(octets: bytes) -> Place:
    """A timer from where it stands: in the order of due times, or aside while its key waits."""
    if octets.startswith(DUE):
        return read(octets[len(DUE) :])
    end = octets.index(b"\0\0", len(ASIDE))
    return read_aside(octets, octets[len(ASIDE) : end].replace(b"\0\xff", b"\0"))
