"""What a job declares: stores, stages, and the view a rule has on its partition's store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

from streams.contracts.topics import GROUP, Evolution, Topic, changelog
from streams.contracts.wire.schema_tree import title_of
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from streams.contracts.codec import Form
    from streams.model.verdict import Timer

S = TypeVar("S")
Scope = Literal["key", "partition"]


class Encoding(Protocol):
    """Turns events into bytes and back; `streams.contracts.codec.Codec` is the real one."""

    def prepare(self, topics: Iterable[Topic[Any]]) -> None:
        """Get ready for these topics, at start.

        Raises:
            Misconfigured: A schema is missing.
            Transient: The registry is not available.
        """
        ...

    def form(self, topic: Topic[Any]) -> Form:
        """Tell in which form a topic's records are written."""
        ...

    def encode(self, topic: Topic[Any], event: Any) -> bytes:
        """Give an event's bytes for a topic.

        Raises:
            Poison: The event does not fit the topic's schema.
        """
        ...

    def encoder(self, topic: Topic[Any]) -> Callable[[Any], bytes]:
        """Give `encode` for one topic."""
        ...

    def readers(self, topic: Topic[Any]) -> Mapping[bytes, Callable[[bytes], Any]]:
        """Give what reads a topic's records for a rule, by their first bytes; may be empty.

        A field of such an event may be read, and found wrong, when it is used.
        """
        ...

    def decode(self, topic: Topic[Any], payload: bytes) -> Any:
        """Give back the event of a record.

        Raises:
            Poison: The bytes cannot be an event of this topic.
            Transient: The registry is not available.
        """
        ...


@dataclass(frozen=True, slots=True)
class Store(Generic[S]):
    """Typed state by key, kept per partition, with a changelog. It has exactly one input topic.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class LotState:
        ...     fails: int = 0
        >>> schema = {"type": "record", "name": "plant.LotState", "fields": [
        ...     {"name": "fails", "type": "long", "default": 0}]}
        >>> LOTS = Store("lots", LotState, schema)
        >>> LOTS.topic.full_name(prefix="", group="quality")
        'quality-lots-changelog'

    Attributes:
        name: Name within the group; the changelog is `<group>-<name>-changelog`.
        state: The type of the states: a frozen dataclass.
        schema: Full name of its Avro schema in the catalog, or the schema itself.
        cache: Most decoded states kept in memory per partition.
        version: Number of the schema, from 1: every change of it takes the next. None: the number
            that the catalog has for a schema it names, else 1.
        upcasters: By the version they take: a function that makes the next version's value of an
            earlier one, both as plain dictionaries. Where none is declared, the next schema must
            read the earlier one by Avro's rules (defaults, aliases, promotions).

    A state of an earlier version is read through the upcasters, and written in the new form when a
    rule next changes it. A build with an earlier version refuses to start on it.

    Example::

        def named(old: dict[str, Any]) -> dict[str, Any]:
            return {**old, "failures": old["fails"], "reason": ""}

        LOTS = Store("lots", LotState, LOT_STATE_V2, version=2, upcasters={1: named})
    """

    name: str
    state: type[S]
    schema: str | dict[str, Any]
    cache: int = 65_536
    version: int | None = None
    upcasters: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        beyond = [number for number in self.upcasters if number < 1]
        if self.version is not None:
            beyond += [number for number in self.upcasters if number >= self.version]
        if beyond or (self.version is not None and self.version < 1):
            raise Misconfigured(
                f"store {self.name} of version {self.version} has upcasters of {beyond}",
                code="bad_store_version",
                advice="versions count from 1; an upcaster takes an earlier version than the"
                " store's own",
            )

    @property
    def topic(self) -> Topic[S]:
        """The changelog as a topic, so that states are encoded as any other record."""
        return Topic(
            changelog(GROUP, self.name),
            self.state,
            self.schema,
            _unkeyed,
            cleanup="compact",
            evolution=Evolution(self.version, self.upcasters),
            doc=f"Changelog of the store {self.name}.",
        )


def _unkeyed(_: object) -> str:
    """A state's key is the record's own; it is never taken from the state."""
    return ""


class View(Protocol[S]):
    """One partition's store as a rule with scope `partition` sees it.

    What a rule writes is visible to itself at once, and to others only if the rule ends well.
    """

    def get(self, key: str) -> S | None:
        """The state of a key, None if it has none."""
        ...

    def put(self, key: str, state: S) -> None:
        """Set the state of a key."""
        ...

    def delete(self, key: str) -> None:
        """Remove the state of a key."""
        ...

    def set_timer(self, timer: Timer) -> None:
        """Set, replace or cancel a timer of the key that it names."""
        ...


def _named(function: object, version: str) -> str:
    called = getattr(function, "__qualname__", type(function).__qualname__)
    where = getattr(function, "__module__", "") or ""
    return f"{where}:{called}" + (f"@{version}" if version else "")


@dataclass(frozen=True)
class Stage:
    """One stage: an input topic, a pure rule, what it may emit, and perhaps a store.

    Attributes:
        name: Name within the group; it appears in dead letters and in topic names.
        topic: The one input.
        rule: The pure function.
        store: Its state, None for none.
        emits: The topics its outputs may go to, told apart by the type of the event.
        scope: `key`: the rule sees the state of the record's key. `partition`: it sees the store.
        dedupes_by_position: The rule drops what is older than its state, so a key waits behind
            its dead letter; otherwise a replay would be dropped as old.
        due: What happens when a timer is due: `due(state, timer, now_us) -> Verdict`, or with
            scope `partition` `due(view, timer, now_us) -> tuple of events`. None: no timers.
            It may set timers too; one that is due already fires in the next cycle.
        version: Version of the rule, for dead letters; empty for none.
    """

    name: str
    topic: Topic[Any]
    rule: Callable[[Any, Any], Any]
    store: Store[Any] | None = None
    emits: tuple[Topic[Any], ...] = ()
    scope: Scope = "key"
    dedupes_by_position: bool = False
    due: Callable[[Any, Any, int], Any] | None = None
    version: str = ""
    routes: dict[type[Any], Topic[Any]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self.due is not None and self.store is None:
            raise Misconfigured(
                f"stage {self.name} has `due` and no store: its timers would have no place",
                code="timers_without_store",
                advice=f"give stage {self.name} a store, or take its due= away",
            )
        for topic in self.emits:
            self.routes.setdefault(topic.event, topic)

    @property
    def rule_name(self) -> str:
        """The rule as dead letters name it: `module:name`, and `@version` if it has one."""
        return _named(self.rule, self.version)

    @property
    def due_name(self) -> str:
        """What fires the stage's timers, in the same form."""
        return _named(self.due, self.version)

    @property
    def reader(self) -> str:
        """Full name of the schema that the stage reads its input as."""
        schema = self.topic.schema
        return schema if isinstance(schema, str) else title_of(schema)

    @property
    def store_name(self) -> str:
        """Name of the partition store: the stage's own when it declares none."""
        return self.store.name if self.store is not None else self.name

    @property
    def topics(self) -> tuple[Topic[Any], ...]:
        """Every topic that needs a schema: input, outputs, state."""
        states = (self.store.topic,) if self.store is not None else ()
        return (self.topic, *self.emits, *states)
