"""Holds that were only reported while a target observed, and what starting to enforce means."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from streams.contracts.topics import HOLD_ACKS, HOLD_COMMANDS
from streams.engine import read_partition
from streams.errors import Misconfigured, Poison
from streams.model.hold import AckResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from connectors.runner.sink.config import SinkConfig
    from streams.contracts.codec import Codec
    from streams.contracts.topics import Topic
    from streams.engine import Record
    from streams.model.hold import HoldAck
    from streams.runtime.connection import KafkaConnection

E = TypeVar("E")
T = TypeVar("T")

READERS = 8
"""Partitions read at the same time."""
_SAYS_NOTHING = frozenset({AckResult.STALE_IGNORED, AckResult.REFUSED})
"""Results after which the lot is as it was before the command."""
SHOWN = 20
"""Lots named in the refusal; the rest is counted."""


def last_acks(
    connection: KafkaConnection, config: SinkConfig, codec: Codec, partitions: Mapping[str, int]
) -> dict[str, HoldAck]:
    """The last ack of every lot at this target, by lot.

    Reads the whole topic of acks: its records are kept for ever and carry no summary.
    """

    def last_of(partition: int) -> dict[str, HoldAck]:
        last: dict[str, HoldAck] = {}
        for record in read_partition(connection, config.acks, partition):
            ack = _decoded(codec, HOLD_ACKS, record)
            if ack and ack.target == config.target and ack.result not in _SAYS_NOTHING:
                last[ack.lot_id] = ack
        return last

    merged: dict[str, HoldAck] = {}
    for part in _side_by_side(last_of, partitions[config.acks]):
        merged |= part
    return merged


def open_holds(acks: dict[str, HoldAck]) -> tuple[HoldAck, ...]:
    """Holds that were reported and never placed, by lot."""
    found = (ack for ack in acks.values() if ack.result == AckResult.WOULD_HOLD)
    return tuple(sorted(found, key=lambda ack: ack.lot_id))


def refuse_open(config: SinkConfig, reported: tuple[HoldAck, ...]) -> None:
    """Refuse to enforce while reported holds are open, unless told to place them.

    Raises:
        Misconfigured: Names the lots.
    """
    if not reported or config.place_open:
        return
    named = ", ".join(ack.lot_id for ack in reported[:SHOWN])
    more = f" and {len(reported) - SHOWN} more" if len(reported) > SHOWN else ""
    raise Misconfigured(
        f"target {config.target} is to enforce, but {len(reported)} holds were only reported so "
        f"far: {named}{more}",
        code="open_would_holds",
        kept="nothing was written to the target",
        advice="look at these lots, then start with --place-open to place their holds too, or go "
        "on observing",
    )


def commands_of(
    connection: KafkaConnection,
    config: SinkConfig,
    codec: Codec,
    partitions: Mapping[str, int],
    reported: tuple[HoldAck, ...],
) -> list[Record]:
    """The records of the commands that reported holds answer, in the order of each lot."""
    wanted = {ack.command_id for ack in reported}

    def found_in(partition: int) -> list[Record]:
        found: dict[str, Record] = {}
        for record in read_partition(connection, config.commands, partition):
            command = _decoded(codec, HOLD_COMMANDS, record)
            if record and command and command.command_id in wanted:
                found.setdefault(command.command_id, record)
        return list(found.values())

    parts = _side_by_side(found_in, partitions[config.commands])
    return [record for part in parts for record in part]


def _decoded(codec: Codec, topic: Topic[E], record: Record | None) -> E | None:
    """The event of a record; None for one that cannot be read: its own readers report it."""
    if record is None or record.value is None:
        return None
    try:
        return codec.decode(topic, record.value)
    except Poison:
        return None


def _side_by_side(read: Callable[[int], T], partitions: int) -> list[T]:
    """Read partitions at the same time: opening each takes longer than reading a short one."""
    with ThreadPoolExecutor(max_workers=min(partitions, READERS)) as pool:
        return list(pool.map(read, range(partitions)))
