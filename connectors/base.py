"""The two small protocols behind which every foreign system lives.

A source reads and confirms; it never produces to Kafka. A sink acts and reads back; it is safe to
call again with the same command. Loops, retries, commits and acks belong to `connectors.runner`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from streams.model.hold import HoldCommand, Prior, Share


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where a source has been carried over, in the source's own words.

    Attributes:
        fields: What the source needs to go on exactly behind it; JSON values only.
    """

    fields: Mapping[str, Any]


ANY_PARTITION: Final = -1
"""The key's hash chooses the partition."""
EVERYWHERE: Final = -2
"""One copy goes to every partition: a truncate concerns all keys."""


class RawRecord(NamedTuple):
    """A change record for a raw topic.

    Attributes:
        topic: Full name of the topic.
        key: Key with its frame; None for a table without a key.
        value: Value with its frame; None for a tombstone.
        headers: Headers, the event id among them.
        partition: `ANY_PARTITION`, `EVERYWHERE`, or the number of one.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    partition: int = ANY_PARTITION


@dataclass(frozen=True, slots=True)
class ShapeColumn:
    """A column as a source describes it.

    Attributes:
        name: The column.
        type: Its type in the source's own words, e.g. `numeric(10,2)`.
        oid: The type's number in the source.
        typmod: The type's modifier, -1 for none.
        key: It is part of what identifies a row in the source's log.
    """

    name: str
    type: str
    oid: int
    typmod: int
    key: bool


@dataclass(frozen=True, slots=True)
class TableShape:
    """A table's shape as a source describes it; two that are equal need no new version.

    Attributes:
        table: Schema and table.
        identity: What the source's log says of an old row, in the source's own words.
        columns: The columns in the order of their values.
    """

    table: str
    identity: str
    columns: tuple[ShapeColumn, ...]


@dataclass(frozen=True, slots=True)
class DeadRow:
    """A row that cannot be carried over, kept whole for a person.

    Attributes:
        key: Where the row stands in the source: its event id.
        raw: The row's bytes as the source sent them.
        table: Schema and table.
        position: Position in the source's log, for people.
        code: Stable code of the error.
        cause: What is wrong, and what to do.
        shape: The table's shape as JSON, by which the bytes can be read later; empty if unknown.
        row: The row as far as a person can read it, as JSON; empty if not at all.
    """

    key: str
    raw: bytes
    table: str
    position: str
    code: str
    cause: str
    shape: str = ""
    row: str = ""


@dataclass(slots=True)
class Change:
    """What a source hands over at once: a transaction, or one bounded chunk of it.

    Attributes:
        position: Where the source stands behind this change.
        records: Records for the raw topics, in log order.
        transaction: Avro body of one `SourceTransaction` chunk, or None.
        transaction_id: With it: what names that transaction of the source, on every replay.
        dead: Rows that cannot be carried over.
        rows: Row changes in it.
        size: Bytes in it, about.
        snapshot: It belongs to a snapshot, whose parts are best committed together.
        barrier: It must be committed before the source goes on.
        xid: The transaction's 32-bit number in the source; 0 where nothing was changed.
    """

    position: Position
    records: list[RawRecord] = field(default_factory=list)
    transaction: bytes | None = None
    transaction_id: str = ""
    dead: list[DeadRow] = field(default_factory=list)
    rows: int = 0
    size: int = 0
    snapshot: bool = False
    barrier: bool = False
    xid: int = 0


class Signal(NamedTuple):
    """An order of an operator to a running source.

    Attributes:
        offset: Where it stands among all orders; those behind it are greater.
        text: The order, in the source's own words.
    """

    offset: int
    text: bytes


class Signals(Protocol):
    """Where operators' orders to one source come from; the runner implements it."""

    def end(self) -> int:
        """The place behind all orders that were given up to now."""
        ...

    def begin(self, offset: int) -> None:
        """Listen to orders from a place on; those before it were obeyed."""
        ...

    def taken(self) -> Sequence[Signal]:
        """The orders that came since the last call; at once, empty without one."""
        ...


class TableTopics(Protocol):
    """Where a source's raw records go; the runner implements it."""

    def announce(self, topics: Sequence[str]) -> None:
        """Make raw topics ready at once, which is cheaper than one by one in `bind`.

        Raises:
            Misconfigured: A topic is missing or wrongly set.
            Transient: The broker is not available.
        """
        ...

    def bind(
        self,
        topic: str,
        key: dict[str, Any] | None,
        value: dict[str, Any],
        shape: TableShape | None = None,
    ) -> tuple[bytes, bytes]:
        """Make a raw topic and its schemas ready before the first record of a table's shape.

        Args:
            topic: Full name of the topic.
            key: Schema of the keys, None for a table without a key.
            value: Schema of the values.
            shape: The table's shape, which becomes a version of its history.

        Returns:
            The frames that stand before each key and each value. Those of a schema that the
            registry refuses are provisional: the runner keeps such records aside, in order, and
            puts the right frames in their place when the registry takes the schema.

        Raises:
            Misconfigured: The topic is missing, or the registry refuses the schema and there is
                no shape to keep its records by.
            Transient: The broker or the registry is not available.
        """
        ...

    def told(self, topic: str) -> Iterator[tuple[bytes, bool]]:
        """Read what a raw topic says of its keys.

        Args:
            topic: Full name of the topic; it was bound.

        Yields:
            Key with its frame, and whether the record has a value; a key's records in order.

        Raises:
            Transient: The broker does not answer.
        """
        ...


class Source(Protocol):
    """A system whose changes are read in commit order.

    The runner produces what `changes` yields, with its position, in one Kafka transaction, and
    calls `confirm` only behind that transaction's commit.
    """

    name: str

    def preflight(self) -> None:
        """Check everything that must hold before reading.

        Raises:
            Misconfigured: Something is missing; says what to run or to change.
            Transient: The system is not available; call again later.
        """
        ...

    def changes(self, since: Position | None, topics: TableTopics) -> Iterator[Change | None]:
        """Read changes, blocking while there are none.

        Args:
            since: The stored position; None for a source that was never read.
            topics: Makes a table's topic ready.

        Yields:
            Changes in commit order; None whenever nothing more is at hand, so that the runner
            can commit what it has and look up.

        Raises:
            Misconfigured: Position and source do not fit together, or a right is missing.
            Transient: The connection broke; call again with the stored position.
        """
        ...

    def stop(self) -> None:
        """Make `changes` end soon; may be called from another thread."""
        ...

    def confirm(self, upto: Position) -> None:
        """Tell the system that everything up to here is durable elsewhere."""
        ...

    def close(self) -> None:
        """Close connections. Safe to call twice."""
        ...


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a target can do, as its sink declares it.

    Attributes:
        has_readback: The sink can read the state it claims.
        can_hold_partial: A part of a lot can be held.
        supports_idempotency_key: The target itself refuses a second effect of one command.
    """

    has_readback: bool
    can_hold_partial: bool
    supports_idempotency_key: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the effects of one command, before the target is read again.

    Attributes:
        stale: The target has seen a higher hold version; nothing was done.
        detail: What was done, for people.
        calls: Calls made to the target.
    """

    stale: bool = False
    detail: str = ""
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Observation:
    """What a target showed when it was read.

    Attributes:
        found: The target knows the lot.
        shares: Quantity per outcome; empty if the lot has no stock anywhere.
        effective_disposition: `Restricted` if nothing of the lot is free to move, else the
            disposition the target shows.
        prior: Disposition and place before the hold, read from the target's own hold documents.
        detail: What was seen, for people.
        calls: Calls made to the target.
    """

    found: bool
    shares: tuple[Share, ...]
    effective_disposition: str
    prior: Prior
    detail: str = ""
    calls: int = 0


class Sink(Protocol):
    """A target system that can hold lots."""

    name: str
    capabilities: Capabilities

    async def apply(self, command: HoldCommand) -> Outcome:
        """Carry out a command. Safe to repeat; resumes after a kill at any call.

        Raises:
            Poison: The command can never work at this target.
            Transient: The target is unavailable; call again later.
            Unknown: The call may have worked; read back before acting again.
            Misconfigured: Credentials or rights are missing.
        """
        ...

    async def read_back(self, command: HoldCommand) -> Observation:
        """Read what the target really shows for the command's lot. Writes nothing."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
