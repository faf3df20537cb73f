"""A partition's typed state: decoded in memory, staged for the cycle, read through to the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from streams.engine.state.disk import user_key
from streams.errors import LotgateError, Transient

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.contracts.topics import Topic
    from streams.engine.declare import Encoding, Store
    from streams.engine.state.disk import Disk
    from streams.model.verdict import Timer

S = TypeVar("S")
Encoded = dict[bytes, bytes | None]
_ABSENT: Any = object()


class StateUnreadable(LotgateError):
    """A stored state cannot be read by this build. The process must not go on without it."""

    code = "state_unreadable"


class Table(Generic[S]):
    """States by key.

    Reads go: this record's writes, memory, disk. Memory holds what the cycle at hand wrote and what
    was read or written before: a cycle that fails forgets all of it (`reset`), so nothing need tell
    them apart. States are immutable, so a state read twice may be the same object.
    """

    def __init__(self, store: Store[S], codec: Encoding, disk: Disk) -> None:
        """Read through to a disk.

        Args:
            store: What is kept.
            codec: Encodes the states.
            disk: Where they are.
        """
        self._topic: Topic[S] = store.topic
        self._limit = store.cache
        self._codec = codec
        self._disk = disk
        self._memory: dict[bytes, S | None] = {}
        self._record: dict[bytes, S | None] = {}
        self.timers: list[Timer] = []
        self.encode: Callable[[S], bytes] = codec.encoder(store.topic)
        """A state's bytes. Raises `Poison` if it does not fit its schema, which is the fault of
        the record at hand."""

    def load(self, key: bytes) -> S | None:
        """The state of a key before the record at hand."""
        found = self._memory.get(key, _ABSENT)
        return self._fetch(key) if found is _ABSENT else found

    def stage(self, key: bytes, state: S | None) -> None:
        """Make a state the cycle's."""
        self._memory[key] = state

    # A rule with scope `partition` sees the table as this view.

    def get(self, key: str) -> S | None:
        """The state of a key, with what the rule itself wrote."""
        octets = key.encode()
        found = self._record.get(octets, _ABSENT)
        return self.load(octets) if found is _ABSENT else found

    def put(self, key: str, state: S) -> None:
        """Set the state of a key, if the rule ends well."""
        self._record[key.encode()] = state

    def delete(self, key: str) -> None:
        """Remove the state of a key, if the rule ends well."""
        self._record[key.encode()] = None

    def set_timer(self, timer: Timer) -> None:
        """Set, replace or cancel a timer, if the rule ends well."""
        self.timers.append(timer)

    def written(self) -> Encoded:
        """What the rule at hand wrote, encoded."""
        return {
            key: None if state is None else self.encode(state)
            for key, state in self._record.items()
        }

    def keep(self) -> None:
        """Make what the rule wrote the cycle's."""
        self._memory.update(self._record)
        self.discard()

    def discard(self) -> None:
        """Forget what the rule wrote and asked."""
        self._record.clear()
        self.timers = []

    def committed(self) -> None:
        """The cycle's states are now the stored ones."""
        surplus = len(self._memory) - self._limit
        if surplus > 0:
            # Oldest entries first; an eighth more, so that it is not done every cycle.
            for key in list(self._memory)[: surplus + self._limit // 8]:
                del self._memory[key]

    def reset(self) -> None:
        """Forget everything that is not on disk."""
        self._memory.clear()
        self.discard()

    def _fetch(self, key: bytes) -> S | None:
        raw = self._disk.get(user_key(key))
        state: S | None = None
        if raw is not None:
            try:
                state = self._codec.decode(self._topic, raw)
            except Transient:
                raise
            except Exception as failure:
                raise StateUnreadable(
                    f"the state of key {key!r} in {self._topic.name} cannot be read by this build:"
                    f" {failure}",
                    kept="the state and the record are as they were",
                    advice="start the build that wrote it, or a newer one",
                ) from failure
        self._memory[key] = state
        return state
