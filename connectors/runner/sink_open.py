"""Holds that were only reported while a target observed, and what starting to enforce means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.contracts.topics import HOLD_ACKS, HOLD_COMMANDS
from streams.engine import read_partition
from streams.errors import Misconfigured, Poison
from streams.model.hold import AckResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connectors.runner.sink_config import SinkConfig
    from streams.contracts.codec import Codec
    from streams.engine import Record
    from streams.model.hold import HoldAck
    from streams.runtime.connection import KafkaConnection

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
    last: dict[str, HoldAck] = {}
    for record in _records(connection, config.acks, partitions[config.acks]):
        if record.value is None:
            continue
        try:
            ack = codec.decode(HOLD_ACKS, record.value)
        except Poison:
            # An ack that cannot be read says nothing about its lot; readers of acks report it.
            continue
        if ack.target == config.target and ack.result not in _SAYS_NOTHING:
            last[ack.lot_id] = ack
    return last


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
) -> Iterator[Record]:
    """The records of the commands that reported holds answer."""
    wanted = {ack.command_id for ack in reported}
    for record in _records(connection, config.commands, partitions[config.commands]):
        if record.value is None:
            continue
        try:
            command = codec.decode(HOLD_COMMANDS, record.value)
        except Poison:
            continue
        if command.command_id in wanted:
            wanted.discard(command.command_id)
            yield record


def _records(connection: KafkaConnection, topic: str, partitions: int) -> Iterator[Record]:
    for partition in range(partitions):
        for record in read_partition(connection, topic, partition):
            if record is not None:
                yield record
