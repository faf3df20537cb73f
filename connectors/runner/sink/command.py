"""One command from its bytes to the records that answer it. No Kafka call is made here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.runner.sink.patience import patiently
from connectors.runner.sink.records import Answer, Output, ack_of, ack_record, letter_of
from connectors.runner.sink.result import result_of, unfinished, would_be
from streams.contracts.provenance import Gate
from streams.contracts.topics import HOLD_COMMANDS
from streams.engine import reach
from streams.errors import Misconfigured, Poison, Transient
from streams.model.hold import AckResult, Enforcement, HoldAction
from streams.runtime.clock import now

if TYPE_CHECKING:
    from connectors.base import Observation, Sink
    from connectors.runner.health.sink import SinkHealth
    from connectors.runner.sink.config import SinkConfig
    from streams.contracts.codec import Codec
    from streams.engine import Record
    from streams.model.hold import HoldCommand

DENIED = "erp_denied"
"""Code of a refusal for want of credentials or rights, whatever the target."""
UNSEEN = frozenset({DENIED, "zone_denied"})
"""Refusals after which the target is not asked about the lot."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What answers one record.

    Attributes:
        record: The record.
        outputs: Records to be written in the transaction that carries its position.
    """

    record: Record
    outputs: tuple[Output, ...]


@dataclass(slots=True)
class Attempt:
    """How far the tries of one record came.

    Attributes:
        number: Tries begun.
        command: The command, once it was decoded.
        chain: What the command was made from.
    """

    number: int = 0
    command: HoldCommand | None = None
    chain: bytes = b""


class Commands:
    """Settles commands at one target.

    Args:
        config: The loop's settings.
        codec: Reads commands and writes acks.
        sink: The target.
        health: Is told what is waited for.
    """

    def __init__(
        self,
        config: SinkConfig,
        codec: Codec,
        sink: Sink,
        health: SinkHealth | None = None,
    ) -> None:
        self._config = config
        self._health = health
        self._codec = codec
        self._sink = sink
        self._denied = 0
        self._gate = Gate(HOLD_COMMANDS, codec.decode)

    async def settle(self, record: Record) -> Settled:
        """Carry out the command in a record, however long the target is away.

        Raises:
            Misconfigured: A person must change something first; the command stays uncommitted.
        """
        attempt = Attempt()
        try:
            outputs: tuple[Output, ...] = await patiently(self._config, self._health)(
                self._tried, record, attempt
            )
        except Poison as error:
            return await self._refused(record, attempt, error)
        self._denied = 0
        return Settled(record, outputs)

    async def _tried(self, record: Record, attempt: Attempt) -> tuple[Output, ...]:
        attempt.number += 1
        command = await self._decoded(record)
        attempt.chain = self._gate.chain_of(record.headers, record.value)
        attempt.command = command
        if command.target != self._config.target:
            return ()
        policy = self._config.policy
        answer = await self._answer(command if policy is None else policy.applied(command))
        ack = ack_of(command, answer, self._config.enforcement, now(), self._config)
        return (ack_record(ack, self._config, self._codec, attempt.chain),)

    async def _decoded(self, record: Record) -> HoldCommand:
        if record.value is None:
            raise Poison(
                "a hold command without a value",
                code="tombstone",
                advice="find out who wrote it; commands are never deleted",
            )
        # An unknown schema id is asked for at the registry, which may take its time.
        command = await asyncio.to_thread(self._codec.decode, HOLD_COMMANDS, record.value)
        if command.action not in {HoldAction.HOLD, HoldAction.RELEASE}:
            raise Poison(
                f"a hold command with the unknown action {command.action!r}",
                code="unknown_action",
                advice="update this connector: the command is of a newer release",
            )
        return command

    async def _answer(self, command: HoldCommand) -> Answer:
        if command.envelope.synthetic:
            return Answer(AckResult.SYNTHETIC, detail="a probe: the target was not called")
        if self._config.enforcement is not Enforcement.ENFORCE:
            reach("before_call")
            seen = await self._sink.read_back(command)
            return Answer(would_be(command.action, seen), seen, calls=seen.calls)
        return await self._enforced(command)

    async def _enforced(self, command: HoldCommand) -> Answer:
        """Apply and read back, again while the read-back shows work that is left."""
        retrying = self._config.retrying
        story: list[str] = []
        calls = 0
        reads = 0
        while True:
            reach("before_call")
            outcome = await self._sink.apply(command)
            seen = await self._sink.read_back(command)
            reach("after_call")
            reads += 1
            calls += outcome.calls + seen.calls
            story += [outcome.detail] if outcome.detail else []
            if outcome.stale:
                return Answer(AckResult.STALE_IGNORED, seen, outcome.detail, calls=calls)
            if reads >= retrying.reads or not unfinished(command.action, seen):
                result = result_of(command.action, seen)
                return Answer(result, seen, "; ".join(story), calls=calls)
            await asyncio.sleep(retrying.read_pause_s)

    async def _refused(self, record: Record, attempt: Attempt, error: Poison) -> Settled:
        self._count_denied(error)
        command = attempt.command
        letter = letter_of(record, error, self._config, attempt.number)
        if command is None:
            return Settled(record, (letter,))
        answer = Answer(
            AckResult.REFUSED,
            await self._last_look(command, error),
            detail=f"[{error.code}] {error.message}",
            advice=error.advice,
        )
        ack = ack_of(command, answer, self._config.enforcement, now(), self._config)
        return Settled(record, (ack_record(ack, self._config, self._codec, attempt.chain), letter))

    async def _last_look(self, command: HoldCommand, error: Poison) -> Observation | None:
        """What the target shows after a refusal: a part may have been done. Tried once."""
        if error.code in UNSEEN:
            return None
        try:
            return await self._sink.read_back(command)
        except (Poison, Transient):
            return None

    def _count_denied(self, error: Poison) -> None:
        """Stop before a wrong key turns every command into a dead letter."""
        self._denied = self._denied + 1 if error.code == DENIED else 0
        if self._denied >= self._config.retrying.denied:
            raise Misconfigured(
                f"target {self._config.target} refused {self._denied} commands in a row: "
                f"{error.message}",
                code="target_denies",
                kept="this command and all after it stay on the topic, uncommitted",
                advice=f"{error.advice}; commands refused before are in the dead letters",
            ) from error
