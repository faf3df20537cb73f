"""Run a rule on one record. Everything is computed before anything is staged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from streams.contracts.provenance import Gate
from streams.contracts.wire.frames import FRAME_BYTES
from streams.engine.cycle.effects import Undeclared
from streams.engine.state.keys import user_key
from streams.engine.state.table import ABSENT, StateUnreadable
from streams.engine.timers.asked import asked
from streams.errors import Misconfigured, Poison, Transient

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.engine.cycle.effects import Effects
    from streams.engine.declare import Encoding, Stage
    from streams.engine.poison.letters import Output
    from streams.engine.poison.stored import Raw
    from streams.engine.state.table import Table
    from streams.engine.timers.pending import Pending

Apply = "Callable[[Raw], tuple[list[Output], list[Poison]] | None]"
"""Runs the rule and stages its state; gives the outputs, None for none."""
Changes = dict[bytes, bytes | None]
T = TypeVar("T")
NOT_THE_RECORDS: Final = (Transient, Misconfigured, StateUnreadable, Undeclared, MemoryError)
"""Errors that say nothing about the record or timer at hand: the cycle ends, the record stays."""


def bind(
    stage: Stage,
    codec: Encoding,
    effects: Effects,
    table: Table[Any] | None,
    pending: Pending,
    changes: Changes,
) -> Callable[[Raw], tuple[list[Output], list[Poison]] | None]:
    """Make the function that runs a stage's rule on one record.

    Args:
        stage: The stage.
        codec: Decodes the record.
        effects: Encodes what the rule emits.
        table: The stage's state, None for a stateless stage.
        pending: The partition's timers.
        changes: The partition's staged store changes; the function adds to them.
    """
    if table is None:
        apply = _stateless(stage, codec, effects)
    elif stage.scope == "partition":
        apply = _over_partition(stage, codec, effects, table, pending, changes)
    else:
        apply = _over_key(stage, codec, effects, table, pending)
    if stage.topic.provenance == "open":
        return apply
    return _behind_gate(Gate(stage.topic, codec.decode), effects, apply)


def _behind_gate(
    gate: Gate,
    effects: Effects,
    apply: Callable[[Raw], tuple[list[Output], list[Poison]] | None],
) -> Callable[[Raw], tuple[list[Output], list[Poison]] | None]:
    """Let only records through that say where they come from."""

    def admitted(record: Raw) -> tuple[list[Output], list[Poison]] | None:
        effects.chain = gate.chain_of(record.headers(), record.value())
        return apply(record)

    return admitted


def _payload(record: Raw) -> bytes:
    value: bytes | None = record.value()
    if value is None:
        raise Poison(
            "the record has no value",
            code="empty_value",
            advice="drop it, or stop its producer from writing deletions to this topic",
        )
    return value


def _reading(stage: Stage, codec: Encoding) -> Callable[[bytes], Any]:
    """Give the event in a record's bytes, read late where that is possible."""
    topic, decode, readers = stage.topic, codec.decode, codec.readers(stage.topic)

    def read(value: bytes) -> Any:
        late = readers.get(value[:FRAME_BYTES])
        return decode(topic, value) if late is None else late(value)

    return read


def _stateless(
    stage: Stage, codec: Encoding, effects: Effects
) -> Callable[[Raw], tuple[list[Output], list[Poison]] | None]:
    rule, read = stage.rule, _reading(stage, codec)

    def apply(record: Raw) -> tuple[list[Output], list[Poison]] | None:
        verdict = rule(None, read(_payload(record)))
        if verdict.timers:
            asked(stage, verdict.timers, record.key())
        return effects.outputs(verdict.emits, record) if verdict.emits else None

    return apply


def _over_key(
    stage: Stage,
    codec: Encoding,
    effects: Effects,
    table: Table[Any],
    pending: Pending,
) -> Callable[[Raw], tuple[list[Output], list[Poison]] | None]:
    rule, topic, decode, readers = stage.rule, stage.topic, codec.decode, codec.readers(stage.topic)
    states, dirty, fetch, put = table.states, table.dirty, table.fetch, pending.put

    def apply(record: Raw) -> tuple[list[Output], list[Poison]] | None:
        key = record.key()
        if key is None:
            raise Poison(
                "the record has no key, so it has no state",
                code="missing_key",
                advice="make its producer write the key",
            )
        value = record.value() or _payload(record)
        # `_reading` without its call, once per record.
        read = readers.get(value[:FRAME_BYTES])
        event = decode(topic, value) if read is None else read(value)
        state = states.get(key, ABSENT)
        if state is ABSENT:
            state = fetch(key)
        verdict = rule(state, event)
        emitted = effects.outputs(verdict.emits, record) if verdict.emits else None
        timers = asked(stage, verdict.timers, key) if verdict.timers else ()
        new = verdict.state
        if new is not state:
            # `Table.stage` without its call.
            if table.is_strict and new is not None:
                table.encode(new)
            states[key] = dirty[key] = new
        for each in timers:
            put(*each)
        return emitted

    return apply


def _over_partition(
    stage: Stage,
    codec: Encoding,
    effects: Effects,
    table: Table[Any],
    pending: Pending,
    changes: Changes,
) -> Callable[[Raw], tuple[list[Output], list[Poison]] | None]:
    rule, read = stage.rule, _reading(stage, codec)

    def apply(record: Raw) -> tuple[list[Output], list[Poison]] | None:
        event = read(_payload(record))

        def work() -> tuple[list[Output], list[Poison]] | None:
            emits = rule(table, event)
            return effects.outputs(emits, record) if emits else None

        return with_view(stage, table, pending, changes, work)

    return apply


def with_view(
    stage: Stage, table: Table[Any], pending: Pending, changes: Changes, work: Callable[[], T]
) -> T:
    """Run work that sees a partition's store; all it wrote and set is staged, or nothing of it.

    Args:
        stage: Whose work it is.
        table: The store, as the work's view.
        pending: The partition's timers.
        changes: The partition's staged store changes; the function adds to them.
        work: Calls the rule and encodes what it emits.
    """
    try:
        done = work()
        written = table.written()
        timers = asked(stage, table.timers, None) if table.timers else ()
    except BaseException:
        table.discard()
        raise
    table.keep()
    changes.update((user_key(key), octets) for key, octets in written.items())
    for each in timers:
        pending.put(*each)
    return done
