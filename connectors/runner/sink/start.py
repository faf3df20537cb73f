"""What happens before a sink's first command: checks, and holds that were only reported so far."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from connectors.runner.health.sink import SinkHealth
from connectors.runner.sink.command import Commands
from connectors.runner.sink.loop import Loop, finished, write
from connectors.runner.sink.patience import patiently
from connectors.runner.sink.reported import commands_of, last_acks, open_holds, refuse_open
from streams.contracts.provisioning import dead_letter_spec, topic_spec
from streams.contracts.topics import HOLD_ACKS, HOLD_COMMANDS
from streams.engine import Transaction, preflight, undecided, unended
from streams.errors import Misconfigured, Poison
from streams.model.hold import Enforcement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.base import Sink
    from connectors.runner.sink.config import SinkConfig
    from streams.contracts.codec import Codec
    from streams.engine import Record
    from streams.model.hold import HoldAck
    from streams.runtime.connection import KafkaConnection

logger = logging.getLogger(__name__)


@runtime_checkable
class Prepares(Protocol):
    """A sink that checks its surroundings before the first command."""

    async def prepare(self) -> None:
        """Check address, key, rights."""


async def run_sink(
    config: SinkConfig,
    connection: KafkaConnection,
    codec: Codec,
    sink: Sink,
    *,
    health: SinkHealth | None = None,
) -> None:
    """Run a hold sink until it is cancelled.

    Args:
        config: The loop's settings.
        connection: Where the broker is.
        codec: Reads commands and writes acks; its schemas are prepared here.
        sink: The target; it is closed at the end.
        health: Kept up to date for probes.

    Raises:
        Misconfigured: Topics, credentials or open reported holds forbid to start, or a person must
            change something before the next command can work.
        LotgateError: Another process took this one's identity, or positions are gone.
    """
    health = health or SinkHealth()
    transaction = Transaction(connection, f"{config.component}-{config.instance_id}")
    try:
        retry = patiently(config, health)
        partitions: dict[str, int] = await retry(
            asyncio.to_thread, _checked, config, connection, codec
        )
        await _prepared(config, sink, health)
        commands = Commands(config, codec, sink, health)
        # What an earlier process of this name left open is ended before its acks are read.
        await retry(finished, lambda: _end_former(config, connection, partitions, transaction))
        if config.enforcement is Enforcement.ENFORCE:
            await _place_open(config, connection, codec, partitions, commands, transaction)
        await Loop(config, connection, commands, transaction, health).run()
    finally:
        health.state = "ended"
        transaction.close()
        await sink.close()


def _checked(config: SinkConfig, connection: KafkaConnection, codec: Codec) -> dict[str, int]:
    """Check topics and schemas; give the number of partitions of each topic."""
    specs = [
        topic_spec(HOLD_COMMANDS, connection),
        topic_spec(HOLD_ACKS, connection),
        dead_letter_spec(config.component, connection),
    ]
    found = preflight(connection, specs)
    codec.prepare([HOLD_COMMANDS, HOLD_ACKS])
    return {name: facts.partitions for name, facts in found.items()}


def _end_former(
    config: SinkConfig,
    connection: KafkaConnection,
    partitions: dict[str, int],
    transaction: Transaction,
) -> None:
    """End what an earlier process of this name left open, also where the broker forgot to."""
    transaction.settle()
    inputs = [(config.commands, number) for number in range(partitions[config.commands])]
    written = {name: count for name, count in partitions.items() if name != config.commands}
    transaction.end_at(
        unended(connection, written), undecided(connection, config.component, inputs)
    )


async def _prepared(config: SinkConfig, sink: Sink, health: SinkHealth) -> None:
    """Let the sink check its target; wait for a target that is away."""
    if not isinstance(sink, Prepares):
        return
    try:
        await patiently(config, health)(sink.prepare)
    except Poison as error:
        raise Misconfigured(
            f"target {config.target} cannot be used: {error.message}",
            code=error.code,
            kept="no command was read",
            advice=error.advice,
        ) from error


async def _place_open(
    config: SinkConfig,
    connection: KafkaConnection,
    codec: Codec,
    partitions: Mapping[str, int],
    commands: Commands,
    transaction: Transaction,
) -> None:
    """Refuse to enforce over reported holds, or place them first, in the order of their commands.

    Their positions were committed while observing, so these acks go without positions; their ids
    are derived, so a second process doing the same writes the same acks.
    """
    retry = patiently(config)
    acks: dict[str, HoldAck] = await retry(
        asyncio.to_thread, last_acks, connection, config, codec, partitions
    )
    reported = open_holds(acks)
    refuse_open(config, reported)
    if not reported:
        return
    logger.info("placing %d holds that were only reported so far", len(reported))
    found: list[Record] = await retry(
        asyncio.to_thread, commands_of, connection, config, codec, partitions, reported
    )
    for record in found:
        settled = await commands.settle(record)
        await retry(finished, write, transaction, [settled], None)
