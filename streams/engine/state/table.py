"""A partition's typed state: decoded in memory, staged for the cycle, read through to the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from streams.engine.state.keys import ENGINES, user_key
from streams.errors import LotgateError, Poison, Transient

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.contracts.topics import Topic
    from streams.engine.declare import Encoding, Store
    from streams.engine.state.disk import Disk
    from streams.model.verdict import Timer

S = TypeVar("S")
Encoded = dict[bytes, bytes | None]
ABSENT: Any = object()
"""Not in memory; a state that does not exist is None."""


class StateUnreadable(LotgateError):
    """A stored state cannot be read by this build. The process must not go on without it."""

    code = "state_unreadable"


class Unencodable(Exception):
    """A state of this cycle does not fit its schema; it is not known whose record made it so."""


class Table(Generic[S]):
    """States by key.

    A state is encoded when a batch ends, once for all the records that changed it. If one cannot
    be, the batch is run again with `is_strict`: each state is then tried as it is made, so that
    the record at fault is found.

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
        self.states: dict[bytes, S | None] = {}
        self.dirty: dict[bytes, S | None] = {}
        self.is_strict = False
        self._record: dict[bytes, S | None] = {}
        self.timers: list[Timer] = []
        self.encode: Callable[[S], bytes] = codec.encoder(store.topic)
        """A state's bytes. Raises `Poison` if it does not fit its schema, which is the fault of
        the record at hand."""

    def load(self, key: bytes) -> S | None:
        """The state of a key before the record at hand."""
        found = self.states.get(key, ABSENT)
        return self.fetch(key) if found is ABSENT else found

    def stage(self, key: bytes, state: S | None) -> None:
        """Make a state the cycle's.

        Raises:
            Poison: It does not fit its schema; only while `is_strict`.
        """
        if self.is_strict and state is not None:
            self.encode(state)
        self.states[key] = self.dirty[key] = state

    def flush(self, changes: Encoded) -> None:
        """Add what was staged to the partition's changes.

        Raises:
            Unencodable: A state does not fit its schema.
        """
        encode = self.encode
        try:
            for key, state in self.dirty.items():
                stored = key if key[:1] != ENGINES else user_key(key)
                changes[stored] = None if state is None else encode(state)
        except Poison as poison:
            raise Unencodable(str(poison)) from poison
        self.dirty.clear()

    # A rule with scope `partition` sees the table as this view.

    def get(self, key: str) -> S | None:
        """The state of a key, with what the rule itself wrote."""
        octets = key.encode()
        found = self._record.get(octets, ABSENT)
        return self.load(octets) if found is ABSENT else found

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
        self.states.update(self._record)
        self.discard()

    def discard(self) -> None:
        """Forget what the rule wrote and asked."""
        self._record.clear()
        self.timers = []

    def committed(self) -> None:
        """The cycle's states are now the stored ones."""
        self.is_strict = False
        surplus = len(self.states) - self._limit
        if surplus > 0:
            # Oldest entries first; an eighth more, so that it is not done every cycle.
            for key in list(self.states)[: surplus + self._limit // 8]:
                del self.states[key]

    def reset(self) -> None:
        """Forget everything that is not on disk."""
        self.is_strict = False
        self.states.clear()
        self.dirty.clear()
        self.discard()

    def fetch(self, key: bytes) -> S | None:
        """A state that is not in memory.

        Raises:
            StateUnreadable: This build cannot read it.
        """
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
        self.states[key] = state
        return state
